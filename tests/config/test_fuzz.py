"""Whatever a configuration or a file holds: done, or one message; never a traceback, never NaN.

Configurations are changed at random places (a key removed, misspelt, given another type), series at
random values, files at random bytes. All are inspected, the series are run too. `-m slow` tries
many more.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import configuration, field_table

Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.painted

ODD: list[Any] = [
    None, True, -1, 0, 1.5, 1e30, float("nan"), "", "x", "1e-3", "../..", "/", [], [1], [None], {},
    {"x": 1}, ["a", "b"], [[]], "2020-13-01", ["2020-01-01"], 10**30, "ä\u0000", {"name": "etkf"},
]  # fmt: skip
"""Values that stand where they should not."""


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Every key and position of a configuration, as paths."""
    inner: list[tuple] = []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, part in items:
        inner += [(*path, key), *places(part, (*path, key))]
    return inner


def small() -> dict[str, Any]:
    values = configuration()
    values |= {"members": 8, "state": {"name": "prosail"}}
    values["score"] |= {"horizons": [6]}
    return values


PLACES = places(small())


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """The usual configuration with one to three places changed."""
    values = copy.deepcopy(small())
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES))
        holder: Any = values
        try:
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
        what = draw(st.sampled_from(["odd", "remove", "misspell"]))
        if what == "odd" or isinstance(holder, list):
            holder[path[-1]] = draw(st.sampled_from(ODD))
        elif what == "remove":
            del holder[path[-1]]
        else:
            holder[str(path[-1]) + "x"] = holder.pop(path[-1])
    return values


@st.composite
def series_changes(draw: st.DrawFn) -> Callable[[xr.Dataset], xr.Dataset]:
    """Values of the file replaced by numbers that should not be there."""
    seed = draw(st.integers(0, 2**32 - 1))
    share = draw(st.sampled_from([0.01, 0.3, 1.0]))
    numbers = [np.nan, np.inf, -np.inf, 0.0, -9999.0, 65535.0, 1e300, 1e-300, 1.0]
    number = draw(st.sampled_from(numbers))
    name = draw(
        st.sampled_from(["reflectance", "cloud", "sun_zenith", "x", "y", "platform", "time"])
    )

    def changed(data: xr.Dataset) -> xr.Dataset:
        rng = np.random.default_rng(seed)
        array = data[name].copy(deep=True)
        hit = rng.random(array.shape) < share
        kind = array.dtype.kind
        if kind == "M":
            array = array.copy(data=np.where(hit, np.datetime64("NaT"), array.values))
        elif kind == "f":
            array = array.copy(data=np.where(hit, number, array.values))
        elif kind in "iu":
            array = array.copy(data=np.where(hit, 77, array.values).astype(array.dtype))
        else:
            array = array.copy(data=np.where(hit, "S9", array.values))
        return (
            data.assign({name: array})
            if name in data.data_vars
            else data.assign_coords({name: array})
        )

    return changed


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A file cut, filled with zeros, or with some bits turned."""
    part, seed = draw(st.floats(0, 1)), draw(st.integers(0, 2**32 - 1))
    what = draw(st.sampled_from(["cut", "zeros", "bits", "text"]))

    def damaged(content: bytes) -> bytes:
        if what == "cut":
            return content[: int(part * len(content))]
        if what == "text":
            return b"point,time\n" * 3
        found = bytearray(content)
        rng = np.random.default_rng(seed)
        if what == "zeros":
            start = int(part * len(found))
            found[start : start + 512] = bytes(len(found[start : start + 512]))
        else:
            for place in rng.integers(0, len(found), 8):
                found[place] ^= 1 << int(rng.integers(8))
        return bytes(found)

    return damaged


def judged(releo: Run, command: str, config: Path, out: Path) -> int:
    """One command: it is done with finite products, or ends with status 2 and one message."""
    status, _, err = releo(command, config, "--out", str(out), "--quiet")
    assert status in (0, 2), err
    if status == 2:
        assert err.startswith("releo-da: "), err
        assert "Traceback" not in err
        return status
    if command == "hindcast":
        with xr.open_dataset(out / "analysis.nc") as found:
            for name in found.data_vars:
                if found[name].dtype.kind == "f":
                    assert np.isfinite(found[name].values).all(), name
    return status


CALM = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY = settings(CALM, max_examples=1500)


def prepare(tmp_path: Path, series: xr.Dataset, values: dict[str, Any]) -> Path:
    file = tmp_path / "series.nc"
    file.unlink(missing_ok=True)  # of a damaged file HDF5 may hold what it opened
    series.to_netcdf(file)
    (tmp_path / "field.csv").write_text(field_table())
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "c.yaml"


def check_configurations(
    values: dict[str, Any], series: xr.Dataset, tmp_path: Path, releo: Run
) -> None:
    judged(releo, "inspect", prepare(tmp_path, series, values), tmp_path / "run")


def check_series(
    change: Callable[[xr.Dataset], xr.Dataset], series: xr.Dataset, tmp_path: Path, releo: Run
) -> None:
    config = prepare(tmp_path, change(series), small())
    before = judged(releo, "inspect", config, tmp_path / "run")
    assert judged(releo, "hindcast", config, tmp_path / "run") == before


def check_files(
    damage: Callable[[bytes], bytes], series: xr.Dataset, tmp_path: Path, releo: Run
) -> None:
    config = prepare(tmp_path, series, small())
    for name in ("series.nc", "field.csv", "c.yaml"):
        path = tmp_path / name
        content = path.read_bytes()
        path.write_bytes(damage(content))
        judged(releo, "inspect", config, tmp_path / "run")
        path.write_bytes(content)


@CALM
@given(values=configurations())
def test_any_configuration(
    values: dict[str, Any], series: xr.Dataset, tmp_path: Path, releo: Run
) -> None:
    check_configurations(values, series, tmp_path, releo)


@settings(CALM, max_examples=3)
@given(change=series_changes())
def test_any_series(
    change: Callable[[xr.Dataset], xr.Dataset], series: xr.Dataset, tmp_path: Path, releo: Run
) -> None:
    check_series(change, series, tmp_path, releo)


@settings(CALM, max_examples=10)
@given(damage=damages())
def test_any_damage(
    damage: Callable[[bytes], bytes], series: xr.Dataset, tmp_path: Path, releo: Run
) -> None:
    check_files(damage, series, tmp_path, releo)


@pytest.mark.slow
@MANY
@given(values=configurations(), change=series_changes(), damage=damages())
def test_many(
    values: dict[str, Any],
    change: Callable[[xr.Dataset], xr.Dataset],
    damage: Callable[[bytes], bytes],
    series: xr.Dataset,
    tmp_path: Path,
    releo: Run,
) -> None:
    check_configurations(values, series, tmp_path, releo)
    check_series(change, series, tmp_path, releo)
    check_files(damage, series, tmp_path, releo)
