"""A reference comes back as it was saved, or is refused; nothing in it is ever executed."""

from __future__ import annotations

import io
import pickle
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.reference import Reference, ReferenceUnusableError, load_reference, save_reference


def make(rows: int = 6, hidden: int = 5, dimensions: int = 2, seed: int = 1) -> Reference:
    rng = np.random.default_rng(seed)
    return Reference(
        predicted=rng.integers(0, 3, rows),
        correct=rng.random(rows) < 0.8,
        scores=rng.random(rows, dtype=np.float32),
        lengths=rng.integers(1, 40, rows),
        unknown_shares=rng.random(rows, dtype=np.float32),
        fragmentation=1 + rng.random(rows, dtype=np.float32),
        projections=rng.normal(size=(rows, dimensions)).astype(np.float32),
        projection_mean=rng.normal(size=hidden).astype(np.float32),
        projection_components=rng.normal(size=(hidden, dimensions)).astype(np.float32),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "reference.npz"


@given(st.integers(1, 50), st.integers(1, 20), st.integers(1, 8), st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_comes_back_as_it_was_saved(
    tmp_path_factory: pytest.TempPathFactory, rows: int, hidden: int, dimensions: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("reference") / "reference.npz"
    reference = make(rows, hidden, dimensions, seed)
    save_reference(path, reference)
    loaded = load_reference(path)
    for field in fields(Reference):
        before, after = getattr(reference, field.name), getattr(loaded, field.name)
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)
    assert loaded.rows == rows
    assert loaded.accuracy == pytest.approx(reference.correct.sum() / rows)


def test_a_projection_is_centred_and_rotated() -> None:
    reference = make()
    embeddings = np.random.default_rng(2).normal(size=(4, 5)).astype(np.float32)
    expected = (embeddings.astype(float) - reference.projection_mean) @ reference.projection_components
    np.testing.assert_allclose(reference.project(embeddings), expected, rtol=1e-4, atol=1e-5)
    assert reference.project(embeddings).dtype == np.float32


@pytest.mark.parametrize("field", [field.name for field in fields(Reference)])
class TestFields:
    def test_that_is_missing(self, path: Path, field: str) -> None:
        arrays = {f.name: getattr(make(), f.name) for f in fields(Reference) if f.name != field}
        np.savez(path, **arrays)
        with pytest.raises(ReferenceUnusableError, match=field):
            load_reference(path)

    def test_of_a_wrong_shape(self, path: Path, field: str) -> None:
        value = getattr(make(), field)
        for wrong in (value[:-1], value[..., None], value.reshape(-1)[0], value[:0]):
            save_reference(path, replace(make(), **{field: wrong}))
            with pytest.raises(ReferenceUnusableError, match="shape"):
                load_reference(path)

    def test_of_a_wrong_type(self, path: Path, field: str) -> None:
        value = getattr(make(), field)
        save_reference(path, replace(make(), **{field: value.astype("S4")}))
        with pytest.raises(ReferenceUnusableError, match=f"{field} has type"):
            load_reference(path)

    def test_that_is_pickled_is_refused_and_not_executed(self, path: Path, field: str, tmp_path: Path) -> None:
        value = getattr(make(), field)
        objects = np.empty(value.shape, dtype=object)
        objects[...] = Bomb(tmp_path / "executed")
        save_reference(path, replace(make(), **{field: objects}))
        with pytest.raises(ReferenceUnusableError, match="Object arrays cannot be loaded"):
            load_reference(path)
        assert not (tmp_path / "executed").exists()


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "field", [field.name for field in fields(Reference) if getattr(make(), field.name).dtype.kind == "f"]
)
def test_numbers_that_are_not_finite(path: Path, field: str, value: float) -> None:
    array = getattr(make(), field).copy()
    array.reshape(-1)[-1] = value
    save_reference(path, replace(make(), **{field: array}))
    with pytest.raises(ReferenceUnusableError, match=f"{field} holds values that are not finite"):
        load_reference(path)


def test_no_rows_and_negative_labels(path: Path) -> None:
    save_reference(path, make(rows=0))
    with pytest.raises(ReferenceUnusableError, match="shape"):
        load_reference(path)
    save_reference(path, replace(make(), predicted=np.full(6, -1)))
    with pytest.raises(ReferenceUnusableError, match="negative"):
        load_reference(path)


def test_files_that_are_no_archives(path: Path, tmp_path: Path) -> None:
    bare, stranger, bomb = io.BytesIO(), io.BytesIO(), pickle.dumps(Bomb(tmp_path / "executed"))
    np.save(bare, make().scores)
    with zipfile.ZipFile(stranger, "w") as archive:
        for field in fields(Reference):
            archive.writestr(f"{field.name}.npy", b"no array")
    with pytest.raises(ReferenceUnusableError):
        load_reference(path)
    for content in (b"", b"junk", bare.getvalue(), stranger.getvalue(), bomb):
        path.write_bytes(content)
        with pytest.raises(ReferenceUnusableError, match=r"reference\.npz"):
            load_reference(path)
    assert not (tmp_path / "executed").exists()
    path.unlink()
    path.mkdir()
    with pytest.raises(ReferenceUnusableError):
        load_reference(path)


@given(st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_archive_is_refused_or_holds_the_same_numbers(path: Path, data: st.DataObject) -> None:
    save_reference(path, make())
    content = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content)) | st.just(len(content))) :]
    path.write_bytes(content)
    try:
        loaded = load_reference(path)
    except ReferenceUnusableError:
        return
    for field in fields(Reference):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(make(), field.name))
