"""Which tokens of a text are hidden, for a network to guess them.

As by Devlin et al. 2018, arXiv 1810.04805, section 3.1: of those chosen 80 % become the mask, 10 % another token, 10 %
stay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from contracts.errors import TrainingError
from training.learning.base_model import BaseModel
from training.learning.objective import IGNORED, pad, pad_batch

_MASKS = ("[MASK]", "<mask>")


class Masks:
    """Which tokens are to be guessed: decided by seed and step alone.

    Raises TrainingError for a tokenizer without a mask token.
    """

    def __init__(self, base: BaseModel, tokenizer: Tokenizer, share: float, seed: int) -> None:
        found = next((number for name in _MASKS if (number := tokenizer.token_to_id(name)) is not None), None)
        if found is None:
            raise TrainingError(
                f"Base model {base.name}: its tokenizer has no mask token ({' or '.join(_MASKS)}), so it cannot be "
                "adapted. Remove [adapt], or choose another base model."
            )
        self._mask = int(found)
        self._words = int(tokenizer.get_vocab_size(with_added_tokens=False))
        added = tokenizer.get_added_tokens_decoder()
        self._special = np.array([number for number, token in added.items() if token.special], dtype=np.int64)
        self._share = share
        self._seed = seed

    def has_any(self, row: Sequence[int]) -> bool:
        """Whether a text has a token that can be guessed."""
        return not np.isin(row, self._special).all()

    def batch(self, rows: Sequence[Sequence[int]], step: Sequence[int]) -> tuple[dict[str, Tensor], Tensor]:
        """The masked inputs, and the true ids where a token is to be guessed (at least one), -100 elsewhere."""
        rng = np.random.default_rng((self._seed, *step))
        ids = pad(rows).numpy()
        real = pad([[1] * len(row) for row in rows]).numpy().astype(bool) & ~np.isin(ids, self._special)
        chosen = real & (rng.random(ids.shape) < self._share)
        if not chosen.any() and real.any():
            chosen.flat[rng.choice(np.flatnonzero(real))] = True
        labels = np.where(chosen, ids, IGNORED)
        fate = rng.random(ids.shape)
        other = rng.integers(0, self._words, ids.shape)
        masked = np.where(chosen & (fate < 0.8), self._mask, np.where(chosen & (fate >= 0.9), other, ids))
        inputs = {**pad_batch(rows), "input_ids": torch.from_numpy(masked)}
        return inputs, torch.from_numpy(labels)
