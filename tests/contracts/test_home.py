"""Where the home is, that no two things in it share a place, and that metric names are Prometheus's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts import metrics
from contracts.errors import DataError, GateRefusedError, PerennialError, SettingsError
from contracts.home import Home


class TestHome:
    def test_the_option_wins_over_the_environment_and_that_over_the_default(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        environment = {"PERENNIAL_HOME": str(tmp_path / "named")}
        assert Home.from_environment(environment, str(tmp_path / "option")).root == tmp_path / "option"
        assert Home.from_environment(environment).root == tmp_path / "named"
        assert Home.from_environment({}).root == tmp_path / "perennial-home"
        assert Home.from_environment({"PERENNIAL_HOME": ""}).root == tmp_path / "perennial-home"
        assert Home.from_environment({"PERENNIAL_HOME": "sub/../here"}).root == tmp_path / "here"
        assert not list(tmp_path.iterdir())

    def test_the_user_s_folder(self) -> None:
        assert Home.from_environment({"PERENNIAL_HOME": "~/perennial"}).root == Path.home().resolve() / "perennial"

    @pytest.mark.parametrize("url", ["s3://bucket/home", "gs://bucket"])
    def test_a_url_is_refused(self, url: str) -> None:
        with pytest.raises(SettingsError, match=f"PERENNIAL_HOME.*{url}"):
            Home.from_environment({"PERENNIAL_HOME": url})

    @pytest.mark.parametrize("path", ["~no-such-user/home", "a\0b", "loop/home", "x" * 5000])
    def test_what_is_no_path_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "loop").symlink_to("loop")
        with pytest.raises(SettingsError, match="the path of a folder"):
            Home.from_environment({"PERENNIAL_HOME": path})

    def test_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(SettingsError, match="a folder, not a file"):
            Home.from_environment({}, str(tmp_path / "file"))

    def test_all_places_differ_and_lie_inside(self, home: Home) -> None:
        places = [
            *(home.releases(task) for task in ("a", "b")),
            home.release("a", "0001"),
            home.rollout("a"),
            home.dataset("a", "0" * 64),
            home.predictions("a"),
            home.feedback("a"),
            home.monitoring("a"),
            home.requests("a"),
            home.controller(),
            home.service(),
        ]
        assert len(set(places)) == len(places)
        assert all(home.root in place.parents for place in places)

    def test_tasks_are_those_with_a_releases_folder(self, home: Home) -> None:
        assert home.tasks() == []
        for task in ("support", "banking77", ".hidden"):
            home.releases(task).mkdir(parents=True)
        (home.root / "releases" / "note.txt").touch()
        assert home.tasks() == ["banking77", "support"]


class TestMetrics:
    def test_names_are_unique_prefixed_and_well_formed(self) -> None:
        assert len(set(metrics.ALL)) == len(metrics.ALL) > 20
        for name in metrics.ALL:
            # Prometheus adds _total, _count, _sum, _bucket and _created to them itself.
            assert re.fullmatch(r"perennial_[a-z]+(_[a-z]+)*", name)
            assert not re.search(r"_(total|count|sum|bucket|created|info_info)$", name)

    def test_all_is_all(self) -> None:
        source = Path(metrics.__file__).read_text()
        assert sorted(re.findall(r'^[A-Z_]+ = "([^"]+)"', source, re.MULTILINE)) == sorted(metrics.ALL)


class TestErrors:
    def test_every_error_for_the_user_has_one_root(self) -> None:
        from contracts import errors

        classes = [value for value in vars(errors).values() if isinstance(value, type)]
        found = [value for value in classes if issubclass(value, Exception)]
        assert len(found) > 8
        assert all(issubclass(value, PerennialError) for value in found)

    def test_a_data_error_says_where(self) -> None:
        assert str(DataError("a.csv", 7, "is odd.", "Mend it.")) == "a.csv, line 7: is odd. Mend it."
        assert str(DataError("a.csv", None, "is odd.", "Mend it.")) == "a.csv: is odd. Mend it."

    def test_a_refused_gate_says_why_and_what_to_do(self) -> None:
        told = str(GateRefusedError("support", ["accuracy 0.80, expected at least 0.90"]))
        assert "no release was published: accuracy 0.80, expected at least 0.90" in told
        assert "[gate]" in told
