r"""A twin experiment of a toy model: the same loop, scored as published benchmarks are.

The pixel axis holds independent replicates, each with a truth, observations and an ensemble of its
own, so that all seeds of a benchmark run side by side in one batch. With the truth x of one
replicate and the ensemble mean m and variance v at an observation time t,

    rmse(t) = sqrt(mean_i (m_i - x_i)^2)       spread(t) = sqrt(mean_i v_i)

over the n components i; a score is the mean of these over the times after the burn-in (not the root
of the mean square, which weighs outbreaks more). Estimates:

    free_run    the ensemble without any observation
    background  before the observations of that time were used
    analysis    after it
    smoothed    by all observations, where the run has a smoother; with windows, at their starts
    forecast_h  from observations at least h older

Nothing is kept along time but these numbers, unless a smoother needs the steps (`rts` all of them,
`enks` one ensemble each) or the comparison of every component is asked for. Cost: that of the model
and of the scheme.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from releo_da.cycling import windows
from releo_da.cycling.cycle import cycle
from releo_da.cycling.draws import Draws, block_draws
from releo_da.diagnostics.scores import Array
from releo_da.runs.acquire import trajectory
from releo_da.runs.beside_truth import against
from releo_da.runs.block import Task, Tick
from releo_da.runs.judged import Judged, judge
from releo_da.runs.model import Model
from releo_da.types import Acquisition, State, Step

SENSOR = "components"
"""Name of the sensor of a toy model's acquisitions."""


@dataclass
class Case:
    """One estimate beside the truth, at every observation time it exists for.

    Attributes:
        date: ``[date]`` positions of those times.
        rmse: ``[date, replicate]`` over components.
        spread: ``[date, replicate]`` likewise.
        numbers: ``[date, replicate, component, field]`` by `releo_da.diagnostics.verification`, or
            empty where only the two above were asked for.
    """

    date: list[int] = field(default_factory=list)
    rmse: list[Array] = field(default_factory=list)
    spread: list[Array] = field(default_factory=list)
    numbers: list[Array] = field(default_factory=list)


class ToyNature(NamedTuple):
    """A truth and what was seen of it.

    Attributes:
        model: the system that the truth is a draw of.
        states: time -> ``[replicate, 1, latent]``.
        acquisitions: in time order, errors complete.
        exact: ``[replicate, channel]`` per acquisition, H of the truth.
    """

    model: Model
    states: dict[float, Tensor]
    acquisitions: list[Acquisition]
    exact: list[Tensor]


@dataclass(frozen=True)
class ToyOutcome:
    """What a twin experiment of a toy model leaves behind.

    Attributes:
        times: ``[date]`` model time of the observations.
        cases: estimates by name.
        finite: ``[replicate]`` bool, whether the ensemble stayed finite.
        state: the last analysis.
        rejected: ``[channel]``, how many values were seen and not used, where detail was asked for.
        judged: what each analysis said of its innovations, where detail was asked for.
    """

    times: Array
    cases: dict[str, Case]
    finite: Array
    state: State
    rejected: Array
    judged: list[Judged] = field(default_factory=list)


@torch.no_grad()
def toy_nature(
    model: Model,
    passes: Sequence[Acquisition],
    start: float,
    pixels: Tensor,
    seed: int,
    missing: float = 0.0,
) -> ToyNature:
    """Draw a truth per replicate and observe it.

    Args:
        model: the truth's system.
        passes: time and error of each acquisition, in time order; values do not matter.
        start: time of the initial distribution.
        pixels: ``[replicate]`` ids.
        seed: of truth, gaps and noise.
        missing: probability that a value is not seen, 0 to below 1.
    """
    draws = block_draws(seed, pixels, passes[0].error)
    states = trajectory(model, [start, *(a.time for a in passes)], pixels, draws)
    acquisitions, exact = [], []
    for a in passes:
        clean = model.observe(states[a.time], a)[:, 0]
        values = clean + a.error * draws(a.time, "noise")(clean.shape)
        error = a.error
        if missing > 0.0:
            uniform = torch.special.ndtr(draws(a.time, "missing")(clean.shape))
            gone = uniform < missing
            values, error = values.masked_fill(gone, 0.0), error.masked_fill(gone, torch.inf)
        acquisitions.append(a._replace(values=values, error=error))
        exact.append(clean)
    return ToyNature(model, states, acquisitions, exact)


def turns(nature: ToyNature, free_run: bool = True) -> int:
    """How often ``tick`` will be called: the length of a progress bar."""
    return len(nature.acquisitions) * (2 if free_run else 1)


@torch.no_grad()
def toy_twin(
    model: Model,
    nature: ToyNature,
    task: Task,
    pixels: Tensor,
    detail: bool = True,
    free_run: bool = True,
    tick: Tick = lambda label: None,
) -> ToyOutcome:
    """Assimilate what was seen of a toy model's truth and compare with it.

    Args:
        model: the system that assimilates.
        nature: truth and acquisitions.
        task: members, seed, start and horizons (model time).
        pixels: ``[replicate]`` ids.
        detail: keep what verification, rank histograms, figures and the innovations need.
        free_run: whether an ensemble without observations runs beside.
        tick: called after each acquisition, `turns` times in all.
    """
    run = _Run(model, nature, task, pixels, detail)
    finite = torch.ones(len(pixels), dtype=torch.bool)
    last: State | None = None

    def filtered() -> Iterator[Step]:
        nonlocal finite, last
        for date, step in enumerate(run.steps(nature.acquisitions)):
            run.record("background", date, step.background.ensemble)
            run.record("analysis", date, step.analysis.ensemble)
            run.ahead(date, step)
            run.judge(date, step)
            last = step.analysis
            finite &= torch.isfinite(last.ensemble).all(-1).all(-1).cpu()
            tick("filter")
            yield step

    if model.smooth is None:
        deque(filtered(), maxlen=0)
    else:
        for date, ensemble in enumerate(model.smooth(filtered())):
            run.record("smoothed", date, ensemble)
    if free_run:
        for date, state in enumerate(run.free()):
            run.record("free_run", date, state.ensemble)
            tick("free run")
    assert last is not None
    times = np.array([a.time for a in nature.acquisitions])
    return ToyOutcome(times, run.cases, finite.numpy(), last, run.rejected, run.judged)


class _Run:
    """The loop of one experiment and what its estimates said."""

    def __init__(
        self, model: Model, nature: ToyNature, task: Task, pixels: Tensor, detail: bool
    ) -> None:
        self.model, self.nature, self.task = model, nature, task
        self.pixels, self.detail = pixels, detail
        self.draws: Draws = block_draws(task.seed, pixels, nature.acquisitions[0].values)
        self.cases: dict[str, Case] = {}
        self.judged: list[Judged] = []
        self.last: dict[str, Tensor] = {}
        self.rejected: Array = np.zeros(nature.acquisitions[0].values.shape[1], int)
        self.recent = {horizon: deque[State]() for horizon in task.horizons}

    def steps(self, acquisitions: Iterable[Acquisition]) -> Iterable[Step]:
        """The steps of the loop from the initial ensemble on.

        The start of a window, analysed by all it holds, is a smoothed estimate of that time.
        """
        state, system, by = self._start(), self.model.system, self.model.analyse
        if not isinstance(by, windows.Windowed):
            yield from cycle(state, acquisitions, system, self.draws)
            return
        dates = {a.time: date for date, a in enumerate(self.nature.acquisitions)}
        for turn in windows.turns(state, acquisitions, system, self.draws, by):
            if turn.start.time in dates:
                self.record("smoothed", dates[turn.start.time], turn.start.ensemble)
            yield from turn.steps

    def free(self) -> Iterable[State]:
        """The ensemble at the observation times, without observations."""
        state = self._start()
        for a in self.nature.acquisitions:
            state = self.model.forecast(state, a.time, self.draws(a.time, "forecast"))
            yield state

    def _start(self) -> State:
        start = self.task.start
        noise = self.draws(start, "initial")
        return self.model.initial(start, self.pixels, self.task.members, noise)

    def ahead(self, date: int, step: Step) -> None:
        """Forecasts of this time from the last analysis that is old enough, per horizon."""
        time = step.acquisition.time
        for horizon, waiting in self.recent.items():
            waiting.append(step.analysis)
            while len(waiting) > 1 and old_enough(waiting[1], time, horizon):
                waiting.popleft()
            if old_enough(waiting[0], time, horizon):
                case = f"forecast_{horizon:g}"
                found = self.model.forecast(waiting[0], time, self.draws(time, case))
                self.record(case, date, found.ensemble)

    def judge(self, date: int, step: Step) -> None:
        """What the analysis said of its innovations, where detail is kept."""
        if not self.detail:
            return
        lost = step.acquisition.seen & (step.precision == 0)
        self.rejected += lost.sum(0).cpu().numpy()
        if self.model.tally is not None:
            after = self.model.observe(step.analysis.ensemble, step.acquisition)
            said = judge(self.model, step, date, after.mean(1), self.last)
            self.judged += [] if said is None else [said]

    def record(self, case: str, date: int, ensemble: Tensor) -> None:
        """An ensemble beside the truth at one observation time."""
        a = self.nature.acquisitions[date]
        truth = self.nature.states[a.time][:, 0].to(ensemble)
        ensemble = ensemble[..., : truth.shape[-1]]  # biases of observations come after the state
        held = self.cases.setdefault(case, Case())
        error = (ensemble.mean(1) - truth).square().mean(-1).sqrt()
        spread = ensemble.var(1).mean(-1).sqrt()
        held.date.append(date)
        held.rmse.append(error.cpu().numpy())
        held.spread.append(spread.cpu().numpy())
        if self.detail:
            held.numbers.append(against(ensemble, truth, a, None)[:, :-1])


def old_enough(state: State, time: float, horizon: float) -> bool:
    """Whether a state is at least ``horizon`` older than a time, up to rounding."""
    return state.time <= time - horizon + 1e-9 * max(abs(time), 1.0)


def means(outcome: ToyOutcome, burn_in: float, start: float) -> Mapping[str, tuple[Array, Array]]:
    """Time means of rmse and spread of every case after the burn-in, each ``[replicate]``."""
    late = outcome.times > start + burn_in
    found = {}
    for name, case in outcome.cases.items():
        kept = late[case.date]
        if kept.any():
            found[name] = (np.stack(case.rmse)[kept].mean(0), np.stack(case.spread)[kept].mean(0))
    return found
