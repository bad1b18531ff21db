"""One block of pixels of a twin experiment: every estimate beside the truth, told as it is made.

    background, analysis, smoothed    the run itself
    free_run                          the same ensemble without any observation
    retrieval                         what one acquisition says alone: the free run of its time,
                                      which knows nothing of earlier acquisitions, analysed with it
    forecast_h                        from acquisitions at least h days older

A retrieval exists where its acquisition saw something. Cost: H of every estimate and date is most
of a run. Per date it is evaluated once for background, smoothed, free run and each horizon; of
pixels that were seen also for the analysis and the retrieval, and as often as the scheme asks
beyond the first time. Memory: the steps of the block, which a smoother needs, two ensembles per
date; comparisons are handed on at once (`Keep`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from releo_da.cycling.cycle import cycle
from releo_da.cycling.recovery import diverged
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import Record
from releo_da.runs.acquire import Derive, Nature
from releo_da.runs.block import Task, Tick
from releo_da.runs.compare import compare, ndvi_index
from releo_da.runs.joined import statistics
from releo_da.runs.judged import Judged, judge
from releo_da.runs.model import Model, on
from releo_da.runs.timeline import merged, on_rows, requests, where_seen
from releo_da.state.variables import deviations
from releo_da.types import Acquisition, Analysis, Noise, Observe, State, Step

Keep = Callable[[Record, Array], None]
"""``keep(record, seen)`` takes a comparison; ``seen [pixel]`` bool says what the pass saw."""

Tell = Callable[[str, int, Tensor, Tensor, Tensor], None]
"""``tell(case, date, truth, members, scale)`` takes the variables of an ensemble together:
``truth [pixel, name]``, ``members [pixel, member, name]``, ``scale [name]``, the deviation of the
prior in the table of variables, 0 of what is no variable of it."""


@dataclass
class TwinBlockResult:
    """What a block leaves behind, beside its comparisons.

    Attributes:
        state: the last analysis.
        estimated: statistics of output variables, ``{name: [statistic, time, pixel]}``.
        true: the same of the truth.
        diverged: number of pixels whose ensemble stopped being finite.
        judged: what each analysis said of its innovations.
        names: of the variables that are compared with the truth.
    """

    state: State
    estimated: dict[str, Array] = field(default_factory=dict)
    true: dict[str, Array] = field(default_factory=dict)
    diverged: int = 0
    judged: list[Judged] = field(default_factory=list)
    names: tuple[str, ...] = ()


class TwinBlock:
    """One block of pixels, its truth and its acquisitions.

    Args:
        model: the system that assimilates.
        nature: truth and acquisitions of the block.
        compared: an ensemble and angles to the variables that are compared with the truth, those
            of them that it has.
        task: members, seed, product times, horizons.
        pixels: ``[pixel]`` global ids.
        keep: takes every comparison.
        device: where tensors live.
        tick: called after each piece of work.
        tell: takes variables together, of all estimates but the retrieval.
    """

    def __init__(
        self,
        model: Model,
        nature: Nature,
        compared: Derive,
        task: Task,
        pixels: Tensor,
        keep: Keep,
        device: torch.device | str,
        tick: Tick,
        tell: Tell = lambda case, date, truth, members, scale: None,
    ) -> None:
        self.tell = tell
        self.model, self.nature, self.task, self.keep = model, nature, task, keep
        self.pixels, self.device, self.tick = pixels, device, tick
        self.acquisitions = [model.error(on(a, device)) for a in nature.acquisitions]
        self.draws = model.draws(task.seed, pixels, self.acquisitions[0].values)
        self.compared = compared
        self.prior = self._prior()
        mine = compared(self.prior.ensemble, self.acquisitions[0].angles)
        told = [self._true_variables(a) for a in self.acquisitions]
        self.names = tuple(n for n in told[0] if n in mine)
        self.targets = [torch.stack([one[n][:, 0] for n in self.names], -1) for one in told]
        state = self.nature.truth.decode(self._true(self.acquisitions[0].time))
        prior = {n: deviation for n, deviation in deviations().items() if n in state}
        self.scale = torch.tensor([prior.get(n, 0.0) for n in self.names], device=device)

    def run(self) -> TwinBlockResult:
        """All estimates of the block beside the truth."""
        asked = requests(self.task.asked, self.acquisitions)
        steps = self._filter(merged(self.acquisitions, asked), "analysis")
        smoothed = [s.analysis.ensemble for s in steps]
        if self.model.smooth is not None:
            smoothed = self.model.smooth(steps)
        found = TwinBlockResult(
            steps[-1].analysis, diverged=int(diverged(steps).sum()), names=self.names
        )
        date = -1
        last: dict[str, Tensor] = {}
        for step, late in zip(steps, smoothed, strict=True):
            if not step.acquisition.sensor:
                continue
            date += 1
            refused = (step.acquisition.precision > 0) & (step.precision == 0)
            before, analysis = step.background.ensemble, step.analysis.ensemble
            step = step._replace(predicted=self._everywhere(step))
            moved = (analysis != before).flatten(1).any(1)
            a, predicted = step.acquisition, step.predicted
            after = on_rows(self.model.observe, analysis, a, moved, predicted)
            said = judge(self.model, step, date, after.mean(1), last)
            prior = self._compare("background", date, before, predicted, refused)
            posterior = self._compare("analysis", date, analysis, after, None, moved, prior)
            if said is not None:
                impact = self._impact(step, date, after, prior, posterior)
                found.judged.append(said._replace(impact=impact))
            self._compare("smoothed", date, late)
        for date, step in enumerate(self._free()):
            ensemble = step.background.ensemble
            self._compare("free_run", date, ensemble, step.predicted)
            self._retrieve(date, ensemble, step.predicted)
        for horizon in self.task.horizons:
            self._forecasts(steps, horizon)
        self._products(found, steps, smoothed)
        return found

    def _prior(self) -> State:
        start = self.task.start
        noise = self.draws(start, "initial")
        return self.model.initial(start, self.pixels, self.task.members, noise)

    def _filter(self, timeline: Sequence[Acquisition], label: str) -> list[Step]:
        steps = []
        system = self.model.system._replace(observe=where_seen(self.model.observe))
        for step in cycle(self.prior, timeline, system, self.draws, self.model.initial):
            steps.append(step)
            if step.acquisition.sensor:
                self.tick(label)
        return steps

    def _everywhere(self, step: Step) -> Tensor:
        """H of a background, of the pixels that were not seen as well."""
        a, background = step.acquisition, step.background.ensemble
        return on_rows(self.model.observe, background, a, ~a.seen.any(-1), step.predicted)

    def _free(self) -> Iterator[Step]:
        """The run without observations, step by step."""
        system = self.model.system._replace(analyse=untouched)
        for step in cycle(self.prior, self.acquisitions, system, self.draws, self.model.initial):
            self.tick("free run")
            yield step

    def _true(self, time: float) -> Tensor:
        return self.nature.states[time].to(self.device)

    def _true_variables(self, a: Acquisition) -> dict[str, Tensor]:
        """Variables of the truth at an acquisition, ``[pixel, 1]`` each."""
        states = self._true(a.time)
        truth = self.nature.truth
        return {**truth.decode(states), **truth.derive(states, a.angles)}

    def _compare(
        self,
        case: str,
        date: int,
        ensemble: Tensor,
        predicted: Tensor | None = None,
        refused: Tensor | None = None,
        rows: Tensor | None = None,
        elsewhere: Tensor | None = None,
    ) -> Tensor:
        """Tell an ensemble beside the truth at one acquisition: channels, NDVI, variables.

        Args:
            case: which estimate it is.
            date: position of the acquisition.
            ensemble: the estimate.
            predicted: H of it.
            refused: ``[pixel, channel]`` bool, what screening refused.
            rows: ``[pixel]`` bool, where variables are made of the ensemble; all unless given.
            elsewhere: variables at other pixels, which are not compared unless given.

        Returns:
            The variables, ``[pixel, member, name]``.
        """
        a = self.acquisitions[date]
        if predicted is None:
            predicted = self.model.observe(ensemble, a)
        channels = self.model.channels[a.sensor]
        exact = self.nature.exact[date].to(self.device)
        parts = [against(predicted, exact, a, ndvi_index(a.sensor, channels))]
        asked = torch.ones_like(a.seen[:, 0]) if rows is None else rows
        members = on_rows(self._variables, ensemble, a, asked, elsewhere)
        parts.append(against(members, self.targets[date], a, None)[:, :-1])
        names = (*self.model.labels[a.sensor], "ndvi", *self.names)
        told = None if refused is None else refused.cpu().numpy()
        numbers = np.concatenate(parts, 1)
        if elsewhere is None:
            numbers[~asked.cpu().numpy()] = np.nan
        seen = a.seen.any(-1).cpu().numpy()
        self.keep(Record(case, date, names, numbers, told), seen)
        if (rows is None or elsewhere is not None) and a.time >= self.task.scored:
            self.tell(case, date, self.targets[date], members, self.scale)
        return members

    def _impact(
        self, step: Step, date: int, after: Tensor, prior: Tensor, posterior: Tensor
    ) -> dict[str, Tensor]:
        """What the channels of a step did to the error of each variable."""
        if self.model.impact is None:
            return {}
        values, truth = step.acquisition.values, self.targets[date]
        errors = prior.mean(1) - truth, posterior.mean(1) - truth
        return self.model.impact(posterior, after, step.predicted, values, step.precision, *errors)

    def _variables(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        """The variables that are compared, ``[pixel, member, name]``."""
        mine = self.compared(ensemble, acquisition.angles)
        return torch.stack([mine[n] for n in self.names], -1)

    def _retrieve(self, date: int, free: Tensor, predicted: Tensor) -> None:
        """Tell what an acquisition says by itself, where it saw something.

        Args:
            date: position of the acquisition.
            free: the free run at its time.
            predicted: H of it.
        """
        a = self.acquisitions[date]
        seen = a.seen.any(-1)
        alone = self.prior._replace(time=a.time, ensemble=free)
        some = where_seen(self.model.observe)

        def observe(ensemble: Tensor, acquisition: Acquisition) -> Tensor:
            return predicted if ensemble is free else some(ensemble, acquisition)

        system = self.model.system._replace(observe=observe)

        def draws(time: float, stage: str) -> Noise:
            return self.draws(time, f"retrieval {stage}")

        for step in cycle(alone, [a], system, draws, self.model.initial):
            found = step.analysis.ensemble
            self._compare("retrieval", date, found, some(found, a), rows=seen)

    def _forecasts(self, steps: list[Step], horizon: float) -> None:
        """Tell every acquisition's time, forecast from ``horizon`` days before or longer."""
        observed = [step for step in steps if step.acquisition.sensor]
        for date, a in enumerate(self.acquisitions):
            self.tick("forecast")
            latest = math.floor(a.time) - horizon
            usable = [s for s in observed if math.floor(s.acquisition.time) <= latest]
            if usable:
                case = f"forecast_{horizon:g}"
                noise = self.draws(a.time, case)
                ahead = self.model.forecast(usable[-1].analysis, a.time, noise)
                self._compare(case, date, ahead.ensemble)

    def _products(self, found: TwinBlockResult, steps: list[Step], smoothed: list[Tensor]) -> None:
        """Statistics of output variables at the requested dates, estimated and true."""
        where = [k for k, step in enumerate(steps) if not step.acquisition.sensor]
        angles = [steps[k].acquisition.angles for k in where]
        states = [self._true(steps[k].acquisition.time) for k in where]
        for into, derive, ensembles in (
            (found.estimated, self.model.derive, [smoothed[k] for k in where]),
            (found.true, self.nature.truth.derive, [s.expand(-1, 2, -1) for s in states]),
        ):
            pairs = zip(ensembles, angles, strict=True)
            derived = [derive(ensemble, angle) for ensemble, angle in pairs]
            for name in derived[0] if derived else ():
                members = np.stack([d[name].float().cpu().numpy() for d in derived])
                into[name] = statistics(members)


def untouched(
    prior: Tensor,
    observe: Observe,
    y: Tensor,
    precision: Tensor,
    noise: Noise,
    memory: dict[str, Tensor],
) -> Analysis:
    """The scheme of a run without observations."""
    return Analysis(prior, observe(prior), torch.zeros_like(precision), memory)


def against(predicted: Tensor, truth: Tensor, a: Acquisition, index: Any) -> Array:
    """Numbers of one comparison with the truth, without any error of observation."""
    exact = a._replace(values=truth, error=torch.zeros_like(truth))
    everywhere = torch.ones_like(truth, dtype=torch.bool)
    return compare(predicted, exact, everywhere, index, predicted.new_zeros)
