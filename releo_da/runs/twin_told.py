"""What one piece of work of a twin experiment tells: sums, records of a sample, estimates.

Truth and acquisitions of the piece are simulated once. Its rows are then worked on in portions
(`releo_da.runs.portions`), each through all dates, so that memory does not grow with their number;
comparisons of all portions go into the same sums, portion by portion, in the order of the rows.
What is told is small enough to be sent from process to process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.thinning import numbered
from releo_da.diagnostics.verification import Record
from releo_da.runs.acquire import Derive, Simulate
from releo_da.runs.block import Task, Tick
from releo_da.runs.joined import joined_records
from releo_da.runs.model import Model
from releo_da.runs.portions import portions
from releo_da.runs.retrieved import CASE, Reading
from releo_da.runs.seasons import Told as Seasons
from releo_da.runs.seasons import beside_truth, rivals
from releo_da.runs.sums import Sums, of_rows
from releo_da.runs.twin_block import TwinBlock, TwinBlockResult, joined_results
from releo_da.runs.twin_scores import Said
from releo_da.runs.twin_truth import known, true_products
from releo_da.runs.unseen import longest

SEEN = ("free_run", "retrieval", CASE, "background", "analysis", "smoothed")
"""Estimates that are also scored where the acquisition saw something."""


class Told(NamedTuple):
    """What a block of pixels tells.

    Attributes:
        found: beside its comparisons.
        true: output variables of the truth, ``{name: [statistic, time, pixel]}``.
        names: of the variables that are compared with the truth.
        passes: time and sensor of every acquisition.
        sums: comparisons of its pixels.
        seen: the same where the acquisition saw something.
        said: their calibration and vector scores.
        records: comparisons of the pixels that are kept; empty where none is.
        kept: ``[pixel]`` bool, which these are.
        unseen: the longest time (days) for which one of its pixels is not seen.
        seasons: dates of seasons, where they are wanted.
    """

    found: TwinBlockResult
    true: dict[str, Array]
    names: tuple[str, ...]
    passes: list[tuple[float, str]]
    sums: Sums
    seen: Sums
    said: Said
    records: list[Record]
    kept: Tensor
    unseen: float
    seasons: Seasons | None = None


@dataclass
class Listener:
    """Takes the comparisons of a portion and adds them to sums that it shares with the others.

    Attributes:
        every: sums of all comparisons.
        clear: the same where the acquisition saw something.
        said: calibration and vector scores.
        dates: positions of the acquisitions among those of their sensor.
        scored: of each acquisition, whether its time counts where sums forget their dates.
        ids: ``[pixel]`` of the portion.
        chosen: ``[pixel]`` bool, whose records are kept.
        records: of these; empty where none is wanted of the piece of work.
        wanted: whether one is.
    """

    every: Sums
    clear: Sums
    said: Said
    dates: list[int]
    scored: list[bool]
    ids: Array
    chosen: Array
    records: list[Record]
    wanted: bool

    def keep(self, record: Record, seen: Array) -> None:
        """Take a comparison (`releo_da.runs.beside_truth.Keep`)."""
        self.every.add([record])
        if self.scored[record.date]:
            self.said.add(record._replace(date=self.dates[record.date]), self.ids)
        if record.case in SEEN:
            self.clear.add([of_rows(record, seen)._replace(rejected=None)])
        if self.wanted:
            self.records.append(of_rows(record, self.chosen))

    def tell(self, case: str, date: int, truth: Tensor, members: Tensor, scale: Tensor) -> None:
        """Take variables together (`releo_da.runs.beside_truth.Tell`)."""
        thin = torch.from_numpy(self.said.sample(self.ids, self.dates[date])).to(members.device)
        if thin.any():
            parts = truth[thin], members[thin], scale
            self.said.vectors.add(case, *(part.double().cpu().numpy() for part in parts))


@torch.no_grad()
def tell(
    model: Model,
    simulate: Simulate,
    compared: Derive,
    task: Task,
    ids: Tensor,
    device: torch.device | str = "cpu",
    tick: Tick = lambda label: None,
    sample: Tensor | None = None,
    reading: Reading | None = None,
) -> Told:
    """Simulate the acquisitions of a block, assimilate them, and compare with their truth.

    Takes what `releo_da.runs.twin.twin` does, the ids of one piece of work, and a network that
    reads single acquisitions, if there is one.
    """
    nature = simulate(ids)
    whole = known(model, nature, compared, task, ids, device)
    kept = torch.ones_like(ids, dtype=torch.bool) if sample is None else torch.isin(ids, sample)
    every, clear, said = Sums(), Sums(), Said.of(task.members, task.columns)
    dates = numbered([a.sensor for a in whole.acquisitions])
    scored = [a.time >= task.scored for a in whole.acquisitions]
    wanted = bool(kept.any())
    parts: list[TwinBlockResult] = []
    records: list[list[Record]] = []
    for rows in portions(torch.arange(len(ids)), task.rows):
        mine, chosen = ids[rows], kept[rows].numpy()
        ear = Listener(every, clear, said, dates, scored, mine.numpy(), chosen, [], wanted)
        here = whole.part(rows.to(device))
        block = TwinBlock(model, here, compared, task, mine, ear.keep, tick, ear.tell, reading)
        parts.append(block.run())
        records.append(ear.records)
    held = joined_records(records, np.arange(int(kept.sum()))) if wanted else []
    passes = [(a.time, a.sensor) for a in whole.acquisitions]
    true = true_products(nature, task, whole.acquisitions)
    found = joined_results(parts)
    unseen = longest(whole.acquisitions)
    dated = None
    if task.seasons is not None and found.dates is not None:
        times, curve = np.array(sorted(set(task.asked))), true[task.seasons.variable][0]
        others = rivals(whole.acquisitions, model.channels, times, task.seasons)
        dated = beside_truth(found.dates, curve, times, others, task.seasons)
        found.dates = None
    return Told(found, true, whole.names, passes, every, clear, said, held, kept, unseen, dated)
