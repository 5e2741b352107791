"""Routes of the documentation: the OpenAPI document, and the page that shows it."""

from __future__ import annotations

from functools import lru_cache

import orjson

from service import __version__
from service.http.call import Answer, Call, Route
from service.http.docs_page import DOCS_PAGE, DOCS_POLICY
from service.http.openapi import openapi_document

_MOST_EXAMPLES = 50


async def document(call: Call) -> Answer:
    """GET /openapi.json and, for BentoML's page and tools, /docs.json: the tasks of now are its examples."""
    tasks = (state.task for state in call.serving.releases.states() if state.release is not None)
    return Answer(200, _rendered(tuple(tasks)[:_MOST_EXAMPLES]))


async def page(_call: Call) -> Answer:
    """GET /docs."""
    headers = ((b"content-security-policy", DOCS_POLICY), (b"x-content-type-options", b"nosniff"))
    return Answer(200, DOCS_PAGE, b"text/html; charset=utf-8", headers)


@lru_cache(maxsize=4)
def _rendered(tasks: tuple[str, ...]) -> bytes:
    return orjson.dumps(openapi_document(tasks, __version__))


DOCS_ROUTES = {
    "/openapi.json": Route("openapi", "GET", document),
    "/docs.json": Route("openapi", "GET", document),
    "/docs": Route("docs", "GET", page),
}
