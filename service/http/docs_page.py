"""The page at /docs: Swagger UI over /openapi.json. Its scripts are those that BentoML bundles and serves."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

# No validator: it would send the document to another host.
_SCRIPT = """
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  docExpansion: "list",
  presets: [SwaggerUIBundle.presets.apis],
});
"""

# On a narrow screen the name of a group would leave its description the width of one letter.
_STYLE = """
@media (max-width: 640px) {
  .swagger-ui .opblock-tag { flex-wrap: wrap; }
  .swagger-ui .opblock-tag small { flex: 1 0 100%; order: 1; padding: 0; }
}
"""

# Every address is relative, so that the page works behind a proxy's prefix.
DOCS_PAGE = f"""<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Perennial: API</title>
    <link rel="stylesheet" href="static_content/swagger-ui.css">
    <style>{_STYLE}</style>
    <link rel="icon" href="data:,">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <noscript>This page needs JavaScript; the same as JSON: <a href="openapi.json">openapi.json</a>.</noscript>
    <script src="static_content/swagger-ui-bundle.js"></script>
    <script>{_SCRIPT}</script>
  </body>
</html>
""".encode()

_HASH = b64encode(sha256(_SCRIPT.encode()).digest()).decode()

# Scripts of this host and the one above, nothing else from anywhere. Swagger UI sets styles in the page.
DOCS_POLICY = (
    f"default-src 'none'; script-src 'self' 'sha256-{_HASH}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
).encode()
