"""Hostile files: what is wrong is named before it reaches a state, or handled and counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

Run = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]
Change = Callable[[xr.Dataset], xr.Dataset]


def values(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def changed(data: xr.Dataset) -> xr.Dataset:
        return data.assign(reflectance=data.reflectance.copy(data=change(data.reflectance.values)))

    return changed


def channel(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def changed(data: xr.Dataset) -> xr.Dataset:
        array = data.reflectance.copy(deep=True)
        array.loc[{"band": name}] = change(array.sel(band=name).values)
        return data.assign(reflectance=array)

    return changed


def date(position: int, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def changed(data: xr.Dataset) -> xr.Dataset:
        array = data.reflectance.copy(deep=True)
        array[{"time": position}] = change(array.isel(time=position).values)
        return data.assign(reflectance=array)

    return changed


def bands(data: xr.Dataset) -> xr.Dataset:
    names = data.band.values.copy()
    names[[1, 2]] = names[[2, 1]]
    return data.assign_coords(band=names)


def angle(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def changed(data: xr.Dataset) -> xr.Dataset:
        return data.assign_coords(sun_zenith=("time", change(data.sun_zenith.values)))

    return changed


REFUSED: dict[str, tuple[Change, list[str]]] = {
    "percent": (values(lambda v: 100 * v), ["look like percent", "'scale': 0.01"]),
    "ten thousandths": (
        values(lambda v: np.round(1e4 * v)),
        ["look like ten thousandths", "'scale': 0.0001"],
    ),
    "scaled twice": (values(lambda v: 1e-4 * v), ["darker than any surface", "'scale': 10000"]),
    "offset not applied": (
        values(lambda v: v + 0.1),
        ["+0.100", "-1000 digital counts", "was not applied", "accept: [offset]"],
    ),
    "offset applied twice": (
        values(lambda v: v - 0.1),
        ["0 or below", "applied twice", "accept: [offset]"],
    ),
    "exchanged channels": (
        bands,
        ["B04 and B08 stand in each other's place", "accept: [exchanged]"],
    ),
    "constant channel": (
        channel("B11", lambda v: np.full_like(v, 0.25)),
        ["B11 is 0.25 at all", "accept: [constant]"],
    ),
    "radians": (angle(np.radians), ["angles.sun_zenith", "look like radians"]),
    "hundredths of degrees": (
        angle(lambda a: 100 * a),
        ["angles.sun_zenith", "hundredths of degrees"],
    ),
    "nothing but cloud": (
        lambda d: d.assign(cloud=d.cloud * 0 + 1),
        ["nothing clear between", "masked"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_surely_wrong_is_refused(case: str, workplace: Workplace, releo: Run) -> None:
    change, words = REFUSED[case]
    config = workplace(change)
    for command in ("hindcast", "inspect"):
        status, _, err = releo(command, config, "--out", command)
        assert status == 2, err
        assert "Traceback" not in err
        for word in words:
            assert word in err
    assert not Path("hindcast/scores.json").exists()
    report = json.loads(Path("inspect/inspection.json").read_text())
    assert [f["treatment"] for f in report["findings"]][0] == "a run ends"


def copied(data: xr.Dataset) -> xr.Dataset:
    return date(9, lambda v: data.reflectance.values[:, 7])(data)


HANDLED: dict[str, tuple[Change, str, str, str]] = {
    "undetected cloud": (date(6, lambda v: v + [0.3, 0.28, 0.2, 0.1]),
                         "undetected cloud", "used as it is", "2020-05-09"),
    "offset of one date": (date(8, lambda v: v + 0.1), "offset of a date", "mended", "2020-05-21"),
    "dates out of order": (lambda d: d.isel(time=[1, 0, *range(2, 14)]),
                           "order of dates", "mended", "1 dates stand after a later one"),
    "a pass twice": (lambda d: d.isel(time=[0, 1, 2, 2, *range(3, 14)]),
                     "duplicates", "left out", "1 products"),
    "a copy under another date": (copied, "repeated", "used as it is", "2020-05-27"),
    "a scale ten times too small": (values(lambda v: 0.1 * v),
                                    "unlike", "used as it is", "ten times too small"),
    "a gap": (lambda d: d.isel(time=[0, 1, 12, 13]), "gap", "used as it is", "66 days"),
    "values that are no number": (values(lambda v: np.where(v > v.max() - 1e-9, np.nan, v)),
                                  "values", "left out", "1 of 224 values are not a number"),
    "elevations": (angle(lambda a: 90 - a), "sun zenith", "used as it is", "elevations"),
}  # fmt: skip


@pytest.mark.parametrize("case", HANDLED)
def test_what_is_handled_is_told(case: str, workplace: Workplace, releo: Run) -> None:
    change, what, treatment, word = HANDLED[case]
    status, out, err = releo("inspect", workplace(change), "--out", "run")
    assert status == 0, err
    report = json.loads(Path("run/inspection.json").read_text())
    found = [f for f in report["findings"] if f["what"] == what]
    assert len(found) == 1, report["findings"]
    assert found[0]["treatment"] == treatment
    assert word in found[0]["message"]
    assert what in out


def test_the_remedy_is_told_with_its_brackets(workplace: Workplace, releo: Run) -> None:
    _, out, _ = releo("inspect", workplace(bands), "--out", "run")
    assert "[exchanged]" in out.replace("\n", "")


def test_a_clean_series_is_told_to_be_clean(workplace: Workplace, releo: Run) -> None:
    status, out, _ = releo("inspect", workplace(), "--out", "run")
    assert status == 0
    report = json.loads(Path("run/inspection.json").read_text())
    # Date 5 is all cloud, and the sun of the file stands still through the season.
    assert {f["what"] for f in report["findings"]} <= {"cloud", "sun zenith"}
    (row,) = report["sources"]
    assert (row["dates"], row["dark"], row["pixels"]) == (14, 1, 4)
    rows = {(r["sensor"], r["channel"]): r for r in report["channels"]}
    assert set(rows) == {(s, c) for s in ("sentinel2a", "sentinel2b")
                         for c in ("B03", "B04", "B08", "B11")}  # fmt: skip
    row = rows["sentinel2a", "B08"]
    assert 0 < row["q01"] < row["median"] < row["q99"] < 0.7
    for angles in report["angles"]:
        assert angles["sun zenith"] == [38.0, 38.0]
    assert Path("run/figures/inspection.png").read_bytes().startswith(b"\x89PNG")
    assert "Channels" in out


def test_a_fault_may_be_accepted(workplace: Workplace, releo: Run) -> None:
    def accept(config: dict[str, Any]) -> None:
        config["source"][0]["accept"] = ["exchanged"]

    status, _, err = releo("inspect", workplace(bands, accept), "--out", "run")
    assert status == 0, err

    def wrong(config: dict[str, Any]) -> None:
        config["source"][0]["accept"] = ["swapped"]

    status, _, err = releo("inspect", workplace(bands, wrong), "--out", "run")
    assert status == 2
    assert "accept" in err
    assert "exchanged" in err


def test_all_that_is_wrong_is_told_at_once(workplace: Workplace, releo: Run) -> None:
    def two_sources(config: dict[str, Any]) -> None:
        (one,) = config["source"]
        config["source"] = [one, {**one, "path": "series.nc", "values": "reflectanse"}]
        config["score"]["in_situ"]["column"] = "LAi"

    status, out, err = releo("inspect", workplace(bands, two_sources), "--out", "run")
    assert status == 2
    report = json.loads(Path("run/inspection.json").read_text())
    ends = [f["message"] for f in report["findings"] if f["treatment"] == "a run ends"]
    assert len(ends) == 3
    for word in ("B04 and B08", "reflectanse", "LAi"):
        assert any(word in message for message in ends)
    assert "and 2 more" in err
    assert "Findings" in out


def test_a_twin_reads_nothing(tmp_path: Path, releo: Run) -> None:
    config = tmp_path / "t.yaml"
    config.write_text("source: {twin: {satellites: []}}\n")
    status, _, err = releo("inspect", config)
    assert status == 2
    assert "a twin makes its acquisitions itself" in err


def test_the_files_of_an_inbox_are_inspected(workplace: Workplace, releo: Run) -> None:
    def cycling(config: dict[str, Any]) -> None:
        config["source"][0].pop("path")
        config["cycle"] = {"inbox": "."}
        for key in ("score", "smooth"):
            config.pop(key)

    config = workplace(configure=cycling)
    Path("inbox").mkdir()
    Path("series.nc").rename("inbox/a.nc")
    config.write_text(config.read_text().replace("inbox: .", "inbox: inbox/*.nc"))
    status, _, err = releo("inspect", config, "--out", "run")
    assert status == 0, err
    assert len(json.loads(Path("run/inspection.json").read_text())["sources"]) == 1
