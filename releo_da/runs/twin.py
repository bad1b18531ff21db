"""Twin experiment: the loop of a hindcast, scored against the truth itself.

A truth is known, so every estimate is compared with it at every acquisition and every pixel, clear
or not, for each variable of the state, each output variable that follows from it, and each channel:

    free_run    the ensemble without any observation
    background  before the acquisition of that time was used
    analysis    after it
    smoothed    by all acquisitions
    forecast_h  from acquisitions at least h days older
    retrieval   by the acquisition of that time alone, where it saw something

Truth is compared without noise and predictions without observation error, so coverage and spread
speak of the state alone. A retrieval exists at clear pixels only; the other estimates at the same
pixels and times are scored beside it, under ``seen``.

The loop runs block by block: truth and acquisitions of a block are simulated when its turn comes,
comparisons go into sums, and those of a sample of the pixels are kept as records. With `Sinks` for
output variables and states, memory holds one block and the sample, whatever the size of the map,
and of the steps of a block those of a portion of its rows (`releo_da.runs.portions`), whatever the
number of acquisitions. What blocks tell (`releo_da.runs.twin_told`) is put together in their order
(`gathered`), wherever they were worked on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.seasons import Scored
from releo_da.diagnostics.verification import Tables, beside_truth, summaries
from releo_da.io.products import Product
from releo_da.io.times import from_days
from releo_da.runs.acquire import Derive, Simulate
from releo_da.runs.baselines import by_part
from releo_da.runs.block import Task, Tick
from releo_da.runs.hindcast import blocks
from releo_da.runs.joined import joined_state, products
from releo_da.runs.joined import layers as joined_layers
from releo_da.runs.judged import Judged, joined_judged, reasons_in_all
from releo_da.runs.model import Model
from releo_da.runs.portions import portions
from releo_da.runs.seasons import rows as season_rows
from releo_da.runs.sums import Sums
from releo_da.runs.twin_scores import Said, beside
from releo_da.runs.twin_told import SEEN, Told, tell
from releo_da.types import State

Write = Callable[[Array, Mapping[str, Array]], None]
"""``write(ids, {variable: [statistic, time, pixel]})`` of some pixels, by ascending id."""


class Sinks(NamedTuple):
    """Where what is too large to hold goes, block by block.

    Attributes:
        estimated: takes the output variables.
        true: takes those of the truth.
        state: takes the last analyses.
        seasons: takes the dates of seasons, ``{name: [number, year, pixel]}``.
    """

    estimated: Write
    true: Write
    state: Callable[[State], None]
    seasons: Write = lambda ids, values: None

    def take(self, ids: Array, part: Told) -> None:
        """Hand on what a block of pixels told."""
        self.estimated(ids, part.found.estimated)
        self.true(ids, part.true)
        self.state(part.found.state)
        self.seasons(ids, {} if part.seasons is None else part.seasons.layers)


NOWHERE = Sinks(lambda ids, values: None, lambda ids, values: None, lambda state: None)
"""Sinks of a run of which nothing but comparisons is wanted."""


@dataclass(frozen=True)
class TwinOutcome:
    """What a twin experiment leaves behind.

    Attributes:
        verification: every estimate beside the truth (`releo_da.diagnostics.verification`), of the
            pixels whose records were kept.
        products: output variables at the product dates, smoothed where there is a smoother; empty
            where they went into `Sinks`.
        estimate: what they are, "smoothed", or "analysis" without a smoother.
        truth: the same variables as they were.
        product_times: ``[time]`` days.
        state: the last analysis of all pixels, or, with `Sinks`, of those whose records were kept.
        diverged: number of pixels whose ensemble stopped being finite, recovered or not.
        judged: what each analysis said of its innovations, in time order.
        times: ``[date]`` days of the acquisitions.
        sums: comparisons of all pixels.
        seen: the same where the acquisition saw something.
        said: calibration and vector scores of all pixels.
        whole: whether records of all pixels were kept.
        seeds: of the runs that the sums are of.
        names: of the variables that are compared with the truth.
        unseen: the longest time (days) for which a pixel is not seen.
        seasons: what is kept of the dates of seasons; empty where they went into `Sinks`.
        dated: these dates beside those of the truth, by whose they are.
    """

    verification: xr.Dataset
    products: dict[str, Product]
    estimate: str
    truth: dict[str, Product]
    product_times: Array
    state: State
    diverged: int
    judged: list[Judged]
    times: Array
    sums: Sums
    seen: Sums
    said: Said
    whole: bool
    seeds: tuple[int, ...]
    names: tuple[str, ...]
    unseen: float
    seasons: Mapping[str, Array] = field(default_factory=dict)
    dated: Mapping[str, Scored] = field(default_factory=dict)


def twin(
    model: Model,
    simulate: Simulate,
    compared: Derive,
    task: Task,
    pixels: Tensor,
    device: torch.device | str = "cpu",
    tick: Tick = lambda label: None,
    sample: Tensor | None = None,
    sinks: Sinks | None = None,
) -> TwinOutcome:
    """Assimilate simulated acquisitions and compare with their truth, one block after the other.

    Args:
        model: the system that assimilates.
        simulate: truth and acquisitions of a block of pixels, which is simulated when its turn
            comes.
        compared: ``compared(ensemble, angles)``, variables by name, ``[pixel, member]`` each; those
            that the truth has as well are scored.
        task: members, seed, product times, horizons.
        pixels: ``[pixel]`` global ids; ascending, where there are `sinks`.
        device: where tensors live while the loop runs.
        tick: called after each piece of work, `turns` times in all.
        sample: ids of the pixels whose records are kept; all unless given.
        sinks: take output variables and states, which are returned unless given.
    """
    parts = (
        tell(model, simulate, compared, task, pixels[rows], device, tick, sample)
        for rows in blocks(pixels)
    )
    return gathered(parts, model, task, pixels, sample, sinks)


def gathered(
    parts: Iterable[Told],
    model: Model,
    task: Task,
    pixels: Tensor,
    sample: Tensor | None = None,
    sinks: Sinks | None = None,
) -> TwinOutcome:
    """What all blocks told, put together.

    Args:
        parts: of each block of the pixels, in their order; taken one by one.
        model: the system that assimilated.
        task: members, seed, product times, horizons.
        pixels: see `twin`.
        sample: see `twin`.
        sinks: see `twin`.
    """
    every, clear, judged, lost, unseen = Sums(), Sums(), list[Judged](), 0, 0.0
    said = Said.of(task.members, task.columns)
    mine = (
        torch.arange(len(pixels)) if sample is None else torch.isin(pixels, sample).nonzero()[:, 0]
    )
    tables: Tables | None = None
    held: list[tuple[State, dict[str, Array], dict[str, Array]]] = []
    order: list[Tensor] = []
    dates: list[Mapping[str, Array]] = []
    dated: dict[str, Scored] = {}
    for rows, part in zip(blocks(pixels), parts, strict=True):
        found, passes = part.found, part.passes
        every += part.sums
        clear += part.seen
        said += part.said
        judged = joined_judged([judged, found.judged]) if judged else found.judged
        lost += found.diverged
        unseen = max(unseen, part.unseen)
        for name, one in ({} if part.seasons is None else part.seasons.scored).items():
            dated[name] = dated.get(name, Scored()) + one
        tables = Tables(len(passes), len(mine)) if tables is None else tables
        tables.add(part.records, torch.searchsorted(mine, rows[part.kept]).numpy())
        if sinks is None:
            order.append(rows)
            held.append((found.state, found.estimated, part.true))
            dates.append({} if part.seasons is None else part.seasons.layers)
        else:
            sinks.take(pixels[rows].numpy(), part)
            order.append(rows[part.kept])
            held.append((_of_pixels(found.state, part.kept), {}, {}))
    times, sensors = np.array([time for time, _ in passes]), [sensor for _, sensor in passes]
    place = torch.argsort(torch.cat(order)).numpy()
    assert tables is not None  # there is a block
    states, estimated, true = (list(part) for part in zip(*held, strict=True))
    described = {} if sinks is not None else model.described
    return TwinOutcome(
        beside_truth(tables.dataset(times, sensors, pixels[mine].numpy(), task.members)),
        products(estimated, place, described),
        "analysis" if model.smooth is None else "smoothed",
        {
            name: Product(p.mean, p.unit, p.long_name)
            for name, p in products(true, place, described).items()
        },
        np.array(sorted(set(task.asked))),
        joined_state(states, place),
        lost,
        judged,
        times,
        every,
        clear,
        said,
        len(mine) == len(pixels),
        (task.seed,),
        part.names,
        unseen,
        joined_layers(dates, place) if dates else {},
        dated,
    )


def pooled(outcomes: Sequence[TwinOutcome]) -> TwinOutcome:
    """The first of several runs over the same dates, with the sums and counts of all of them."""
    every, seen = Sums(), Sums()
    said = Said.of(outcomes[0].said.calibrations.members, outcomes[0].said.columns)
    for one in outcomes:
        every += one.sums
        seen += one.seen
        said += one.said
    dated: dict[str, Scored] = {}
    for name, sums in (pair for one in outcomes for pair in one.dated.items()):
        dated[name] = dated.get(name, Scored()) + sums
    return replace(
        outcomes[0],
        dated=dated,
        sums=every,
        seen=seen,
        said=said,
        judged=joined_judged([one.judged for one in outcomes]),
        diverged=sum(one.diverged for one in outcomes),
        seeds=tuple(seed for one in outcomes for seed in one.seeds),
    )


def _of_pixels(state: State, kept: Tensor) -> State:
    """The state of some pixels."""
    memory = {name: part.cpu()[kept] for name, part in state.memory.items()}
    return State(state.time, state.ensemble.cpu()[kept], state.pixels.cpu()[kept], memory)


def turns(passes: int, task: Task, pixels: Tensor) -> int:
    """How often ``tick`` is called with so many acquisitions: the length of a progress bar."""
    number = sum(len(portions(rows, task.rows)) for rows in blocks(pixels))
    return number * passes * (2 + len(task.horizons))


def score(outcome: TwinOutcome, task: Task, burn_in: float = 0.0) -> dict[str, Any]:
    """scores.json of a twin experiment, of all times from ``burn_in`` days on.

    Rows are those of all pixels: of their records where these were kept, else of sums, and then the
    rows of the records stand under ``sampled``. Rows of several seeds are those of their sums.
    """
    first = task.start + burn_in
    since = np.searchsorted(
        outcome.verification.time.values, from_days(first).astype("datetime64[ns]")
    )
    scored = outcome.verification.isel(time=slice(since, None))  # a view: records are large
    held = by_part({case: summaries(scored, case) for case in map(str, scored.case.values)})
    found: dict[str, Any] = held
    if not outcome.whole or len(outcome.seeds) > 1:
        found = outcome.sums.rows(outcome.times, first)
    if not outcome.whole:
        found["sampled"] = {"pixels": outcome.verification.sizes["pixel"], **held}
    seen = outcome.seen.rows(outcome.times, first)
    found["seen"] = {case: seen[case] for case in SEEN if case in seen}
    found |= beside(found, outcome.sums, outcome.times, first) | outcome.said.rows()
    if task.seasons is not None and outcome.dated:
        found["phenology"] = season_rows(outcome.dated, task.seasons)
    found["rejected"] = {name: n for name, n in outcome.sums.rejected.items() if n}
    found["rejected_by_reason"] = reasons_in_all(outcome.judged)
    found["diverged"] = outcome.diverged
    found["seeds"] = list(outcome.seeds)
    return found
