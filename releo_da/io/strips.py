"""A map that does not fit into memory, read in parts of whole pieces of work.

What a run must know of the whole series before it starts is found by a first pass over the files
(`survey`): which pixels and which times were ever seen, how many values each product has (for the
choice among duplicates), what was rejected why. Checks that compare products with their neighbours
in time, and those of units and scales, need values: they are given a sample, the pixels of every
s-th row and column, with s the least step that leaves at most `SAMPLE` of them. A map of no more
pixels is its own sample, and then every decision is the one that a run in memory takes. (Two things
differ: a run in memory counts clear values for the choice among duplicates after faults are mended,
and gives a pixel that one of several sources never saw the mean angles of that source.)

A second pass (`Stream.parts`) gives the series part by part. A part holds whole pieces of what a
run works on at once (`releo_da.cycling.draws`), so results do not depend on where parts begin;
pixels of a piece that the next rows complete are held back and go with them.

Memory: a strip of each file, a part, and for each pixel its coordinates and one bit per time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.cube import Cube
from releo_da.io.series import Series, drop_duplicates, merge
from releo_da.io.strip_facts import Facts, Judge
from releo_da.types import Acquisition, InputError

SAMPLE = 2048
"""Pixels, at most, that checks of the whole series and records of a run look at."""

PART = 8192
"""Pixels of a part, as nearly as whole rows allow."""

Mend = Callable[[Sequence[Acquisition]], list[Acquisition]]
"""Undoes faults that were found in some products; the same list, in the same order."""

Check = Callable[[Series], tuple[Mend, frozenset[str], list[dict[str, Any]]]]
"""From the sample: how to mend, the names of suspicious products, records for the log."""


class Stream(NamedTuple):
    """A series over a map, of which parts are read one after the other.

    Attributes:
        sample: the series over a sample of the pixels, with the log and channels of the whole.
        pixels: all pixels that were seen at least once, by ascending id.
        clear: ``[pixel, byte]`` uint8, the bits of each pixel say at which acquisitions of the
            sample it was seen.
        parts: the series part by part, each with the same acquisitions as the sample.
    """

    sample: Series
    pixels: xr.Dataset
    clear: NDArray[np.uint8]
    parts: Callable[[], Iterator[Series]]

    def seen(self, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Dates on which pixels were seen, ``[n] -> [n, acquisition]``."""
        count = len(self.sample.acquisitions)
        return np.unpackbits(self.clear[index], axis=1, count=count).astype(bool)


def survey(
    cubes: Sequence[Cube],
    judge: Judge,
    check: Check,
    pieces: Callable[[torch.Tensor], torch.Tensor],
    tick: Callable[[str], None] = lambda text: None,
) -> Stream:
    """Read cubes once for what a run must know of the whole, and prepare to read them in parts.

    Args:
        cubes: on one grid, with the same rows and columns kept.
        judge: looks at the sample of each cube for what is wrong with the whole of it.
        check: looks for faulty products.
        pieces: where pieces of work end among the ids of all pixels (`releo_da.cycling.draws`).
        tick: called after each part.

    Raises:
        InputError: the cubes lie on different pixels, or as the readers.
        NothingClear: no value is left.
    """
    _check_space(cubes)
    step = sample_step(cubes[0].rows.size, cubes[0].columns.size)
    facts = [Facts(cube, step) for cube in cubes]
    found = _first_pass(cubes, facts, step, tick)
    # As `merge` orders them: by time, sources one after the other.
    order = np.argsort([a.time for fact in facts for a in fact.products], kind="stable")
    counts = np.concatenate([fact.counts for fact in facts])[order]
    log = [
        record for k, fact in enumerate(facts) for record in [*fact.log(), *fact.judged(k, judge)]
    ]
    alive = [int(k) for k in np.flatnonzero(counts)]
    living = [found.sample.acquisitions[k] for k in alive]
    sample = found.sample._replace(acquisitions=living, log=log)
    mend, suspicious, said = check(sample)
    mended = sample._replace(acquisitions=mend(sample.acquisitions), log=[*log, *said])
    places = {id(a): k for k, a in enumerate(mended.acquisitions)}
    chosen = drop_duplicates(mended, suspicious, lambda a: int(counts[alive[places[id(a)]]]))
    kept = [places[id(a)] for a in chosen.acquisitions]
    ends = pieces(torch.from_numpy(found.pixels["id"].values)).numpy()

    def choose(acquisitions: Sequence[Acquisition]) -> list[Acquisition]:
        those = mend([acquisitions[k] for k in alive])
        return [those[k] for k in kept]

    clear = _of_times(found.bits, [alive[k] for k in kept])
    return Stream(chosen, found.pixels, clear, partial(_parts, cubes, found.used, choose, ends))


class _Found(NamedTuple):
    """What a first pass over all cubes finds.

    Attributes:
        sample: the series over the sample of the pixels, every time of every cube.
        pixels: all pixels that were seen at least once.
        used: ``[pixel]`` of each part, which these are.
        bits: ``[pixel, byte]`` of each part, the times at which each of these was seen.
    """

    sample: Series
    pixels: xr.Dataset
    used: list[NDArray[np.bool_]]
    bits: list[NDArray[np.uint8]]


def _first_pass(
    cubes: Sequence[Cube], facts: Sequence[Facts], step: int, tick: Callable[[str], None]
) -> _Found:
    """Read all parts of all cubes, and let each part go."""
    bits: list[NDArray[np.uint8]] = []
    used: list[NDArray[np.bool_]] = []
    samples: list[Series] = []
    pixels: list[xr.Dataset] = []
    for rows in groups(cubes[0]):
        read = [cube.read(rows) for cube in cubes]
        for fact, series in zip(facts, read, strict=True):
            fact.add(rows, series)
        part = merge(read)
        seen = torch.stack([a.seen.any(-1) for a in part.acquisitions]).numpy()
        mask = np.logical_or.reduce(seen, axis=0)
        used.append(mask)
        bits.append(np.packbits(seen[:, mask], axis=0).T)
        pixels.append(part.pixels.isel(pixel=mask))
        samples.append(_of_pixels(part, mask & _sampled(part.pixels, cubes[0], step)))
        tick("reading")
    return _Found(_joined(samples), _concatenated(pixels), used, bits)


def _parts(
    cubes: Sequence[Cube],
    used: Sequence[NDArray[np.bool_]],
    choose: Callable[[Sequence[Acquisition]], list[Acquisition]],
    ends: NDArray[np.int64],
) -> Iterator[Series]:
    """The series part by part, each up to the end of a piece of work.

    Args:
        cubes: the maps.
        used: ``[pixel]`` of each part that is read, which pixels were seen at least once.
        choose: of the acquisitions of all cubes those of the series, mended.
        ends: ids at which pieces end.
    """
    held: Series | None = None
    for rows, mask in zip(groups(cubes[0]), used, strict=True):
        part = _of_pixels(merge([cube.read(rows) for cube in cubes]), mask)
        part = part._replace(acquisitions=choose(part.acquisitions))
        held = part if held is None else _joined([held, part])
        ids = held.pixels["id"].values
        complete = ends <= (int(rows[-1]) + 1) * cubes[0].grid.width
        ahead = ends[complete].max(initial=0)
        if (ids < ahead).any():
            yield _of_pixels(held, ids < ahead)
            held = _of_pixels(held, ids >= ahead)
    if held is not None and held.pixels.sizes["pixel"]:
        yield held


def sample_step(height: int, width: int) -> int:
    """The least step along rows and columns that leaves at most `SAMPLE` pixels."""
    step = 1
    while -(-height // step) * -(-width // step) > SAMPLE:
        step += 1
    return step


def groups(cube: Cube) -> list[NDArray[np.intp]]:
    """The rows of each part: about `PART` pixels, none across two strips."""
    count = max(PART // cube.columns.size, 1)
    strips = np.split(cube.rows, np.flatnonzero(np.diff(cube.rows // cube.strip)) + 1)
    return [strip[k : k + count] for strip in strips for k in range(0, strip.size, count)]


def _check_space(cubes: Sequence[Cube]) -> None:
    """Refuse cubes of which other rows or columns are kept than of the first.

    Raises:
        InputError: names the two.
    """
    first = cubes[0]
    for other in cubes[1:]:
        same = np.array_equal(first.rows, other.rows)
        if not (same and np.array_equal(first.columns, other.columns)):
            raise InputError(
                f"{other.layout.path}: a map that is read in parts needs the same rows and columns "
                f"as {first.layout.path}; give every source the same window, stride and select"
            )


def _sampled(pixels: xr.Dataset, cube: Cube, step: int) -> NDArray[np.bool_]:
    """Which pixels belong to the sample: every so many-th of the rows and columns that are kept."""
    row = np.searchsorted(cube.rows, pixels["row"].values)
    column = np.searchsorted(cube.columns, pixels["col"].values)
    return (row % step == 0) & (column % step == 0)


def _of_pixels(series: Series, mask: NDArray[np.bool_]) -> Series:
    """The series over some of its pixels."""
    if mask.all():
        return series
    index = torch.from_numpy(np.flatnonzero(mask))
    acquisitions = [
        a._replace(values=a.values[index], error=a.error[index], angles=a.angles[index])
        for a in series.acquisitions
    ]
    return series._replace(acquisitions=acquisitions, pixels=series.pixels.isel(pixel=mask))


def _joined(parts: Sequence[Series]) -> Series:
    """Parts with the same acquisitions, one after the other along the pixel axis."""
    first = parts[0]
    columns = zip(*(part.acquisitions for part in parts), strict=True)
    acquisitions = [
        same[0]._replace(
            values=torch.cat([a.values for a in same]),
            error=torch.cat([a.error for a in same]),
            angles=torch.cat([a.angles for a in same]),
        )
        for same in columns
    ]
    axes = [part.pixels for part in parts]
    return first._replace(acquisitions=acquisitions, pixels=_concatenated(axes))


def _concatenated(axes: Sequence[xr.Dataset]) -> xr.Dataset:
    """Pixel axes one after the other; what is along the whole grid stands once."""
    first = axes[0]
    along = {
        str(name): ("pixel", np.concatenate([a[name].values for a in axes]))
        for name, c in first.coords.items()
        if c.dims == ("pixel",)
    }
    others = {str(n): c for n, c in first.coords.items() if "pixel" not in c.dims}
    return xr.Dataset(coords={**along, **others}, attrs=first.attrs)


def _of_times(bits: Sequence[NDArray[np.uint8]], order: Sequence[int]) -> NDArray[np.uint8]:
    """Bits of the times that are kept, in their order, ``[pixel, byte]``."""
    found = []
    for part in bits:
        flags = np.unpackbits(part, axis=1)[:, list(order)]
        found.append(np.packbits(flags, axis=1))
    return np.concatenate(found)
