"""Twin experiment: the loop of a hindcast, scored against the truth itself.

A truth is known, so every estimate is compared with it at every acquisition and every pixel, clear
or not, for each variable of the state and each channel:

    free_run    the ensemble without any observation
    background  before the acquisition of that time was used
    analysis    after it
    smoothed    by all acquisitions
    forecast_h  from acquisitions at least h days older

Truth is compared without noise and predictions without observation error, so coverage and spread
speak of the state alone. The loop runs block by block; memory does not grow with the map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.cycling.cycle import cycle
from releo_da.cycling.recovery import diverged
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import Record, summaries, verification
from releo_da.io.products import Product
from releo_da.io.times import from_days
from releo_da.runs.acquire import Decode, Nature, Simulate
from releo_da.runs.block import Task, Tick
from releo_da.runs.compare import compare, ndvi_index
from releo_da.runs.hindcast import blocks
from releo_da.runs.joined import joined_records, joined_state, products, statistics
from releo_da.runs.judged import Judged, joined_judged, judge, reasons_in_all
from releo_da.runs.model import Model, on
from releo_da.runs.timeline import hide, merged, requests
from releo_da.types import Acquisition, State, Step


@dataclass(frozen=True)
class TwinOutcome:
    """What a twin experiment leaves behind.

    Attributes:
        verification: every estimate beside the truth (`releo_da.diagnostics.verification`).
        products: output variables at the product dates, smoothed where there is a smoother.
        estimate: what they are, "smoothed", or "analysis" without a smoother.
        truth: the same variables as they were.
        product_times: ``[time]`` days.
        state: the last analysis.
        diverged: number of pixels whose ensemble stopped being finite, recovered or not.
        judged: what each analysis said of its innovations, in time order.
    """

    verification: xr.Dataset
    products: dict[str, Product]
    estimate: str
    truth: dict[str, Product]
    product_times: Array
    state: State
    diverged: int
    judged: list[Judged]


@dataclass
class _BlockResult:
    state: State
    records: list[Record] = field(default_factory=list)
    estimated: dict[str, np.ndarray] = field(default_factory=dict)
    true: dict[str, np.ndarray] = field(default_factory=dict)
    diverged: int = 0
    judged: list[Judged] = field(default_factory=list)


def twin(
    model: Model,
    simulate: Simulate,
    decode: Decode,
    task: Task,
    pixels: Tensor,
    device: torch.device | str = "cpu",
    tick: Tick = lambda label: None,
) -> TwinOutcome:
    """Assimilate simulated acquisitions and compare with their truth.

    Args:
        model: the system that assimilates.
        simulate: truth and acquisitions of a block of pixels, which is simulated when its turn
            comes.
        decode: latents to physical variables; those that the truth has as well are scored.
        task: members, seed, product times, horizons.
        pixels: ``[pixel]`` global ids.
        device: where tensors live while the loop runs.
        tick: called after each piece of work, `turns` times in all.
    """
    results: list[tuple[Tensor, _BlockResult]] = []
    with torch.no_grad():
        for rows in blocks(pixels):
            here = simulate(pixels[rows])
            block = _Block(model, here, decode, task, pixels[rows], device, tick)
            results.append((rows, block.run()))
            passes = [(a.time, a.sensor) for a in here.acquisitions]
    place = torch.argsort(torch.cat([rows for rows, _ in results])).numpy()
    found = [result for _, result in results]
    state = joined_state([r.state for r in found], place)
    times, sensors = zip(*passes, strict=True)
    records = joined_records([r.records for r in found], place)
    true = products([r.true for r in found], place, model.described)
    return TwinOutcome(
        verification(np.array(times), sensors, pixels.numpy(), records, task.members),
        products([r.estimated for r in found], place, model.described),
        "analysis" if model.smooth is None else "smoothed",
        {name: Product(p.mean, p.unit, p.long_name) for name, p in true.items()},
        np.array(sorted(set(task.asked))),
        state,
        sum(r.diverged for r in found),
        joined_judged([r.judged for r in found]),
    )


def turns(passes: int, task: Task, pixels: Tensor) -> int:
    """How often ``tick`` is called with so many acquisitions: the length of a progress bar."""
    number = sum(1 for _ in blocks(pixels))
    return number * passes * (2 + len(task.horizons))


class _Block:
    """One block of pixels of a twin experiment."""

    def __init__(
        self,
        model: Model,
        nature: Nature,
        decode: Decode,
        task: Task,
        pixels: Tensor,
        device: torch.device | str,
        tick: Tick,
    ) -> None:
        self.model, self.nature, self.task = model, nature, task
        self.pixels, self.device, self.tick = pixels, device, tick
        self.acquisitions = [model.error(on(a, device)) for a in nature.acquisitions]
        self.draws = model.draws(task.seed, pixels, self.acquisitions[0].values)
        self.decode, self.truth = decode, nature.truth
        probe = nature.acquisitions[0].time
        mine = self.decode(self._prior().ensemble)
        self.names = tuple(n for n in self.truth.decode(self._true(probe)) if n in mine)

    def run(self) -> _BlockResult:
        """All estimates of the block beside the truth."""
        asked = requests(self.task.asked, self.acquisitions)
        steps = self._filter(merged(self.acquisitions, asked), "analysis")
        smoothed = [s.analysis.ensemble for s in steps]
        if self.model.smooth is not None:
            smoothed = self.model.smooth(steps)
        found = _BlockResult(steps[-1].analysis, diverged=int(diverged(steps).sum()))
        date = -1
        for step, late in zip(steps, smoothed, strict=True):
            if not step.acquisition.sensor:
                continue
            date += 1
            refused = (step.acquisition.precision > 0) & (step.precision == 0)
            before, analysis = step.background.ensemble, step.analysis.ensemble
            after = self.model.observe(analysis, self.acquisitions[date])
            said = judge(self.model, step, date, after.mean(1))
            found.judged += [] if said is None else [said]
            found.records += [
                self._record("background", date, before, step.predicted, refused),
                self._record("analysis", date, analysis, after),
                self._record("smoothed", date, late),
            ]
        hidden = [hide(a, torch.ones_like(a.seen[:, 0])) for a in self.acquisitions]
        for date, step in enumerate(self._filter(hidden, "free run")):
            ensemble = step.background.ensemble
            found.records.append(self._record("free_run", date, ensemble, step.predicted))
        for horizon in self.task.horizons:
            found.records += self._forecasts(steps, horizon)
        self._products(found, steps, smoothed)
        return found

    def _prior(self) -> State:
        start = self.task.start
        noise = self.draws(start, "initial")
        return self.model.initial(start, self.pixels, self.task.members, noise)

    def _filter(self, timeline: Sequence[Acquisition], label: str) -> list[Step]:
        steps = []
        state, initial = self._prior(), self.model.initial
        for step in cycle(state, timeline, self.model.system, self.draws, initial):
            steps.append(step)
            if step.acquisition.sensor:
                self.tick(label)
        return steps

    def _true(self, time: float) -> Tensor:
        return self.nature.states[time].to(self.device)

    def _record(
        self,
        case: str,
        date: int,
        ensemble: Tensor,
        predicted: Tensor | None = None,
        refused: Tensor | None = None,
    ) -> Record:
        """An ensemble beside the truth at one acquisition: channels, NDVI, variables."""
        a = self.acquisitions[date]
        if predicted is None:
            predicted = self.model.observe(ensemble, a)
        channels = self.model.channels[a.sensor]
        exact = self.nature.exact[date].to(self.device)
        parts = [against(predicted, exact, a, ndvi_index(a.sensor, channels))]
        mine, true = self.decode(ensemble), self.truth.decode(self._true(a.time))
        members = torch.stack([mine[n] for n in self.names], -1)
        target = torch.stack([true[n][:, 0] for n in self.names], -1)
        parts.append(against(members, target, a, None)[:, :-1])
        names = (*self.model.labels[a.sensor], "ndvi", *self.names)
        told = None if refused is None else refused.cpu().numpy()
        return Record(case, date, names, np.concatenate(parts, 1), told)

    def _forecasts(self, steps: list[Step], horizon: float) -> list[Record]:
        """Every acquisition's time, forecast from ``horizon`` days before or longer."""
        observed = [step for step in steps if step.acquisition.sensor]
        records = []
        for date, a in enumerate(self.acquisitions):
            self.tick("forecast")
            latest = math.floor(a.time) - horizon
            usable = [s for s in observed if math.floor(s.acquisition.time) <= latest]
            if usable:
                case = f"forecast_{horizon:g}"
                noise = self.draws(a.time, case)
                ahead = self.model.forecast(usable[-1].analysis, a.time, noise)
                records.append(self._record(case, date, ahead.ensemble))
        return records

    def _products(self, found: _BlockResult, steps: list[Step], smoothed: list[Tensor]) -> None:
        """Statistics of output variables at the requested dates, estimated and true."""
        where = [k for k, step in enumerate(steps) if not step.acquisition.sensor]
        angles = [steps[k].acquisition.angles for k in where]
        states = [self._true(steps[k].acquisition.time) for k in where]
        for into, derive, ensembles in (
            (found.estimated, self.model.derive, [smoothed[k] for k in where]),
            (found.true, self.truth.derive, [s.expand(-1, 2, -1) for s in states]),
        ):
            pairs = zip(ensembles, angles, strict=True)
            derived = [derive(ensemble, angle) for ensemble, angle in pairs]
            for name in derived[0] if derived else ():
                members = np.stack([d[name].float().cpu().numpy() for d in derived])
                into[name] = statistics(members)


def against(predicted: Tensor, truth: Tensor, a: Acquisition, index: Any) -> Array:
    """Numbers of one comparison with the truth, without any error of observation."""
    exact = a._replace(values=truth, error=torch.zeros_like(truth))
    everywhere = torch.ones_like(truth, dtype=torch.bool)
    return compare(predicted, exact, everywhere, index, predicted.new_zeros)


def score(outcome: TwinOutcome, task: Task, burn_in: float = 0.0) -> dict[str, Any]:
    """scores.json of a twin experiment, of all times later than ``burn_in`` days."""
    found: dict[str, Any] = {}
    first = from_days(task.start + burn_in).astype("datetime64[ns]")
    scored = outcome.verification.sel(time=outcome.verification.time.values >= first)
    for case in map(str, outcome.verification.case.values):
        table = summaries(scored, case)
        if case.startswith("forecast_"):
            found.setdefault("forecast", {})[case.removeprefix("forecast_")] = table
        else:
            found[case] = table
    refused = outcome.verification.rejected.sum(("time", "pixel"))
    names, counts = refused.channel.values, refused.values
    found["rejected"] = {str(n): int(c) for n, c in zip(names, counts, strict=True) if c}
    found["rejected_by_reason"] = reasons_in_all(outcome.judged)
    found["diverged"] = outcome.diverged
    found["seeds"] = [task.seed]
    return found
