"""`hf:NAME[:CONFIGURATION][@SPLIT]`: data sets of the Hugging Face hub, by `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasets import ClassLabel
from datasets import List as ListFeature
from datasets.exceptions import DatasetsError
from datasets.load import load_dataset
from huggingface_hub.errors import HfHubHTTPError

from contracts.errors import DataError
from training.data.columns import Columns
from training.data.rows import Problems, Record

PREFIX = "hf:"
DEFAULT_SPLIT = "train"


@dataclass(frozen=True)
class HubName:
    """What `hf:NAME[:CONFIGURATION][@SPLIT]` names."""

    name: str
    configuration: str | None
    split: str


def parse_hub_name(source: str, split: str | None) -> HubName:
    """Take a source apart; `split` wins over the one in the name, and `train` is read when neither is given."""
    name, _, named_split = source.removeprefix(PREFIX).partition("@")
    name, _, configuration = name.partition(":")
    if not name:
        raise DataError(source, None, "expected hf:NAME.", "Name a data set, such as hf:banking77@train.")
    return HubName(name, configuration or None, split or named_split or DEFAULT_SPLIT)


def read_hub(source: str, split: str | None, columns: Columns, problems: Problems) -> Iterator[Record]:
    """Records of one split; a class label that is stored as a number comes back as its name."""
    wanted = parse_hub_name(source, split)
    try:
        loaded = load_dataset(wanted.name, wanted.configuration, split=wanted.split)
    except ConnectionError as error:
        raise DataError(
            source,
            None,
            f"the hub cannot be reached, and no copy of the data set is in the local cache ({_first_line(error)}).",
            "Connect to the network, or download the data elsewhere and name the file in [data].",
        ) from error
    except (DatasetsError, HfHubHTTPError, OSError, ValueError) as error:
        raise DataError(
            source,
            None,
            f"cannot be loaded as data set {wanted.name!r}, split {wanted.split!r}: {_first_line(error)}.",
            "Check the name, the configuration and the split: hf:NAME:CONFIGURATION@SPLIT.",
        ) from error
    found = list(loaded.column_names)
    chosen = columns.chosen(found)
    if chosen is None:
        columns.note_missing(None, found, problems)
        raise problems.error()
    names = {column: _names(loaded.features[column]) for column in chosen}
    for number, values in enumerate(zip(*(loaded[column] for column in chosen), strict=True), start=1):
        named = {column: _name(value, names[column]) for column, value in zip(chosen, values, strict=True)}
        yield Record(number, named)


def _names(feature: object) -> list[str] | None:
    """The names of a column of class labels, or of lists of them."""
    if isinstance(feature, ListFeature):
        feature = feature.feature
    if not isinstance(feature, ClassLabel):
        return None
    names: list[str] = feature.names
    return names


def _name(label: object, names: list[str] | None) -> object:
    """-1 is how `datasets` writes a label that is not known."""
    if names is not None and isinstance(label, list):
        return [_name(one, names) for one in label]
    if names is None or not isinstance(label, int):
        return label
    return names[label] if 0 <= label < len(names) else None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
