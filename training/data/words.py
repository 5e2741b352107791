"""Words of any script, with their places; the service finds them in the same way."""

from contracts.words import word_offsets

__all__ = ["word_offsets"]
