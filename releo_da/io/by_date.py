"""A file of many dates, read one date after the other: memory is that of one date.

What a date becomes may depend on the others: a grid keeps the pixels that were seen on any of them,
angles that a date lacks are the means of the others, names of products are told apart, and units
are judged by all (`releo_da.io.magnitude`). So there are two passes over the file, open all the
while:

    look    every date, one after the other; memory keeps a few numbers per pixel, and a sample
    load    dates that are wanted, as `releo_da.io.reading.assemble` makes them of the whole file

The sample is every s-th pixel of every axis of space, of all dates, together no more than one date
has (or `SAMPLE`); units are judged by it. A file of no more is its own sample.

A portion is what is read of the disk at once and stays in memory as the file has it: one date, or
the dates of one chunk, so that none is unpacked twice, as far as they fit into `PORTION` bytes.
Read at once is a file in which a static field has times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.auxiliary import own_columns, with_fields
from releo_da.io.content import Content, with_named
from releo_da.io.grids import Positions, compact
from releo_da.io.layout import Layout, times_of
from releo_da.io.numbers import Read, numbers, product_names
from releo_da.io.reading import Kept, acquisition_of, assemble
from releo_da.io.reading_log import Told, nothing_clear
from releo_da.io.series import Series
from releo_da.io.times import isoformat
from releo_da.io.unusable import UsualAngles
from releo_da.types import Acquisition

PORTION = 256 * 2**20
"""Bytes of the file that are in memory at once, where a date has fewer."""

SAMPLE = 4096
"""Pixels of all dates together by which units are judged, where one date has fewer."""

Options = ParamSpec("Options")

Look = Callable[[Series], None]
"""Is given every date with a clear value as a series of its own, on all pixels, its log the counts
of values of that date, or of the file where that was read at once."""


class Dates(NamedTuple):
    """What a file holds, without its values.

    Attributes:
        pixels: the pixel axis of all acquisitions.
        log: what reading found.
        duplicates: which of several products of a pass is kept.
        load: the acquisition of a position in the order in which they were looked at.
    """

    pixels: xr.Dataset
    log: list[dict[str, Any]]
    duplicates: str
    load: Callable[[int], Acquisition]


@contextmanager
def looked_at(found: Series | ByDate, look: Look) -> Iterator[Dates]:
    """The dates of a file of which each was looked at; the file is open within the block.

    Args:
        found: an open file, or a series that was read at once.
        look: is called with one date after the other.

    Raises:
        InputError: as the readers.
        NothingClear: no value is left.
    """
    if isinstance(found, ByDate):
        with found.opening() as (dataset, _):
            if not found.at_once(dataset):
                yield _Pass(found, dataset).looked_at(look)
                return
        found = found.series()
    counts = [record for record in found.log if record["kind"] == "values"]
    for acquisition in found.acquisitions:
        look(found._replace(acquisitions=[acquisition], log=counts))
    yield Dates(found.pixels, found.log, found.duplicates, found.acquisitions.__getitem__)


@dataclass(frozen=True)
class ByDate:
    """A file of which dates are read one after the other.

    Attributes:
        opening: opens it, with times along the time axis.
        layout: its axes.
        positions: along time and the axes of space, that are kept.
        content: what is read of it and how.
        pixels: its pixel axis.
        given: ``[1, pixel]`` what is estimated; None means all.
    """

    opening: Callable[[], AbstractContextManager[tuple[xr.Dataset, Layout]]]
    layout: Layout
    positions: Positions
    content: Content
    pixels: xr.Dataset
    given: NDArray[np.bool_] | None = None

    def series(self) -> Series:
        """All of it at once.

        Raises:
            InputError: as the readers.
            NothingClear: no value is left.
        """
        with self.opening() as (dataset, _):
            part = dataset.isel({dim: compact(kept) for dim, kept in self.positions.items()})
            part = with_fields(part, self.layout, self.pixels, self.content.auxiliary)
            return assemble(part, self.layout, self.pixels, self.content, self.given)

    def at_once(self, dataset: xr.Dataset) -> bool:
        """Whether a static field has times, so that all of them are needed."""
        named = own_columns(self.content.auxiliary).values()
        return any(n in dataset and self.layout.time in dataset[n].dims for n in named)

    def height(self, dataset: xr.Dataset) -> int:
        """How many dates are read at once."""
        dim, chunk, per_date = self.layout.time, 1, 0
        for array in dataset.variables.values():
            if dim not in array.dims or array.ndim == 1:
                continue
            others = [
                self.positions[str(d)].size if d in self.positions else dataset.sizes[d]
                for d in array.dims
                if d != dim
            ]
            per_date += int(np.prod(others)) * max(array.dtype.itemsize, 4)
            chunk = max(chunk, int(array.encoding.get("preferred_chunks", {}).get(dim, 1)))
        return max(min(chunk, PORTION // max(per_date, 1)), 1)


class Whole(Protocol):
    """What can be read at once."""

    def series(self) -> Series:
        """All of it."""
        ...


def whole(function: Callable[Options, Whole]) -> Callable[Options, Series]:
    """The function that opens a file, made one that reads it at once."""

    @wraps(function)
    def read(*arguments: Options.args, **options: Options.kwargs) -> Series:
        return function(*arguments, **options).series()

    return read


class _Pass:
    """An open file, of which one portion and the numbers of one date are held."""

    def __init__(self, file: ByDate, dataset: xr.Dataset) -> None:
        layout, content = file.layout, file.content
        self.file, self.dataset = file, dataset
        self.times = file.positions[layout.time]
        dated = self.dataset.isel({layout.time: self.times})
        self.days = times_of(dated, layout)
        self.products = product_names(content.product, self.days, dated, layout)
        self.portions = self.times // file.height(with_named(dataset, layout, content))
        space = {axis: compact(file.positions[axis]) for axis in layout.space}
        first = self.dataset.isel({**space, layout.time: self.times[:1]})
        made = with_fields(first, layout, file.pixels, content.auxiliary)
        self.fields = {str(n): made[n].variable for n in made.variables if n not in first.variables}
        self.usual = UsualAngles()
        self.used: Kept = slice(None)
        self.clear: list[int] = []
        self._portion: tuple[int, int, xr.Dataset] | None = None
        self._read: tuple[int, Read] | None = None

    def part(self, k: int) -> xr.Dataset:
        """One date as the file has it."""
        dim, number = self.file.layout.time, int(self.portions[k])
        if self._portion is None or self._portion[0] != number:
            self._portion = None
            dates = np.flatnonzero(self.portions == number)
            kept = {**self.file.positions, dim: self.times[dates]}
            found = self.dataset.isel({d: compact(p) for d, p in kept.items()})
            named = with_named(found, self.file.layout, self.file.content).load()
            # Others stay in the file, and in the messages that say what it has.
            found = found.assign({n: a.variable for n, a in named.data_vars.items()})
            self._portion = number, int(dates[0]), found
        _, first, held = self._portion
        return held.isel({dim: slice(k - first, k - first + 1)}).assign(self.fields)

    def read(self, k: int) -> Read:
        """The numbers of one date; the only one is the whole of its file."""
        if self._read is None or self._read[0] != k:
            self._read = None
            file, alone = self.file, len(self.days) == 1
            part = self.part(k)
            read = numbers(part, file.layout, file.pixels, file.content, file.given, whole=alone)
            self._read = k, read._replace(products=[self.products[k]])
        return self._read[1]

    def load(self, k: int) -> Acquisition:
        """One acquisition, by its place among those with a clear value."""
        return acquisition_of(self.read(self.clear[k]), 0, self.usual, self.used)

    def looked_at(self, look: Look) -> Dates:
        """Look at every date, and judge the whole."""
        file, path, count = self.file, self.file.layout.path, len(self.days)
        sample = _Sample(file, count)
        seen = np.zeros(file.pixels.sizes["pixel"], bool)
        counts: dict[str, Any] = {"read": 0, "rejected": Counter(), "by_channel": {}, "seen": 0}
        sensors = []
        for k in range(count):
            sample.add(self.part(k), self.fields)
            read = self.read(k)
            self.usual.add(read.geometry, read.good)
            _count(counts, read.counts)
            sensors += read.sensors
            here = read.seen[0].any(-1)
            seen |= here
            if here.any():
                self.clear.append(k)
                one = acquisition_of(read, 0, UsualAngles(), slice(None))
                record = {"kind": "values", "path": path, **read.counts}
                names = {read.sensors[0]: read.channels}
                look(Series([one], file.pixels, [record], names, file.content.duplicates))
        axis = read.pixels  # with its static fields, which are those of every date
        if count > 1:
            sample.judge()
        if not counts["seen"]:
            first, last = isoformat(self.days.min()), isoformat(self.days.max())
            raise nothing_clear(
                path, first, last, counts["read"], counts["rejected"], self.products
            )
        if axis.attrs["kind"] == "grid":
            self.used = np.flatnonzero(seen)
            axis = axis.isel(pixel=self.used)
        dark = np.ones(count, bool)
        dark[self.clear] = False
        told = Told(path, self.days, sensors, self.products, dark, axis.sizes["pixel"])
        counts["rejected"] = dict(counts["rejected"])
        return Dates(axis, told.log(counts), file.content.duplicates, self.load)


class _Sample:
    """Some pixels of all dates, by which units are judged."""

    def __init__(self, file: ByDate, count: int) -> None:
        self.file = file
        sizes = [file.positions[axis].size for axis in file.layout.space]
        most, self.step = max(int(np.prod(sizes)), SAMPLE), 1
        while count * int(np.prod([-(-n // self.step) for n in sizes])) > most and (
            self.step < max(sizes)
        ):
            self.step += 1
        every = tuple(slice(None, None, self.step) for _ in sizes)
        self.pixels = np.arange(int(np.prod(sizes))).reshape(sizes)[every].ravel()
        self.pieces: list[xr.Dataset] = []

    def add(self, part: xr.Dataset, fields: Mapping[str, xr.Variable]) -> None:
        """Keep the sample's pixels of a date, with static fields."""
        space = {axis: slice(None, None, self.step) for axis in self.file.layout.space}
        named = with_named(part, self.file.layout, self.file.content).assign(fields)
        self.pieces.append(named.isel(space).copy(deep=True))

    def judge(self) -> None:
        """Refuse numbers that are no reflectances, and angles that are no degrees."""
        file = self.file
        joined = xr.concat(
            self.pieces, file.layout.time, data_vars="minimal", coords="minimal", compat="override"
        )
        given = None if file.given is None else file.given[:, self.pixels]
        numbers(joined, file.layout, file.pixels.isel(pixel=self.pixels), file.content, given)


def _count(total: dict[str, Any], one: dict[str, Any]) -> None:
    """Add what was read, seen and rejected of a date."""
    for key in ("read", "seen"):
        total[key] += one[key]
    total["rejected"].update(one["rejected"])
    for reason, by_channel in one["by_channel"].items():
        before = total["by_channel"].get(reason, {})
        total["by_channel"][reason] = {n: c + before.get(n, 0) for n, c in by_channel.items()}
