"""A hindcast of one block of pixels: analyses, smoothing, forecasts, and what each said.

Two passes of the same loop. With every acquisition: background and analysis records, forecasts at
each horizon, states at the requested dates. With part of the values withheld: the smoothed
prediction of those values. Memory: two ensembles per date, ``2 T P N L`` numbers, for the smoother.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from releo_da.cycling.cycle import cycle
from releo_da.cycling.draws import BLOCK, Draws
from releo_da.cycling.recovery import diverged
from releo_da.diagnostics.leads import Bin, Pairs
from releo_da.diagnostics.seasons import Seasons
from releo_da.diagnostics.verification import Record
from releo_da.runs.ahead import forecast_pairs
from releo_da.runs.compare import compare, ndvi_index
from releo_da.runs.judged import Judged, judge, refusals
from releo_da.runs.model import Model
from releo_da.runs.timeline import hide, merged, requests, where_seen
from releo_da.runs.withhold import columns
from releo_da.sensors.indices import Index
from releo_da.types import Acquisition, State, Step

RESIDUAL_MEMBERS = 32
"""H of the analysis is evaluated for this many members, as the mean needs few. Vector instructions
take 32 numbers at a time and round the rest of an array in another way: with multiples of 32
members a pixel's results are the same to the last bit whichever pixels run beside it."""

Tick = Callable[[str], None]


@dataclass
class BlockResult:
    """What one block leaves behind.

    Attributes:
        records: comparisons with observations, for `releo_da.diagnostics.verification`.
        analysis: output variables of the analysis at each requested time,
            ``{name: [time, pixel, member]}`` float32 arrays.
        smoothed: the same after smoothing.
        state: the last analysis.
        diverged: number of pixels whose ensemble stopped being finite, recovered or not.
        refused: number of values that screening refused, by reason.
        judged: what each analysis said of its innovations.
        leads: what was forecast of each pair of the block, ``[pair, field]``, or None.
        seasons: what is kept of the dates of seasons (`releo_da.runs.seasons.kept`).
    """

    state: State
    records: list[Record] = field(default_factory=list)
    analysis: dict[str, np.ndarray] = field(default_factory=dict)
    smoothed: dict[str, np.ndarray] = field(default_factory=dict)
    diverged: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    judged: list[Judged] = field(default_factory=list)
    leads: np.ndarray | None = None
    seasons: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What is asked of a block, the same for all blocks.

    Attributes:
        seed: seed of the run.
        members: ensemble size.
        start: time of the prior ensemble (days).
        asked: times at which output variables are wanted.
        horizons: lead times of forecasts (days).
        bins: of lead times (days), from every acquisition to all later ones.
        forecast_period: first and last time of forecast targets.
        smooth: whether the run is smoothed.
        scored: time from which on comparisons count where sums forget their dates.
        columns: of the grid whose pixels are meant, row by row; 0 of points.
        rows: of a block that are worked on at once (`releo_da.runs.portions`).
        seasons: whose dates are wanted, if any.
    """

    seed: int
    members: int
    start: float
    asked: tuple[float, ...] = ()
    horizons: tuple[float, ...] = ()
    bins: tuple[Bin, ...] = ()
    forecast_period: tuple[float, float] = (-np.inf, np.inf)
    smooth: bool = True
    scored: float = -np.inf
    columns: int = 0
    rows: int = BLOCK
    seasons: Seasons | None = None

    @property
    def furthest(self) -> float:
        """The longest lead time of a forecast (days); 0 without any."""
        return max((*self.horizons, *(end for _, end in self.bins)), default=0.0)


class Block:
    """One block of pixels and the acquisitions that cover it, errors complete.

    Args:
        model: the joined system.
        acquisitions: in time order, on the run's device, instrument errors only.
        pixels: ``[pixel]`` global ids.
        task: what is asked.
        tick: called with a label after each piece of work, for progress.
        hidden: ``[acquisition, pixel]`` bool, what the run never assimilates.
        channel: label of the only channel that is hidden there; all of them if empty.
    """

    def __init__(
        self,
        model: Model,
        acquisitions: Sequence[Acquisition],
        pixels: Tensor,
        task: Task,
        tick: Tick = lambda label: None,
        hidden: Tensor | None = None,
        channel: str = "",
    ) -> None:
        self.model, self.pixels, self.task, self.tick = model, pixels, task, tick
        self.acquisitions = [model.error(a) for a in acquisitions]
        self.used = self.acquisitions
        self.channel = channel
        if hidden is not None:
            self.used = [
                hide(a, hidden[k], self._columns(a)) for k, a in enumerate(self.acquisitions)
            ]
        self.draws: Draws = model.draws(task.seed, pixels, self.acquisitions[0].values)
        self.index: dict[str, Index | None] = {
            sensor: ndvi_index(sensor, names) for sensor, names in model.channels.items()
        }

    def everything(self, scored: Tensor | None = None, pairs: Pairs | None = None) -> BlockResult:
        """The run itself, with every acquisition but what is hidden from it.

        Args:
            scored: ``[acquisition, pixel]`` bool, hidden values that are compared with what the
                filter said of them, having seen all else of their time, and the smoother.
            pairs: origins and targets of forecasts by bins of lead.
        """
        asked = requests(self.task.asked, self.acquisitions)
        # What is only predicted comes after what is assimilated at the same time.
        order = sorted(
            range(len(self.used)),
            key=lambda k: (self.used[k].time, not bool(self.used[k].seen.any())),
        )
        steps = self._filter(merged([self.used[k] for k in order], asked), "analysis")
        result = BlockResult(steps[-1].analysis)
        result.diverged = int(diverged(steps).sum())
        place = [k for k, step in enumerate(steps) if step.acquisition.sensor]
        dates = dict(zip(order, place, strict=True))
        last: dict[str, Tensor] = {}
        for date, k in dates.items():
            after = self._after(steps[k], date)
            result.records += self._step_records(steps[k], date, after)
            said = judge(self.model, steps[k], date, after.mean(1), last)
            result.refused += refusals(self.model, steps[k]) if said is None else said.refused
            result.judged += [] if said is None else [said]
        for horizon in self.task.horizons:
            result.records += self._forecast_records(steps, horizon)
        if pairs is not None:
            analyses = {date: steps[k].analysis for date, k in dates.items()}
            result.leads = forecast_pairs(
                self.model, analyses, self.acquisitions, pairs, self.index, self.draws, self.tick
            )
        where = [k for k, step in enumerate(steps) if not step.acquisition.sensor]
        result.analysis = self._derived(steps, where, [steps[k].analysis.ensemble for k in where])
        smoothed: list[Tensor] = []
        if self.task.smooth and (where or scored is not None):
            smoothed = self._smooth(steps)
            result.smoothed = self._derived(steps, where, [smoothed[k] for k in where])
        if scored is not None:
            filtered = {date: steps[k].analysis.ensemble for date, k in dates.items()}
            result.records += self._hidden_records("filtered", filtered, scored)
            if smoothed:
                later = {date: smoothed[k] for date, k in dates.items()}
                result.records += self._hidden_records("smoothed", later, scored)
        return result

    def withholding(self, case: str, withheld: Tensor) -> list[Record]:
        """Smoothed predictions of withheld values, ``withheld [acquisition, pixel]`` bool."""
        kept = [hide(a, withheld[k]) for k, a in enumerate(self.acquisitions)]
        smoothed = self._smooth(self._filter(kept, "withheld"))
        return self._hidden_records(case, dict(enumerate(smoothed)), withheld, "withheld")

    def _hidden_records(
        self, case: str, ensembles: Mapping[int, Tensor], hidden: Tensor, label: str = ""
    ) -> list[Record]:
        """What ensembles say of hidden values, ``hidden [acquisition, pixel]`` bool."""
        records = []
        for date, ensemble in ensembles.items():
            rows = hidden[date].nonzero()[:, 0]
            if len(rows):
                only = self._columns(self.acquisitions[date])
                records.append(self._rows_record(case, date, ensemble, rows, only))
            if label:
                self.tick(label)
        return records

    def _columns(self, acquisition: Acquisition) -> Tensor | None:
        """Which channels are hidden, ``[channel]`` bool; None where all are."""
        if not self.channel:
            return None
        return columns(self.channel, self.model.channels, acquisition)

    def _filter(self, timeline: Sequence[Acquisition], label: str) -> list[Step]:
        noise = self.draws(self.task.start, "initial")
        state = self.model.initial(self.task.start, self.pixels, self.task.members, noise)
        steps = []
        system = self.model.system._replace(observe=where_seen(self.model.observe))
        for step in cycle(state, timeline, system, self.draws, self.model.initial):
            steps.append(step)
            if step.acquisition.sensor:
                self.tick(label)
        return steps

    def _smooth(self, steps: list[Step]) -> list[Tensor]:
        if self.model.smooth is None:
            return [step.analysis.ensemble for step in steps]
        return self.model.smooth(steps)

    def _record(
        self, case: str, date: int, predicted: Tensor, mask: Tensor, rejected: Tensor | None = None
    ) -> Record:
        acquisition = self.acquisitions[date]
        noise = self.draws(acquisition.time, f"verify {case}")
        index = self.index[acquisition.sensor]
        numbers = compare(predicted, acquisition, mask, index, self.model.errors(noise))
        names = (*self.model.labels[acquisition.sensor], "ndvi")
        refused = None if rejected is None else rejected.cpu().numpy()
        return Record(case, date, names, numbers, refused)

    def _rows_record(
        self, case: str, date: int, ensemble: Tensor, rows: Tensor, only: Tensor | None = None
    ) -> Record:
        """A record whose operator runs on the rows that are compared only."""
        seen = self.acquisitions[date].seen
        seen = seen if only is None else seen & only
        mask = torch.zeros_like(seen)
        mask[rows] = seen[rows]
        return self._record(case, date, self._at_rows(date, ensemble, rows), mask)

    def _at_rows(self, date: int, ensemble: Tensor, rows: Tensor) -> Tensor:
        """H of some rows, and 0 elsewhere."""
        acquisition = self.acquisitions[date]
        part = acquisition._replace(angles=acquisition.angles[rows])
        some = self.model.observe(ensemble[rows], part)
        predicted = some.new_zeros((len(ensemble), *some.shape[1:]))
        predicted[rows] = some
        return predicted

    def _after(self, step: Step, date: int) -> Tensor:
        """H of the analysis where something was seen."""
        rows = step.acquisition.seen.any(-1).nonzero()[:, 0]
        return self._at_rows(date, step.analysis.ensemble[:, :RESIDUAL_MEMBERS], rows)

    def _step_records(self, step: Step, date: int, after: Tensor) -> list[Record]:
        rejected = (step.acquisition.precision > 0) & (step.precision == 0)
        seen = step.acquisition.seen
        whole = self.used[date].seen & seen.any(-1, keepdim=True)
        return [
            self._record("background", date, step.predicted, seen, rejected),
            self._record("analysis", date, after, whole),
        ]

    def _forecast_records(self, steps: list[Step], horizon: float) -> list[Record]:
        """Forecasts of every acquisition of the scored period from ``horizon`` days before."""
        observed = [step for step in steps if step.acquisition.sensor]
        first, last = self.task.forecast_period
        records = []
        for date, acquisition in enumerate(self.acquisitions):
            self.tick("forecast")
            latest = math.floor(acquisition.time) - horizon  # horizons count calendar days
            usable = [s for s in observed if math.floor(s.acquisition.time) <= latest]
            if not usable or not first <= acquisition.time <= last:
                continue
            case = f"forecast_{horizon:g}"
            noise = self.draws(acquisition.time, case)
            ahead = self.model.forecast(usable[-1].analysis, acquisition.time, noise)
            rows = acquisition.seen.any(-1).nonzero()[:, 0]
            records.append(self._rows_record(case, date, ahead.ensemble, rows))
        return records

    def _derived(
        self, steps: list[Step], where: list[int], ensembles: list[Tensor]
    ) -> dict[str, np.ndarray]:
        """Output variables at requested dates, ``{name: [time, pixel, member]}``."""
        found: dict[str, list[np.ndarray]] = {}
        for k, ensemble in zip(where, ensembles, strict=True):
            derived = self.model.derive(ensemble, steps[k].acquisition.angles)
            for name, values in derived.items():
                found.setdefault(name, []).append(values.float().cpu().numpy())
        return {name: np.stack(values) for name, values in found.items()}
