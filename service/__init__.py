"""From a release to answers over HTTP, and the prediction log."""

__version__ = "0.1.0"
