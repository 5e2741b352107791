"""Tagged texts through a network: word pieces in, tags on words out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from contracts.entities import OUTSIDE, Entities, Word, read_entities, words_of
from contracts.reference import Floats
from contracts.truncation import cut
from training.artefact.onnx_artefact import Artefact, Tokenized, tokenize
from training.data.bio import Span, tags_of
from training.data.tagged import TaggedRow
from training.learning.classifier import torch_outputs
from training.learning.network import Network
from training.learning.objective import IGNORED


@dataclass(frozen=True)
class Pieces:
    """n texts as the model reads them, and where each word's first piece is."""

    tokenized: Tokenized
    words: list[tuple[Word, ...]]


@dataclass(frozen=True)
class TaggedOutputs:
    """What a network says of n texts, in their order."""

    pieces: Pieces
    logits: list[Floats]  # n times [tokens, tags]
    embeddings: Floats  # [n, hidden]

    def read(self, tags: Sequence[str], temperature: float = 1.0) -> list[Entities]:
        """The entities of each text."""
        pairs = zip(self.logits, self.pieces.words, strict=True)
        return [read_entities(logits, words, tags, temperature) for logits, words in pairs]


def read_pieces(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> Pieces:
    """Token ids, cut to `max_tokens`, and the words that have a piece before the cut."""
    found = zip(texts, tokenizer.encode_batch(list(texts)), strict=True)
    words = [words_of(text, cut(one.offsets, one, max_tokens)) for text, one in found]
    return Pieces(tokenize(tokenizer, texts, max_tokens), words)


def piece_labels(row: TaggedRow, words: Sequence[Word], tokens: int, tags: Sequence[str]) -> list[int]:
    """For each of `tokens` pieces the index of its word's tag, on the word's first piece; -100 on all others."""
    labels = [IGNORED] * tokens
    index = {tag: number for number, tag in enumerate(tags)}
    for word, tag in zip(words, _word_tags(row.spans, words), strict=True):
        labels[word.piece] = index[tag]
    return labels


def _word_tags(spans: Sequence[Span], words: Sequence[Word]) -> list[str]:
    """BIO2 tags of words; a word belongs to the entity that it shares a character with."""
    found = []
    at = 0
    opened = -1
    for word in words:
        while at < len(spans) and spans[at].end <= word.start:
            at += 1
        if at < len(spans) and spans[at].start < word.end:
            found.append(f"{'I' if opened == at else 'B'}-{spans[at].label}")
            opened = at
        else:
            found.append(OUTSIDE)
    return found


def predicted_tags(found: Entities, row: TaggedRow) -> list[str]:
    """The entities as BIO2 tags of the row's own tokens, as it is judged by."""
    return list(tags_of([Span(one.start, one.end, one.label) for one in found.found], row.offsets))


def run_artefact(
    artefact: Artefact, texts: Sequence[str], *, advance: Callable[[int], None] | None = None
) -> TaggedOutputs:
    """By the artefact as deployed."""
    pieces = read_pieces(artefact.tokenizer, texts, artefact.max_tokens)
    found = artefact.run_tokens(texts, advance=advance)
    return TaggedOutputs(pieces, found.logits, found.embeddings)


def run_network(model: Network, outputs: TaggedOutputs, *, advance: Callable[[int], None]) -> TaggedOutputs:
    """The same texts by the network itself, in fp32."""
    logits = torch_outputs(model, outputs.pieces.tokenized.ids, "logits", advance=advance)
    return TaggedOutputs(outputs.pieces, logits, outputs.embeddings)
