"""Paths inside the options of a source may not lead out of the folders of a configuration."""

from pathlib import Path
from typing import Any

import pytest

from releo_da.config.document import load
from releo_da.config.nested_paths import with_files
from releo_da.config.sources import resolved_sources
from releo_da.types import InputError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("runs", "data/deep", "data/cwd", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("data/deep/x.nc", "data/deep/views.csv", "elsewhere/views.csv"):
        (tmp_path / name).touch()
    monkeypatch.setenv("RELEO_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "data" / "cwd")
    return tmp_path


def source(place: Path, **options: Any) -> dict[str, Any]:
    (place / "runs" / "c.yaml").write_text("seed: 1\n")
    document = load(place / "runs" / "c.yaml")
    document.values["source"] = {"path": "deep/x.nc", "reader": "cube", **options}
    return resolved_sources(document)[0]


def views(table: str) -> dict[str, Any]:
    return {"view_zenith": {"table": table, "by": ["orbit"], "column": "z"}, "sun_zenith": "sza"}


@pytest.mark.parametrize("table", ["deep/views.csv", "views.csv", "../deep/views.csv"])
def test_tables_of_angles_lie_in_the_folders_or_beside_the_data(place: Path, table: str) -> None:
    found = source(place, angles=views(table))["angles"]
    assert found["view_zenith"]["table"] == str(place / "data" / "deep" / "views.csv")
    assert found["sun_zenith"] == "sza"


@pytest.mark.parametrize("table", ["/etc/passwd", "../../elsewhere/views.csv", "absent.csv"])
def test_other_files_are_not_opened(place: Path, table: str) -> None:
    said = "no file 'absent.csv'" if table == "absent.csv" else "leads outside the folders"
    for options in (
        {"angles": views(table)},
        {"mask": {"path": table, "variable": "class", "values": [1]}},
    ):
        with pytest.raises(InputError, match=said):
            source(place, **options)


def test_an_inbox_is_beside_its_files(place: Path) -> None:
    (place / "runs" / "c.yaml").write_text("seed: 1\n")
    document, inbox = load(place / "runs" / "c.yaml"), place / "data" / "deep"
    found = with_files(document, {"mask": {"path": "views.csv"}}, inbox)
    assert found["mask"]["path"] == str(inbox / "views.csv")
