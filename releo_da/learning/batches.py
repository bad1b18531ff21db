r"""Batches of a series: some pixels, a window of time, something hidden, some dates asked for.

    pixels   drawn without repetition
    window   of a length drawn from a range, placed at random
    hidden   as `releo_da.learning.hiding` draws it
    errors   told f times as large as they are judged, f drawn for the batch: nobody knows R well
    place    what is known of it, each field of a pixel dropped as often as not
    dates    of the acquisitions in the window, those with more hidden values more often

A batch is a function of the series and of its generator, so that the batch of a step is the same
whenever it is made. Shapes: as `releo_da.learning.prediction.Batch`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from releo_da.learning.hiding import Centres, Hiding, hide, without
from releo_da.learning.prediction import Batch
from releo_da.types import Acquisition

DROPPED = 0.5
"""Probability that a field of a place is unknown to a pixel of a batch."""

Tokens = Callable[[Sequence[Acquisition]], Any]
"""What an encoder takes of a series."""


class Seen(NamedTuple):
    """A series that is learned from.

    Attributes:
        acquisitions: in time order, with the full R.
        latents: for each, ``[pixel, variable]`` where any are known, NaN in columns of variables
            that are not; else None.
        place: what is known of every pixel whatever the date, ``[pixel]`` by name of the field.
    """

    acquisitions: Sequence[Acquisition]
    latents: Sequence[Tensor] | None = None
    place: Mapping[str, Tensor] = {}

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return len(self.acquisitions[0].values)

    def rows(self, chosen: Tensor) -> Seen:
        """The series of some pixels, ``[pixel]`` positions."""
        kept = [
            a._replace(values=a.values[chosen], error=a.error[chosen], angles=a.angles[chosen])
            for a in self.acquisitions
        ]
        known = None if self.latents is None else [z[chosen] for z in self.latents]
        return Seen(kept, known, {name: values[chosen] for name, values in self.place.items()})

    def between(self, start: float, end: float) -> Seen:
        """The part of it within some days."""
        inside = [k for k, a in enumerate(self.acquisitions) if start <= a.time <= end]
        known = None if self.latents is None else [self.latents[k] for k in inside]
        return Seen([self.acquisitions[k] for k in inside], known, self.place)


@dataclass(frozen=True)
class Cut:
    """How large a batch is.

    Attributes:
        pixels: at most.
        dates: that are asked for, at most.
        days: shortest and longest window.
        told: least and largest factor by which the errors that an encoder is told differ from
            those that it is judged by.
    """

    pixels: int = 32
    dates: int = 16
    days: tuple[float, float] = (60.0, 400.0)
    told: tuple[float, float] = (0.5, 2.0)


def cut(
    series: Seen,
    how: Cut,
    hiding: Hiding,
    tokens: Tokens,
    source: torch.Generator,
    statics: Callable[[int, Mapping[str, Tensor], Tensor], Any] | None = None,
    centres: Centres | None = None,
) -> Batch:
    """A batch of a series.

    Args:
        series: with an acquisition at least.
        how: its size.
        hiding: how much of it is hidden.
        tokens: makes of acquisitions what the encoder takes.
        source: of all randomness, on the CPU.
        statics: ``statics(pixels, fields, like)``, makes of a place what the encoder takes.
        centres: wavelengths of the channels of every sensor, where whole ones are hidden.
    """
    chosen = torch.randperm(series.pixels, generator=source)[: how.pixels]
    first, last = series.acquisitions[0].time, series.acquisitions[-1].time
    length, place = torch.rand(2, generator=source).tolist()
    length = how.days[0] + length * (how.days[1] - how.days[0])
    start = first + place * max(0.0, last - first - length)
    part = series.between(start, start + length)
    if not part.acquisitions:  # the window fell into a gap
        part = series
    part = part.rows(chosen)
    masks = hide(part.acquisitions, hiding, source, centres)
    hidden = [m & a.seen for m, a in zip(masks, part.acquisitions, strict=True)]
    weight = torch.stack([m.sum() for m in hidden]).double().cpu()
    weight = weight / weight.sum().clamp_min(1.0) + 1e-3
    number = min(how.dates, len(weight))
    asked = torch.multinomial(weight, number, generator=source).sort().values.tolist()
    times = [part.acquisitions[k].time for k in asked]
    least, most = (math.log(f) for f in how.told)
    factor = math.exp(least + (most - least) * float(torch.rand((), generator=source)))
    shown = [without(a, m) for a, m in zip(part.acquisitions, masks, strict=True)]
    around = None
    if statics is not None and part.place:
        fields = {name: dropped(part.place[name], source) for name in sorted(part.place)}
        around = statics(len(chosen), fields, part.acquisitions[0].values)
    return Batch(
        tokens([a._replace(error=factor * a.error) for a in shown]),
        torch.tensor(times, dtype=torch.float64),
        [without(part.acquisitions[k], ~hidden[k]) for k in asked],
        around,
        None if part.latents is None else torch.stack([part.latents[k] for k in asked], 1),
    )


def dropped(values: Tensor, source: torch.Generator) -> Tensor:
    """A field of a place, NaN for the pixels that it is unknown of."""
    gone = torch.rand(len(values), generator=source) < DROPPED
    return values.masked_fill(gone.to(values.device), torch.nan)
