"""Hindcast: archived acquisitions, filter and smoother, scores against what was withheld.

The loop runs block by block (256 pixels), so memory does not grow with the map. Outputs are joined
along the pixel axis: records of every comparison, output variables at the requested dates, the rows
of field measurements, the last state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.cycling.draws import BLOCK
from releo_da.diagnostics.baselines import withheld as withheld_dates
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import Record, verification
from releo_da.io.in_situ import InSitu
from releo_da.io.products import Product
from releo_da.io.series import Series
from releo_da.runs.block import Block, BlockResult, Task, Tick
from releo_da.runs.compare import QUANTILES, quantiles
from releo_da.runs.field import FieldRows, nearest_index, usable
from releo_da.runs.model import Model, on
from releo_da.types import Acquisition, State


class Withhold(NamedTuple):
    """Withhold the clear dates of each pixel whose number is ``offset`` modulo ``every``."""

    every: int = 3
    offset: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a hindcast leaves behind.

    Attributes:
        verification: every comparison with an observation (`releo_da.diagnostics.verification`).
        products: output variables at the product dates, ready for `releo_da.io.products`.
        product_times: ``[time]`` days.
        filtered: the same variables before smoothing.
        field: field measurements and their estimates, per variable.
        state: the last analysis of all pixels.
        withheld: ``[pixel, acquisition]`` bool, or None.
        diverged: number of pixels whose ensemble stopped being finite.
    """

    verification: xr.Dataset
    products: dict[str, Product]
    filtered: dict[str, Product]
    product_times: Array
    field: list[FieldRows]
    state: State
    withheld: Array | None
    diverged: int


def clear(acquisitions: Sequence[Acquisition]) -> Array:
    """Dates on which a pixel was seen, ``[pixel, acquisition]`` bool."""
    return torch.stack([a.seen.any(-1) for a in acquisitions], 1).cpu().numpy()


def blocks(pixels: Tensor) -> Iterator[Tensor]:
    """Rows of the pixel axis by block of randomness, ``[row]`` each."""
    block = pixels // BLOCK
    for number in torch.unique(block):
        yield (block == number).nonzero()[:, 0]


def turns(series: Series, task: Task, withhold: bool) -> int:
    """How often ``tick`` will be called: the length of a progress bar."""
    pixels = torch.as_tensor(series.pixels["id"].values)
    passes = 1 + len(task.horizons) + 2 * withhold
    return len(torch.unique(pixels // BLOCK)) * len(series.acquisitions) * passes


def hindcast(
    model: Model,
    series: Series,
    task: Task,
    product_times: Sequence[float] = (),
    field: Sequence[InSitu] = (),
    withhold: Withhold | None = None,
    device: torch.device = torch.device("cpu"),
    tick: Tick = lambda label: None,
) -> Outcome:
    """Run filter and smoother over a series and compare with everything observed.

    Args:
        model: the joined system.
        series: acquisitions and pixels, instrument errors only.
        task: members, seed, horizons.
        product_times: times of the output variables (days).
        field: tables of field measurements.
        withhold: the rule of withheld dates; None withholds nothing.
        device: where tensors live while the loop runs.
        tick: called after each acquisition of each pass.
    """
    acquisitions = series.acquisitions
    pixels = torch.as_tensor(series.pixels["id"].values)
    seen, times = clear(acquisitions), np.array([a.time for a in acquisitions])
    hidden = None if withhold is None else withheld_dates(seen, *withhold)
    asked = sorted({*product_times, *(float(t) for table in field for t in table.time)})
    task = replace(task, asked=tuple(asked))
    results: list[tuple[Tensor, BlockResult]] = []
    with torch.no_grad():
        for rows in blocks(pixels):
            part = [on(a, device, rows) for a in acquisitions]
            block = Block(model, part, pixels[rows], task, tick)
            result = block.everything()
            if hidden is not None:
                mask = torch.as_tensor(hidden[rows.numpy()].T, device=device)
                result.records += block.withholding(mask)
            results.append((rows, _reduced(result, rows, asked, product_times, field)))
    order = torch.cat([rows for rows, _ in results])
    place = torch.argsort(order).numpy()
    records = _joined_records([r.records for _, r in results], place)
    sensors = [a.sensor for a in acquisitions]
    ids = series.pixels["id"].values
    index = _ndvi(acquisitions, records)
    return Outcome(
        verification(times, sensors, ids, records, task.members),
        _products([r.smoothed or r.analysis for _, r in results], place, model.described),
        _products([r.analysis for _, r in results], place, model.described),
        np.array(sorted(set(product_times))),
        [_field_rows(t, k, results, ids, times, seen, index) for k, t in enumerate(field)],
        _joined_state([r.state for _, r in results], place),
        hidden,
        sum(r.diverged for _, r in results),
    )


def _reduced(
    result: BlockResult,
    rows: Tensor,
    asked: Sequence[float],
    product_times: Sequence[float],
    field: Sequence[InSitu],
) -> BlockResult:
    """A block's result with members kept at field measurements only, statistics elsewhere."""
    place = {t: k for k, t in enumerate(asked)}
    wanted = [place[t] for t in sorted(set(product_times))]
    row_of = {int(row): k for k, row in enumerate(rows)}
    for case in ("analysis", "smoothed"):
        members: dict[str, np.ndarray] = getattr(result, case)
        kept: dict[str, np.ndarray] = {}
        for k, table in enumerate(field):
            here = [n for n, p in enumerate(table.pixel_index) if int(p) in row_of]
            if table.variable in members and here:
                found = [
                    members[table.variable][
                        place[float(table.time[n])], row_of[int(table.pixel_index[n])]
                    ]
                    for n in here
                ]
                kept[f"field {k}"] = np.stack(found)
                kept[f"rows {k}"] = np.array(here)
        for name, values in members.items():
            kept[name] = _statistics(values[wanted])
        setattr(result, case, kept if members else {})
    return result


def _statistics(members: np.ndarray) -> np.ndarray:
    """Mean, spread and quantiles over members, ``[statistic, time, pixel]``."""
    if not members.size:
        return np.empty((2 + len(QUANTILES), *members.shape[:2]), np.float32)
    stacked = []
    for one in torch.from_numpy(members):
        ordered = one.sort(1).values
        stacked.append(torch.stack([one.mean(1), one.std(1), *quantiles(ordered)]))
    return torch.stack(stacked, 1).numpy()


def _joined_records(parts: list[list[Record]], place: Array) -> list[Record]:
    """Records of all blocks along the pixel axis; every block has the same cases and dates."""
    found: dict[tuple[str, int], list[Record | int]] = {}
    joined = []
    keys = list(dict.fromkeys((r.case, r.date) for part in parts for r in part))
    lookup = [{(r.case, r.date): r for r in part} for part in parts]
    sizes = [part[0].numbers.shape[0] for part in parts]
    del found
    for case, date in keys:
        held = [table.get((case, date)) for table in lookup]
        model = next(r for r in held if r is not None)
        numbers = [
            np.full((size, *model.numbers.shape[1:]), np.nan, np.float32)
            if r is None
            else r.numbers
            for r, size in zip(held, sizes, strict=True)
        ]
        rejected = None
        if model.rejected is not None:
            rejected = np.concatenate(
                [r.rejected for r in held if r is not None and r.rejected is not None]
            )[place]
        joined.append(Record(case, date, model.channels, np.concatenate(numbers)[place], rejected))
    return joined


def _products(
    parts: list[dict[str, np.ndarray]], place: Array, described: Mapping[str, tuple[str, str]]
) -> dict[str, Product]:
    names = [n for n in parts[0] if not n.startswith(("field ", "rows "))]
    found = {}
    for name in names:
        values = np.concatenate([part[name] for part in parts], -1)[..., place]
        unit, long_name = described[name]
        levels = dict(zip(QUANTILES, values[2:], strict=True))
        found[name] = Product(values[0], unit, long_name, values[1], levels)
    return found


def _joined_state(parts: list[State], place: Array) -> State:
    order = torch.as_tensor(place)
    ensemble = torch.cat([s.ensemble.cpu() for s in parts])[order]
    pixels = torch.cat([s.pixels.cpu() for s in parts])[order]
    memory = {
        key: torch.cat([s.memory[key].cpu() for s in parts])[order] for key in parts[0].memory
    }
    return State(parts[0].time, ensemble, pixels, memory)


def _ndvi(acquisitions: Sequence[Acquisition], records: list[Record]) -> Array:
    """Observed NDVI, ``[pixel, acquisition]``, from the background records."""
    found = np.full((len(acquisitions[0].values), len(acquisitions)), np.nan)
    for record in records:
        if record.case == "background":
            found[:, record.date] = record.numbers[:, -1, 0]
    return found


def _field_rows(
    table: InSitu,
    number: int,
    results: list[tuple[Tensor, BlockResult]],
    ids: Array,
    times: Array,
    seen: Array,
    index: Array,
) -> FieldRows:
    counted = usable(table, times, seen)
    estimates = {}
    for case in ("analysis", "smoothed"):
        parts = [getattr(r, case) for _, r in results]
        parts = [p for p in parts if f"rows {number}" in p]
        if not parts:
            continue
        rows = np.concatenate([p[f"rows {number}"] for p in parts])
        members = np.concatenate([p[f"field {number}"] for p in parts])
        estimates[case] = members[np.argsort(rows)][counted]
    stage = np.full(len(table.value), np.nan) if table.stage is None else table.stage
    return FieldRows(
        table.variable,
        table.row[counted],
        ids[table.pixel_index][counted],
        table.time[counted],
        table.value[counted],
        stage[counted],
        nearest_index(table, times, seen, index)[counted],
        estimates,
    )
