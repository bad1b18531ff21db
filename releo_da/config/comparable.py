"""Finished runs as a comparison needs them, and whether they may be compared at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from releo_da.config.finished import (
    Finished,
    another_format,
    finished,
    published,
    sampled_pixels,
)
from releo_da.config.natures import field_size_of
from releo_da.diagnostics.comparison import Estimates
from releo_da.diagnostics.comparison_tables import Rows, rows_by_case
from releo_da.diagnostics.differences import Units, grid_units
from releo_da.io.netcdf import opened
from releo_da.io.products import read_thinned
from releo_da.strict_yaml import parse
from releo_da.types import InputError

EPOCH = np.datetime64("1970-01-01")
DAY_NS = 86_400e9


class Opened(NamedTuple):
    """A run that is compared.

    Attributes:
        run: its texts and scores.
        values: config.yaml.
        rows: rows of scores.json by case and variable.
        analysis: output variables of the scored time, a large map thinned; or None.
        truth: the same of a twin's truth, or None.
        width: columns of the whole grid; 0 of points.
    """

    run: Finished
    values: Mapping[str, Any]
    rows: Mapping[str, Rows]
    analysis: xr.Dataset | None
    truth: xr.Dataset | None
    width: int

    @property
    def estimates(self) -> Estimates | None:
        """Output variables beside the truth, of a twin."""
        if self.analysis is None or self.truth is None:
            return None
        return Estimates(self.analysis, self.truth)


def opened_run(root: Path) -> Opened:
    """Read a run directory.

    Raises:
        InputError: no finished run, a damaged file, or one that was written in another format.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such directory; give the directory of a finished run")
    run = finished(root)
    values = parse(run.config, str(root / "config.yaml"))
    if not isinstance(values, Mapping):
        raise another_format(run, "config.yaml", "sections of a configuration")
    start = scored_from(values)
    width, found = 0, dict.fromkeys(("analysis", "truth"))
    ids = sampled_pixels(run)
    for name in found:
        path = root / f"{name}.nc"
        if not path.is_file():
            continue
        with opened(path) as held:
            if "time" not in held.coords or not (
                {"y", "x"} <= set(held.dims) or "point" in held.dims
            ):
                raise another_format(run, path.name, "time with y and x, or with point")
            width = held.sizes.get("x", 0)
        found[name] = since(read_thinned(path, ids), start)
    analysis = found["analysis"]
    if analysis is None:
        analysis, _ = published(root)
    return Opened(run, values, checked_rows(run), analysis, found["truth"], width)


def checked_rows(run: Finished) -> dict[str, Rows]:
    """Rows of scores.json by case.

    Raises:
        InputError: there are none, as of an embedding, or they are not by variable.
    """
    if "embedding" in run.scores:
        raise InputError(
            f"{run.root}: is an embedding, which is scored against nothing; compare hindcasts or "
            "twins, and read embeddings from their analysis.nc (docs/how-to/embed.md)"
        )
    try:
        rows = rows_by_case(run.scores)
        right = all(
            isinstance(r, Mapping) and "rmse" in r for c in rows.values() for r in c.values()
        )
    except AttributeError:
        right = False
    if not right or not rows:
        raise another_format(run, "scores.json", "scores by case and variable")
    return rows


def scored_from(values: Mapping[str, Any]) -> np.datetime64:
    """The time from which a run is scored: its start and its burn-in."""
    period = values.get("period")
    start = np.datetime64(str(period[0])) if period else EPOCH
    burn_in = float((values.get("score") or {}).get("burn_in", 0.0))
    return start.astype("datetime64[ns]") + np.timedelta64(round(burn_in * DAY_NS), "ns")


def since(found: xr.Dataset, start: np.datetime64) -> xr.Dataset:
    """The part of a data set that is not before a time."""
    return found.isel(time=found.time.values >= start)


def unique_names(roots: Sequence[Path]) -> list[str]:
    """Names of directories, with as many of their parents as make them differ."""
    parts = [root.resolve().parts for root in roots]
    for depth in count(1):
        names = ["/".join(one[-depth:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    raise AssertionError  # paths of different directories differ somewhere


def check_alike(runs: Mapping[str, Opened]) -> None:
    """Whether all runs are of one period, on the same pixels, with a variable in common.

    Raises:
        InputError: naming the first run that does not go with the first.
    """
    (name, first), *others = runs.items()
    for other, one in others:
        pair = f"{one.run.root} and {first.run.root}"
        spans = [" to ".join(span(held)) for held in (one, first)]
        if spans[0] != spans[1]:
            raise InputError(
                f"{pair}: different periods, {spans[0]} and {spans[1]}; compare runs of one period"
            )
        told = [place(held) for held in (one, first)]
        if told[0] and told[1] and told[0] != told[1]:
            raise InputError(
                f"{pair}: different grids or pixels, {told[0][0]} and {told[1][0]}"
                f"{' elsewhere' if told[0][0] == told[1][0] else ''}; compare runs on the same ones"
            )
        held = [{(c, n) for c, rows in run.rows.items() for n in rows} for run in (one, first)]
        if not held[0] & held[1]:
            listed = [", ".join(sorted({f"{n} ({c})" for c, n in h})[:6]) for h in held]
            raise InputError(
                f"{pair}: no variable in common: {other} scores {listed[0]}, {name} {listed[1]}"
            )


def span(one: Opened) -> tuple[str, str]:
    """First and last day of a run, as configured, or of its products where nothing says so."""
    period = one.values.get("period")
    if period:
        return str(period[0]), str(period[-1])
    if one.analysis is None or not one.analysis.sizes["time"]:
        return "no date", "no date"
    days = (one.analysis.time.values[[0, -1]] - EPOCH) / np.timedelta64(1, "D")
    toy = "replicate" in one.analysis.coords
    return tuple(f"{d:g}" if toy else str(EPOCH + int(d)) for d in days)  # type: ignore[return-value]


def place(one: Opened) -> tuple[str, tuple[bytes, ...]] | None:
    """Size and coordinates of the pixels, or None where no file tells them."""
    if one.analysis is None:
        return None
    axes = [a for a in ("y", "x", "point", "lon", "lat") if a in one.analysis.coords]
    sizes = one.analysis.sizes
    kind = f"{sizes['point']} points" if "point" in sizes else f"{sizes['y']} × {sizes['x']} pixels"
    return kind, tuple(np.asarray(one.analysis[a].values).tobytes() for a in axes)


def units_of(one: Opened, ids: np.ndarray) -> Units:
    """What is redrawn of the pixels of verification.nc.

    Args:
        one: the run.
        ids: ``[pixel]``.
    """
    if one.width:
        return grid_units(*np.divmod(ids, one.width), field_width(one))
    if one.analysis is not None and "replicate" in one.analysis.coords:
        at = np.searchsorted(one.analysis.point.values, ids)
        return Units(one.analysis.replicate.values[at], "replicates")
    return Units(np.arange(len(ids)), "points")


def field_width(one: Opened) -> float:
    """Mean width of a field in pixels, of a twin over a land; 0 of others."""
    source = one.values.get("source")
    twin = source.get("twin") if isinstance(source, Mapping) else None
    return field_size_of(twin.get("nature")) if isinstance(twin, Mapping) else 0.0


def place_units(one: Opened) -> Units:
    """What is redrawn of the places of analysis.nc, in its order."""
    assert one.analysis is not None
    if one.width:
        row, column = np.indices((one.analysis.sizes["y"], one.analysis.sizes["x"]))
        return grid_units(row.ravel(), column.ravel(), field_width(one))
    return units_of(one, one.analysis.point.values)
