r"""A series of acquisitions as tokens: what was seen, at which wavelength, from where, and when.

    token (pixel p, acquisition a, channel c)  =  value, error          [P, A, C]
                                                  wavelength, width     [A, C]     (nm)
                                                  angles                [P, A, 3]  (degrees)
                                                  time                  [A]        (days)

A token knows no sensor and no channel name: a sensor that nobody has seen yet is other wavelengths.
What was not seen has infinite error, and its value and angles are 0, so that nothing of it enters.

Two invariances hold exactly, because tokens come in one order and once: acquisitions by time, then
sensor, then content; channels by wavelength, then width. Shuffling a series or its channels gives
the same tokens, and so does an acquisition that is there twice (the same time, sensor and content).
Channels without a wavelength (indices, what others estimated) are no tokens.

Cost: a copy of the series.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.types import Acquisition, InputError

Bands = Mapping[str, tuple[Sequence[float], Sequence[float]]]
"""Per sensor the centre wavelengths and the widths (nm) of its channels; NaN of what has none."""

EMPTY = (1000.0, 10.0)
"""Wavelength and width where an acquisition has fewer channels than others; never seen."""


class Tokens(NamedTuple):
    """A series as tokens.

    Attributes:
        value: ``[P, A, C]``, 0 where nothing was seen.
        error: ``[P, A, C]`` standard deviation, infinite where nothing was seen.
        wavelength: ``[A, C]`` centre (nm) float64.
        width: ``[A, C]`` full width at half maximum (nm) float64.
        angles: ``[P, A, 3]`` degrees: sun zenith, view zenith, relative azimuth in [0, 180].
        time: ``[A]`` days since 1970-01-01, float64.
    """

    value: Tensor
    error: Tensor
    wavelength: Tensor
    width: Tensor
    angles: Tensor
    time: Tensor

    @property
    def seen(self) -> Tensor:
        """True where a value was seen, ``[P, A, C]``."""
        return torch.isfinite(self.error)

    def of(self, rows: Tensor) -> Tokens:
        """The tokens of some pixels, ``rows [K]`` int64."""
        value, error, angles = (t[rows] for t in (self.value, self.error, self.angles))
        return self._replace(value=value, error=error, angles=angles)


class Described(NamedTuple):
    """One acquisition with the wavelengths of its channels, in canonical order."""

    acquisition: Acquisition
    wavelength: list[float]
    width: list[float]


def tokens_of(acquisitions: Sequence[Acquisition], bands: Bands) -> Tokens:
    """The tokens of a series, whatever the order of its acquisitions and channels.

    Args:
        acquisitions: of one pixel axis, at least one.
        bands: of every sensor among them.

    Raises:
        InputError: a sensor is not among the bands, or has another number of channels there.
        ValueError: there is no acquisition; `no_tokens` is what nothing says.
    """
    if not acquisitions:
        raise ValueError("a series without acquisitions has no pixel axis; use no_tokens")
    return stacked(canonical(acquisitions, bands))


def no_tokens(pixels: int, like: Tensor) -> Tokens:
    """The tokens of pixels of which nothing was ever seen.

    Args:
        pixels: number.
        like: a tensor whose dtype and device they take.
    """
    seen = like.new_zeros((pixels, 0, 0))
    bands = torch.zeros((0, 0), dtype=torch.float64, device=like.device)
    angles = like.new_zeros((pixels, 0, 3))
    return Tokens(seen, seen.clone(), bands, bands.clone(), angles, bands[:, :0].flatten())


def canonical(acquisitions: Sequence[Acquisition], bands: Bands) -> list[Described]:
    """Acquisitions in the one order, each once, what was not seen set to 0.

    Raises:
        InputError: as `tokens_of`.
    """
    described = [_described(acquisition, bands) for acquisition in acquisitions]
    kept: list[Described] = []
    for _, group in groupby(sorted(described, key=_dated), key=_dated):
        same = list(group)
        if len(same) > 1:
            contents = {_content(one): one for one in same}
            same = [contents[key] for key in sorted(contents)]
        kept += same
    return kept


def stacked(described: Sequence[Described]) -> Tokens:
    """Acquisitions in canonical order as tokens; those with fewer channels are filled up."""
    most = max(len(one.wavelength) for one in described)

    def filled(values: Tensor, fill: float) -> Tensor:
        return torch.nn.functional.pad(values, (0, most - values.shape[1]), value=fill)

    def table(rows: list[list[float]], fill: float) -> Tensor:
        full = [row + [fill] * (most - len(row)) for row in rows]
        return torch.tensor(full, dtype=torch.float64, device=values.device).reshape(-1, most)

    values = described[0].acquisition.values
    each = [one.acquisition for one in described]
    return Tokens(
        torch.stack([filled(a.values, 0.0) for a in each], 1),
        torch.stack([filled(a.error, math.inf) for a in each], 1),
        table([one.wavelength for one in described], EMPTY[0]),
        table([one.width for one in described], EMPTY[1]),
        torch.stack([a.angles for a in each], 1),
        torch.tensor([a.time for a in each], dtype=torch.float64, device=values.device),
    )


def _dated(one: Described) -> tuple[float, str]:
    return one.acquisition.time, one.acquisition.sensor


def _content(one: Described) -> tuple[tuple[float, ...], ...]:
    """All that an acquisition says, as something that can be compared."""
    said = one.acquisition
    return tuple(tuple(t.flatten().tolist()) for t in (said.values, said.error, said.angles))


def _described(acquisition: Acquisition, bands: Bands) -> Described:
    """An acquisition with its channels in canonical order, and nothing where nothing was seen."""
    if acquisition.sensor not in bands:
        raise InputError(
            f"no wavelengths of the sensor '{acquisition.sensor}' are given; give those of "
            f"{', '.join(sorted(bands)) or 'no sensor'} and of it"
        )
    centres, widths = bands[acquisition.sensor]
    number = acquisition.values.shape[1]
    if not len(centres) == len(widths) == number:
        raise InputError(
            f"sensor '{acquisition.sensor}': {len(centres)} wavelengths and {len(widths)} widths "
            f"for {number} channels; give one of each per channel"
        )
    seen = acquisition.seen
    values = torch.where(seen, acquisition.values, 0.0)
    angles = torch.where(seen.any(-1, keepdim=True), acquisition.angles, 0.0)
    known = [c for c in range(number) if math.isfinite(centres[c]) and math.isfinite(widths[c])]
    pairs = [(float(centres[c]), float(widths[c])) for c in known]
    keys: list[tuple] = list(pairs)
    if len(set(pairs)) < len(pairs):  # two channels of one wavelength: what they say tells them
        keys = [
            (*pair, values[:, c].tolist(), acquisition.error[:, c].tolist())
            for pair, c in zip(pairs, known, strict=True)
        ]
    place = sorted(range(len(known)), key=keys.__getitem__)
    index = torch.tensor([known[k] for k in place], dtype=torch.int64, device=values.device)
    chosen = acquisition._replace(
        values=values[:, index], error=acquisition.error[:, index], angles=angles
    )
    return Described(chosen, [pairs[k][0] for k in place], [pairs[k][1] for k in place])
