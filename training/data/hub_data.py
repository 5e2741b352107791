"""`hf:NAME[:CONFIGURATION][@SPLIT]`: data sets of the Hugging Face hub, by `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasets import ClassLabel
from datasets.exceptions import DatasetsError
from datasets.load import load_dataset
from huggingface_hub.errors import HfHubHTTPError

from contracts.errors import DataError
from training.data.rows import Problems, Record, missing_column

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


def read_hub(
    source: str, split: str | None, text_column: str, label_column: str, problems: Problems
) -> Iterator[Record]:
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
    for column in dict.fromkeys((text_column, label_column)):
        if column not in found:
            problems.add(None, *missing_column(column, found))
    problems.raise_if_any()
    feature = loaded.features[label_column]
    names: list[str] | None = feature.names if isinstance(feature, ClassLabel) else None
    for number, (text, label) in enumerate(zip(loaded[text_column], loaded[label_column], strict=True), start=1):
        yield Record(number, text, _name(label, names))


def _name(label: object, names: list[str] | None) -> object:
    """-1 is how `datasets` writes a label that is not known."""
    if names is None or not isinstance(label, int):
        return label
    return names[label] if 0 <= label < len(names) else None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
