"""The tokenizer of a release: one `tokenizer.json`, read by `tokenizers` alone, in training as in production."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from contracts.cleaning import CleanSpec
from contracts.errors import BaseModelError
from training.artefact.cleaning import with_cleaning
from training.learning.base_model import BaseModel

NO_CLEANING = CleanSpec()


def write_tokenizer(base: BaseModel, path: Path, *, sample: Sequence[str], clean: CleanSpec = NO_CLEANING) -> Tokenizer:
    """Write the base model's fast tokenizer to `path`, without settings for truncation and padding, and read it back.

    The steps of `clean` become a part of it, so that the service takes the very same ones.
    Raises BaseModelError when there is no fast tokenizer, or when the file alone gives other ids for a text of the
    sample than transformers does.
    """
    try:
        whole = AutoTokenizer.from_pretrained(base.folder, local_files_only=True, trust_remote_code=False)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # tokenizers raises bare Exceptions for a damaged file, and a panic in Rust is not even that.
        raise BaseModelError(
            f"Base model {base.name}: {base.folder} has no tokenizer that transformers can read ({error}). "
            "Put its tokenizer.json beside the weights."
        ) from error
    if not isinstance(whole, PreTrainedTokenizerFast):
        raise BaseModelError(
            f"Base model {base.name} has only a slow tokenizer ({type(whole).__name__}); a release needs a "
            "tokenizer.json. Convert it with `AutoTokenizer.from_pretrained(..., use_fast=True).save_pretrained(...)`."
        )
    expected = whole(list(sample), truncation=False, padding=False, verbose=False)["input_ids"] if sample else []
    backend = Tokenizer.from_str(whole.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    backend.save(str(path))
    alone: Tokenizer = Tokenizer.from_file(str(path))
    for text, ids, encoding in zip(sample, expected, alone.encode_batch(list(sample)), strict=True):
        if encoding.ids != ids:
            raise BaseModelError(
                f"Base model {base.name}: its tokenizer.json alone gives other ids than transformers for "
                f"{text[:60]!r}. The release would not read texts as the model was trained to; use another base model."
            )
    if clean.enabled:
        with_cleaning(alone, clean).save(str(path))
        alone = Tokenizer.from_file(str(path))
    return alone
