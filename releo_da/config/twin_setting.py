"""All that a block of a twin experiment needs, made from a document: in any process, the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from releo_da.config.assemble import Assembly, assemble
from releo_da.config.auxiliary import undriven
from releo_da.config.compared import beside, comparing, constant
from releo_da.config.document import Document
from releo_da.config.hindcast import MEMBERS, SEED
from releo_da.config.registry import placed
from releo_da.config.retrieval_weights import reading_of
from releo_da.config.sections import horizons_of, products, score, section
from releo_da.config.simulation import simulation
from releo_da.config.twin_passes import passes, silent
from releo_da.config.twin_past import Past, past_of, split
from releo_da.config.twin_pixels import ground_of, sample_of
from releo_da.config.twin_source import (
    Twin,
    channels_of,
    offsets,
    period_of,
    source_of,
    true_biases,
)
from releo_da.cycling.draws import BLOCK
from releo_da.observation.bias import Offset
from releo_da.runs.acquire import Simulate
from releo_da.runs.block import Task, Tick
from releo_da.runs.hindcast import blocks
from releo_da.runs.located import located
from releo_da.runs.portions import rows_at_once
from releo_da.runs.retrieved import Reading
from releo_da.runs.twin import NOWHERE, Sinks, TwinOutcome, gathered
from releo_da.runs.twin_told import Told, tell
from releo_da.types import Acquisition, InputError


@dataclass(frozen=True)
class Prepared:
    """A twin experiment, joined.

    Attributes:
        made: what is simulated.
        looks: the passes.
        silent: of each satellite that never passes, a sentence.
        task: what is asked of every block.
        ours: the system that assimilates.
        theirs: that of the truth.
        known: the biases of the truth, by name.
        ground: the pixel axis with places in metres.
        sample: ids of the pixels whose records are kept; None for all.
        seed: of truth, clouds and noise.
        device: where tensors live while a block is worked on.
        past: what satellites saw before the period, where an encoder tells the first ensemble.
        noted: records for the log of what was found on the way.
        reading: a network that reads single acquisitions, if one is to stand beside the run.
    """

    made: Twin
    looks: list[Acquisition]
    silent: list[str]
    task: Task
    ours: Assembly
    theirs: Assembly
    known: dict[str, float]
    ground: xr.Dataset
    sample: Tensor | None
    seed: int
    device: torch.device
    past: Past | None = None
    noted: tuple[dict[str, Any], ...] = ()
    reading: Reading | None = None

    @property
    def pixels(self) -> Tensor:
        """Ids of all pixels."""
        return torch.arange(int(np.prod(self.made.shape)))

    @cached_property
    def simulate(self) -> Simulate:
        """The nature run of any pixels, the days before the period included where they count."""
        looks = [*(() if self.past is None else self.past.passes), *self.looks]
        times = (min(looks[0].time, self.task.start), self.task.start, *self.task.asked)
        return simulation(self.made, self.theirs, looks, times, self.seed, self.known)

    def repeat(self, k: int) -> Prepared:
        """The same with other random numbers; of further seeds the records of one pixel are kept.

        Args:
            k: number of the repeat, 0 for the run itself.
        """
        if k == 0:
            return self
        task = replace(self.task, seed=self.task.seed + k)
        return replace(self, task=task, seed=self.seed + k, sample=self.pixels[:1])

    def tell(self, ids: Tensor, tick: Tick = lambda label: None) -> Told:
        """What a block tells, by the ids of its pixels."""
        model, compared, simulate = self.ours.model, comparing(self.ours), self.simulate
        if self.past is not None:
            seen, here = split(self.simulate(ids), self.task.start)
            model, simulate = self.past.begun(self.ours, seen, ids)(model), lambda ids: here
        return tell(
            model, simulate, compared, self.task, ids, self.device, tick, self.sample, self.reading
        )


def prepared(document: Document, device: torch.device) -> Prepared:
    """The twin experiment of a document.

    Raises:
        InputError: something in the document is wrong.
    """
    made = source_of(document)
    looks = passes(document, made, device)
    task = task_of(document, made)
    if looks[-1].time < task.scored:
        raise InputError(
            f"{document.path}: score.burn_in: {task.scored - task.start:g} days leave no pass to "
            f"score, the last is {looks[-1].time - task.start:.1f} days after the start; give less"
        )
    ours, theirs = assemblies(document, made, device)
    seed = task.seed + 1 if made.seed is None else made.seed
    ground = ground_of(made.shape, made.spacing, seed, made.nature is not None)
    ours, theirs = (replace(a, model=located(a.model, ground)) for a in (ours, theirs))
    task = replace(task, rows=rows_of(ours, looks, task))
    known = known_biases(ours, made)
    sample = sample_of(made.shape, comparisons(ours, looks, task))
    past, noted = past_of(document, made, ours, task.start, device)
    noted += undriven(document)
    reading = beside(document, ours, reading_of(document, channels_of(made)))
    ready = Prepared(
        made, looks, silent(document, made), task, ours, theirs, known, ground, sample, seed,
        device, past, tuple(noted), reading,
    )  # fmt: skip
    placed(lambda: ready.simulate, str(document.path))  # refuses a land that cannot be
    return ready


def one_run(
    ready: Prepared,
    tick: Tick = lambda label: None,
    sample: Tensor | None = None,
    sinks: Sinks | None = NOWHERE,
) -> TwinOutcome:
    """Run a twin experiment once, in this process.

    Args:
        ready: the experiment.
        tick: called after each piece of work.
        sample: ids of the pixels whose records are kept; all unless given.
        sinks: take output variables and states, which are returned where None.
    """
    one, pixels = replace(ready, sample=sample), ready.pixels
    parts = (one.tell(pixels[rows], tick) for rows in blocks(pixels))
    return gathered(parts, one.ours.model, one.task, pixels, sample, sinks)


def assemblies(document: Document, made: Twin, device: torch.device) -> tuple[Assembly, Assembly]:
    """The system that assimilates and the one of the truth, which are the same unless told.

    A bias of the truth is what the satellites say and no latent: it is one number for all pixels.
    """
    channels, constants = channels_of(made), offsets(made)
    ours = assemble(document, channels, device=device)
    if made.truth is None and ours.model.biases is None and not constants and not ours.structural:
        return ours, ours
    told = {} if made.truth is None else {"forecast": made.truth}
    values = {**document.values, **told}
    if isinstance(values.get("observe"), Mapping):
        left_out = ("bias", "bias_days")
        values["observe"] = {k: v for k, v in values["observe"].items() if k not in left_out}
    if isinstance(values.get("products"), Mapping):  # a truth is not open
        values["products"] = {**values["products"], "structural": 0.0}
    theirs = assemble(replace(document, values=values), channels, device=device)
    added = {sensor: torch.tensor(row, device=device) for sensor, row in constants.items()}
    known = known_biases(ours, made)
    surface = theirs.model.derive
    model = replace(
        theirs.model,
        observe=Offset(theirs.model.observe, added),
        derive=lambda ensemble, angles: surface(ensemble, angles) | constant(known, ensemble),
    )
    return ours, replace(theirs, model=model)


def known_biases(ours: Assembly, made: Twin) -> dict[str, float]:
    """What the bias latents of a run are in truth, by their names; none where it has none."""
    biases, true = ours.model.biases, true_biases(made)
    return {} if biases is None else {name: true.get(name, 0.0) for name in biases.names}


def task_of(document: Document, made: Twin) -> Task:
    """What the configuration asks of every block."""
    wanted, output = section(document, "score", score), section(document, "products", products)
    for key in ("withhold", "in_situ"):
        if (document.values.get("score") or {}).get(key):
            raise InputError(
                f"{document.path}: score.{key}: a twin experiment is scored on its truth; remove it"
            )
    start, end = period_of(document)
    asked = tuple(float(t) for t in np.arange(start + 0.5, end, output.every_days))
    return Task(
        seed=document.values.get("seed", SEED),
        members=document.values.get("members", MEMBERS),
        start=start,
        asked=asked,
        horizons=horizons_of(document, wanted),
        smooth=document.values.get("smooth") is not None,
        scored=start + wanted.burn_in,
        columns=made.shape[1] if len(made.shape) == 2 else 0,
        seasons=output.seasons,
    )


def rows_of(ours: Assembly, looks: Sequence[Acquisition], task: Task) -> int:
    """Rows of a block that are worked on at once; all where a scheme gathers neighbours."""
    if ours.model.gathers:
        return BLOCK
    biases = () if ours.model.biases is None else ours.model.biases.names
    steps = len(looks) + len(task.asked)
    return rows_at_once(steps, task.members, ours.layout.size + len(biases))


def comparisons(ours: Assembly, looks: Sequence[Acquisition], task: Task) -> int:
    """Comparisons of one pixel, about: dates, cases, channels and variables."""
    names = len(ours.layout.names) + len(ours.model.described)
    cases = 5 + len(task.horizons)
    return cases * sum(a.values.shape[1] + 1 + names for a in looks)
