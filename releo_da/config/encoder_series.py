"""The series that an encoder is trained on: simulated ones without end, or those of files.

An entry of ``train.series`` is a source with its period. Every few steps on a twin experiment a new
block of pixels is simulated, another land under other weather, clouds and noise, and the last one
is dropped: nothing is kept but the block at hand. The number of the block is its seed; a training
that goes on after an interruption simulates the same. Validation has seeds of its own. Where the
truth is a draw of a forecaster its latents are known and go along.

Files are read once. Some of their pixels are set aside for validation, by their position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from releo_da.config.document import Document
from releo_da.config.natures import tuned
from releo_da.config.sections import as_date
from releo_da.config.simulated import TRAINING
from releo_da.config.sources import read_sources
from releo_da.config.twin_setting import Prepared, prepared
from releo_da.config.twin_source import channels_of, is_twin
from releo_da.learning.batches import Seen
from releo_da.runs.acquire import Nature
from releo_da.runs.model import on
from releo_da.state.layout import Layout
from releo_da.state.variables import deviations
from releo_da.types import Acquisition, InputError

VALIDATION, TEST = 0x76616C69, 0x74657374
"""Tell the seeds of validation and of tests from those of training."""

ASIDE = 8
"""Of the pixels of files every eighth is for validation."""

ENTRY = {"source", "period", "forecast", "seed"}
"""Keys of an entry; they take the place of those of the configuration."""

Complete = Callable[[Acquisition], Acquisition]
"""Completes the instrument error of an acquisition to the full R."""


@dataclass(frozen=True)
class Block:
    """A block of pixels with what is known of its truth.

    Attributes:
        seen: the series, instrument errors only.
        truth: variables of the truth by name, ``[date, pixel]`` each; empty where none is known.
    """

    seen: Seen
    truth: Mapping[str, Tensor]


@dataclass(frozen=True)
class Stream:
    """One source of series.

    Attributes:
        name: its key in ``train.series``.
        channels: for each sensor, its channels.
        training: ``training(number)``, the block of that number.
        validation: a block that is never trained on.
    """

    name: str
    channels: Mapping[str, tuple[str, ...]]
    training: Callable[[int], Block]
    validation: Callable[[], Block]


def streams_of(
    document: Document, entries: Mapping[str, Any], key: str, layout: Layout, device: torch.device
) -> list[Stream]:
    """The sources that a configuration names, opened.

    Args:
        document: the configuration.
        entries: name -> ``{source: .., period: ..}``.
        key: of the entries, for messages; those of ``train.test`` may ask for test years.
        layout: of the state.
        device: where tensors live.

    Raises:
        InputError: an entry is no source, or its land asks for years that are set apart for tests.
    """
    found = []
    for name, entry in entries.items():
        where = f"train.{key}.{name}"
        if not isinstance(entry, Mapping) or not set(entry) <= ENTRY:
            raise InputError(
                f"{document.path}: {where}: wants {{source: .., period: [first, last]}}, got "
                f"{str(entry)[:60]}"
            )
        values = {**document.values, **entry}
        if "period" in values:
            first, last = values["period"]
            values["period"] = (as_date(first, where), as_date(last, where))
        # Dates of products are times at which a truth would be simulated for nothing.
        values["products"] = {"every_days": 1e6, "variables": ["lai"]}
        one = replace(document, values=values)
        if is_twin(one):
            found.append(_simulated(one, name, where, key == "test", layout, device))
        else:
            found.append(_read(one, name, device))
    return found


def _simulated(
    document: Document, name: str, where: str, test: bool, layout: Layout, device: torch.device
) -> Stream:
    """Blocks of a twin experiment."""
    ready = prepared(document, device)
    if ready.made.nature is not None and not test:
        nature = tuned(ready.made.nature, f"{where}.source.twin.nature")
        ready = replace(ready, made=replace(ready.made, nature=nature))

    def block(label: int, number: int) -> Block:
        mixed = np.random.SeedSequence((ready.task.seed, label, number)).generate_state(1)
        one = replace(ready, seed=int(mixed[0]))
        return _told(one.simulate(one.pixels), one, layout)

    return Stream(
        name,
        channels_of(ready.made),
        lru_cache(maxsize=1)(lambda number: block(TRAINING, number)),
        lambda: block(TEST if test else VALIDATION, 0),
    )


def _told(nature: Nature, ready: Prepared, layout: Layout) -> Block:
    """A nature run as a block; its latents where the truth is a draw of a forecaster."""
    decoded = [nature.truth.decode(nature.states[a.time]) for a in nature.acquisitions]
    latents = None
    if ready.made.nature is None:
        latents = [
            layout.anamorphosis.encode(torch.cat([d[n] for n in layout.names], -1).double()).float()
            for d in decoded
        ]
    known = [n for n in deviations() if n in decoded[0]]
    truth = {n: torch.stack([d[n][:, 0] for d in decoded]) for n in known}
    return Block(Seen(nature.acquisitions, latents), truth)


def _read(document: Document, name: str, device: torch.device) -> Stream:
    """The series of files, once for all steps."""
    series = read_sources(document)
    position = torch.arange(series.pixels.sizes["pixel"])
    aside = position % ASIDE == ASIDE - 1
    if not aside.any():
        raise InputError(
            f"{document.path}: train.series.{name}: {len(position)} pixels are too few to set some "
            f"aside for validation; give {ASIDE} or more"
        )

    def block(rows: Tensor) -> Block:
        part = [on(a, device, position[rows]) for a in series.acquisitions]
        return Block(Seen([a for a in part if bool(a.seen.any())]), {})

    training = lru_cache(maxsize=1)(lambda: block(~aside))
    return Stream(name, series.channels, lambda number: training(), lambda: block(aside))


def together(streams: Sequence[Stream], path: object) -> dict[str, tuple[str, ...]]:
    """For each sensor of several sources, its channels.

    Raises:
        InputError: two sources have other channels of one sensor.
    """
    found: dict[str, tuple[str, ...]] = {}
    for stream in streams:
        for sensor, names in stream.channels.items():
            if found.setdefault(sensor, names) != names:
                raise InputError(
                    f"{path}: train: {sensor} has other channels in '{stream.name}' than in "
                    "another series; give the same to both"
                )
    return found
