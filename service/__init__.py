"""From a release to answers over HTTP, and the prediction log."""
