"""The series that an encoder is trained on: simulated ones without end, or those of files.

An entry of ``train.series`` is a source with its period. Every few steps on a twin experiment a new
block of pixels is simulated, another land under other weather, clouds and noise, and the last one
is dropped: nothing is kept but the block at hand. The number of the block is its seed; a training
that goes on after an interruption simulates the same. Validation has seeds of its own. Where the
entry says ``vary``, place, sky, instruments and leaves are drawn for the block as well.

Files are read once. Some of their pixels are set aside for validation, by their position; all of
those of a test are scored.
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
from releo_da.config.encoder_block import Block, Wanted, told_of
from releo_da.config.encoder_variety import checked, varied
from releo_da.config.fit_following import content_of, files_of
from releo_da.config.natures import tuned
from releo_da.config.sections import as_date
from releo_da.config.simulated import TRAINING
from releo_da.config.sources import read_sources
from releo_da.config.twin_setting import Prepared, prepared
from releo_da.config.twin_source import channels_of, is_twin
from releo_da.learning.batches import Seen
from releo_da.learning.stretches import Part
from releo_da.runs.covariates import known_fields
from releo_da.runs.model import on
from releo_da.types import Acquisition, InputError

VALIDATION, TEST = 0x76616C69, 0x74657374
"""Tell the seeds of validation and of tests from those of training."""

ASIDE = 8
"""Of the pixels of files every eighth is for validation."""

ENTRY = {"source", "period", "forecast", "seed"}
"""Keys of an entry; they take the place of those of the configuration."""

VARY = "vary"
"""The key of an entry that says what is drawn for every block."""

Complete = Callable[[Acquisition], Acquisition]
"""Completes the instrument error of an acquisition to the full R."""


@dataclass(frozen=True)
class Stream:
    """One source of series.

    Attributes:
        name: its key in ``train.series``.
        channels: for each sensor, its channels.
        training: ``training(number)``, the block of that number.
        validation: a block that is never trained on.
        content: digest of the series of files, and of the files of sensors and operators.
    """

    name: str
    channels: Mapping[str, tuple[str, ...]]
    training: Callable[[int], Block]
    validation: Callable[[], Block]
    content: str


def streams_of(
    document: Document, entries: Mapping[str, Any], key: str, wanted: Wanted
) -> list[Stream]:
    """The sources that a configuration names, opened.

    Args:
        document: the configuration.
        entries: name -> ``{source: .., period: ..}``.
        key: of the entries, for messages; those of ``train.test`` may ask for test years.
        wanted: what is wanted of every series.

    Raises:
        InputError: an entry is no source, or its land asks for years that are set apart for tests.
    """
    found = []
    for name, entry in entries.items():
        where = f"train.{key}.{name}"
        if not isinstance(entry, Mapping) or not set(entry) <= {*ENTRY, VARY}:
            raise InputError(
                f"{document.path}: {where}: wants {{source: .., period: [first, last]}}, got "
                f"{str(entry)[:60]}"
            )
        values = {**document.values, **entry}
        ranges = checked(values.pop(VARY, {}), f"{document.path}: {where}.{VARY}")
        if "period" in values:
            first, last = values["period"]
            values["period"] = (as_date(first, where), as_date(last, where))
        # Dates of products are times at which a truth would be simulated for nothing.
        values["products"] = {"every_days": 1e6, "variables": ["lai"]}
        one = replace(document, values=values)
        if is_twin(one):
            found.append(_simulated(one, name, where, key == "test", ranges, wanted))
        elif ranges:
            raise InputError(f"{document.path}: {where}.{VARY}: files are as they are; remove it")
        else:
            found.append(_read(one, name, key == "test", wanted.device))
    return found


def _simulated(
    document: Document,
    name: str,
    where: str,
    test: bool,
    ranges: Mapping[str, tuple[float, float]],
    wanted: Wanted,
) -> Stream:
    """Blocks of a twin experiment."""

    def opened(twin: Mapping[str, Any]) -> Prepared:
        values = {**document.values, "source": {"twin": twin}}
        ready = prepared(replace(document, values=values), wanted.device)
        if ready.made.nature is not None and not test:
            nature = tuned(ready.made.nature, f"{where}.source.twin.nature")
            ready = replace(ready, made=replace(ready.made, nature=nature))
        return ready

    base: Mapping[str, Any] = document.values["source"]["twin"]
    ready = opened(base)

    def block(label: int, number: int) -> Block:
        mixed = np.random.SeedSequence((ready.task.seed, label, number)).generate_state(2)
        one = ready
        place: dict[str, float] = {}
        if ranges:
            twin, place = varied(base, ranges, np.random.default_rng(mixed[1]))
            one = opened(twin)
        one = replace(one, seed=int(mixed[0]))
        return told_of(one.simulate(one.pixels), one, wanted, place)

    if ranges:  # what cannot be is refused before anything is trained
        opened(varied(base, ranges, np.random.default_rng(0))[0])

    return Stream(
        name,
        channels_of(ready.made),
        lru_cache(maxsize=1)(lambda number: block(TRAINING, number)),
        lambda: block(TEST if test else VALIDATION, 0),
        content_of([], files=files_of(document)),
    )


def _read(document: Document, name: str, test: bool, device: torch.device) -> Stream:
    """The series of files, once for all steps."""
    series = read_sources(document)
    position = torch.arange(series.pixels.sizes["pixel"])
    aside = (position % ASIDE == ASIDE - 1) | test
    if not aside.any():
        raise InputError(
            f"{document.path}: train.series.{name}: {len(position)} pixels are too few to set some "
            f"aside for validation; give {ASIDE} or more"
        )

    fields = known_fields(series.pixels)

    def block(rows: Tensor) -> Block:
        part = [on(a, device, position[rows]) for a in series.acquisitions]
        place = {name: values[rows] for name, values in fields.items()}
        return Block(Seen([a for a in part if bool(a.seen.any())], place=place), {})

    training = lru_cache(maxsize=1)(lambda: block(~aside))
    content = content_of([Part(series.acquisitions, position)], None, fields, files_of(document))
    return Stream(name, series.channels, lambda number: training(), lambda: block(aside), content)


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
