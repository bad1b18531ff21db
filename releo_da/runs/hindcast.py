"""Hindcast: archived acquisitions, analysed and smoothed, scored against what was withheld.

The loop runs block by block (256 pixels; several blocks at once where a mask leaves few of each),
so memory does not grow with the map. Outputs are joined along the pixel axis: records of every
comparison, output variables at the requested dates, rows of field measurements, the last state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as field_

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.cycling.draws import pieces
from releo_da.diagnostics.leads import Leads, Pairs, leads_dataset, of_pixels, pairs_of
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import FIELDS, verification
from releo_da.io.in_situ import InSitu
from releo_da.io.products import Product
from releo_da.io.series import Series
from releo_da.runs.baselines import tables
from releo_da.runs.block import Block, BlockResult, Task, Tick
from releo_da.runs.field import FieldRows, counted, nearest_index
from releo_da.runs.joined import (
    field_rows,
    joined_records,
    joined_state,
    layers,
    ndvi,
    products,
    statistics,
)
from releo_da.runs.judged import Judged, joined_judged
from releo_da.runs.located import located
from releo_da.runs.model import Model, on
from releo_da.runs.seasons import kept, of_members
from releo_da.runs.withhold import Held, HidesFromRun, Rule, WithholdSensor, clear
from releo_da.state.bias import bias_rows
from releo_da.types import Acquisition, InputError, State


@dataclass(frozen=True)
class Outcome:
    """What a hindcast leaves behind.

    Attributes:
        verification: every comparison with an observation (`releo_da.diagnostics.verification`).
        products: output variables at the product dates, ready for `releo_da.io.products`.
        product_times: ``[time]`` days.
        analysed: the same variables before smoothing.
        estimate: what `products` holds, "smoothed", or "analysis" without a smoother.
        field: field measurements and their estimates, per variable.
        state: the last analysis of all pixels.
        withheld: what was withheld, by case.
        diverged: number of pixels whose ensemble stopped being finite.
        refused: number of values that screening refused, by reason.
        judged: what each analysis said of its innovations, in time order.
        leads: forecasts by bins of lead (`releo_da.diagnostics.leads`), or None.
        biases: what the last analysis says of the biases of sensors, where they are estimated.
        seasons: what is kept of the dates of seasons, ``{name: [number, year, pixel]}``.
        silent: what a network that stands beside field measurements does not read, and why.
    """

    verification: xr.Dataset
    products: dict[str, Product]
    analysed: dict[str, Product]
    estimate: str
    product_times: Array
    field: list[FieldRows]
    state: State
    withheld: dict[str, Held]
    diverged: int
    refused: dict[str, int]
    judged: list[Judged]
    biases: dict[str, dict[str, dict[str, float]]]
    leads: Leads | None = None
    seasons: Mapping[str, Array] = field_(default_factory=dict)
    silent: Sequence[str] = ()


def blocks(pixels: Tensor) -> Iterator[Tensor]:
    """Rows of the pixel axis that are worked on together (`pieces`), ``[row]`` each."""
    ends = pieces(pixels)
    piece = torch.bucketize(pixels, ends, right=True)
    for number in range(len(ends)):
        yield (piece == number).nonzero()[:, 0]


def turns(series: Series, task: Task, withhold: Rule | None) -> int:
    """How often ``tick`` will be called: the length of a progress bar.

    Args:
        series: acquisitions and pixels; of the pixels the ids are used.
        task: what is asked.
        withhold: the rule of what is withheld.
    """
    pixels = torch.as_tensor(series.pixels["id"].values)
    passes = (
        1 + len(task.horizons) + bool(task.bins) + 2 * (0 if withhold is None else withhold.passes)
    )
    return len(pieces(pixels)) * len(series.acquisitions) * passes


def hindcast(
    model: Model,
    series: Series,
    task: Task,
    product_times: Sequence[float] = (),
    field: Sequence[InSitu] = (),
    withhold: Rule | None = None,
    device: torch.device | str = "cpu",
    tick: Tick = lambda label: None,
) -> Outcome:
    """Analyse and smooth a series and compare with everything observed.

    Args:
        model: the joined system.
        series: acquisitions and pixels, instrument errors only.
        task: members, seed, horizons.
        product_times: times of the output variables (days).
        field: tables of field measurements.
        withhold: the rule of what is withheld; None withholds nothing.
        device: where tensors live while the loop runs.
        tick: called after each acquisition of each pass.

    Raises:
        InputError: the model needs the places of pixels and nothing gives them.
    """
    model = located(model, series.pixels)
    acquisitions = series.acquisitions
    seen, times = clear(acquisitions), np.array([a.time for a in acquisitions])
    held = {} if withhold is None else withhold.held(acquisitions, series.channels)
    field = [counted(table, times, seen) for table in field]
    asked = sorted({*product_times, *(float(t) for table in field for t in table.time)})
    task = prepared(task, times[0], asked)
    pairs = pairs_to_forecast(series, task, withhold, held)
    results = list(
        block_results(
            model, series, task, product_times, field, withhold, held, device, tick, pairs
        )
    )
    outcome = _joined(results, series, task, product_times, field, held, model)
    if pairs is None:
        return outcome
    leads = np.empty((len(pairs.pixel), len(FIELDS)), np.float32)
    for rows, result in results:
        leads[of_pixels(pairs, rows.numpy())[1]] = result.leads
    ids = series.pixels["id"].values
    told = leads_dataset(pairs, leads, times, ids, task.bins)
    return replace(outcome, leads=Leads(pairs, task.bins, told))


def prepared(task: Task, first: float, asked: Sequence[float]) -> Task:
    """The task with the dates that are asked for, from the earliest of everything onwards."""
    start = min(task.start, first, *asked[:1])
    return replace(task, asked=tuple(asked), start=float(start))


def block_results(
    model: Model,
    series: Series,
    task: Task,
    product_times: Sequence[float],
    field: Sequence[InSitu],
    withhold: Rule | None,
    held: Mapping[str, Held],
    device: torch.device | str = "cpu",
    tick: Tick = lambda label: None,
    pairs: Pairs | None = None,
) -> Iterator[tuple[Tensor, BlockResult]]:
    """What each block of a series leaves behind, one after the other, with its rows.

    Args:
        model: as `hindcast`, like all that follows.
        series: the whole, or a part that ends where a piece of work does.
        task: with the dates that are asked for.
        product_times: those of them at which statistics are kept.
        field: tables whose members are kept; ``pixel_index`` refers to `series`, -1 is elsewhere.
        withhold: the rule.
        held: what it withholds of `series`.
        device: where tensors live.
        tick: called after each acquisition of each pass.
        pairs: origins and targets of forecasts by bins of lead.
    """
    pixels = torch.as_tensor(series.pixels["id"].values)
    for rows in blocks(pixels):
        part = [on(a, device, rows) for a in series.acquisitions]
        here = {case: _rows_of(one, rows.numpy()) for case, one in held.items()}
        mine = None if pairs is None else of_pixels(pairs, rows.numpy())[0]
        with torch.no_grad():
            result = _of_block(model, part, pixels[rows], task, withhold, here, tick, mine)
        yield rows, _reduced(result, rows, task, product_times, field)


def pairs_to_forecast(
    series: Series, task: Task, withhold: Rule | None, held: Mapping[str, Held]
) -> Pairs | None:
    """Origins and targets of NDVI forecasts by bins of lead; None where none are asked for.

    What a withheld sensor saw is a target, and no origin.

    Raises:
        InputError: no sensor of the series has the channels of NDVI.
    """
    if not task.bins:
        return None
    table = tables(series.acquisitions, series.channels).get("ndvi")
    if table is None:
        raise InputError(
            "score.horizons: bins of lead times are scored on NDVI, which no sensor of this run "
            "can form; add its channels to the source, or give single lead times"
        )
    starts = table.seen
    if isinstance(withhold, WithholdSensor):
        starts = starts & ~held["smoothed"].hidden
    return pairs_of(table.times, table.seen, task.bins, task.forecast_period, starts)


def _of_block(
    model: Model,
    part: Sequence[Acquisition],
    pixels: Tensor,
    task: Task,
    withhold: Rule | None,
    held: Mapping[str, Held],
    tick: Tick,
    pairs: Pairs | None = None,
) -> BlockResult:
    """What a block leaves behind: sensors and channels are hidden from the run, dates from more."""

    def mask(held: Array) -> Tensor:
        return torch.as_tensor(held.T, device=part[0].values.device)

    if isinstance(withhold, HidesFromRun):
        one = held["smoothed"]
        block = Block(model, part, pixels, task, tick, mask(one.hidden), one.channel)
        return block.everything(mask(one.scored), pairs)
    block = Block(model, part, pixels, task, tick)
    result = block.everything(pairs=pairs)
    for case, one in held.items():
        result.records += block.withholding(case, mask(one.hidden))
    return result


def _rows_of(held: Held, rows: Array) -> Held:
    """What is withheld of some pixels."""
    return held._replace(hidden=held.hidden[rows], scored=held.scored[rows])


def _joined(
    results: Sequence[tuple[Tensor, BlockResult]],
    series: Series,
    task: Task,
    product_times: Sequence[float],
    field: Sequence[InSitu],
    held: dict[str, Held],
    model: Model,
) -> Outcome:
    """What all blocks left behind, along the pixel axis of the series."""
    acquisitions, ids = series.acquisitions, series.pixels["id"].values
    seen, times = clear(acquisitions), np.array([a.time for a in acquisitions])
    order = torch.cat([rows for rows, _ in results])
    place = torch.argsort(order).numpy()
    records = joined_records([r.records for _, r in results], place)
    sensors = [a.sensor for a in acquisitions]
    index, described = ndvi(acquisitions, records), model.described
    state = joined_state([r.state for _, r in results], place)
    return Outcome(
        verification(times, sensors, ids, records, task.members),
        products([r.smoothed or r.analysis for _, r in results], place, described),
        products([r.analysis for _, r in results], place, described),
        "smoothed" if any(r.smoothed for _, r in results) else "analysis",
        np.array(sorted(set(product_times))),
        [
            field_rows(table, k, results, ids, nearest_index(table, times, seen, index))
            for k, table in enumerate(field)
        ],
        state,
        held,
        sum(r.diverged for _, r in results),
        dict(sum((r.refused for _, r in results), Counter())),
        joined_judged([r.judged for _, r in results]),
        {} if model.biases is None else bias_rows(model.biases, state.ensemble),
        seasons=layers([r.seasons for _, r in results], place),
    )


def _reduced(
    result: BlockResult,
    rows: Tensor,
    task: Task,
    product_times: Sequence[float],
    field: Sequence[InSitu],
) -> BlockResult:
    """A block's result with members kept at field measurements only, statistics elsewhere."""
    place = {t: k for k, t in enumerate(task.asked)}
    dates = sorted(set(product_times))
    wanted = [place[t] for t in dates]
    if task.seasons is not None:
        curves = (result.smoothed or result.analysis)[task.seasons.variable][wanted]
        result.seasons = kept(of_members(dates, curves, task.seasons), task.seasons)
    row_of = {int(row): k for k, row in enumerate(rows)}
    for case in ("analysis", "smoothed"):
        members: dict[str, np.ndarray] = getattr(result, case)
        held: dict[str, np.ndarray] = {}
        for k, table in enumerate(field):
            here = [n for n, p in enumerate(table.pixel_index) if int(p) in row_of]
            if table.variable in members and here:
                at = [place[float(table.time[n])] for n in here]
                pixels = [row_of[int(table.pixel_index[n])] for n in here]
                held[f"field {k}"] = members[table.variable][at, pixels]
                held[f"rows {k}"] = np.array(here)
        for name, values in members.items():
            held[name] = statistics(values[wanted])
        setattr(result, case, held if members else {})
    return result
