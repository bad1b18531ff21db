r"""What is hidden of a series, for a model that learns by predicting it.

Five kinds, each with a share, drawn for every pixel by itself:

    dates        an acquisition, with the probability ``dates``
    channels     each channel of an acquisition by chance, with the probability ``channels``
    sensors      all that one of the sensors saw, with the probability ``sensors``
    periods      all acquisitions within a stretch of ``days``, with the probability ``periods``
    wavelengths  what all sensors saw within `NEAR` of one channel's wavelength, with the
                 probability ``wavelengths``

They teach different things: single dates are filled in from neighbours a few days away, parts of a
spectrum from the rest of it and from other days, a sensor from the others (what the canopy has in
common for all of them), a stretch from the season, a wavelength that was never seen from the
canopy alone. ``difficulty`` multiplies all shares and the length of stretches:
0 hides nothing. Shapes: one ``[pixel, channel]`` mask per acquisition; cost O(values).

Reference: He et al. (2022), Masked autoencoders are scalable vision learners, CVPR, section 3, for
hiding much as a task that cannot be solved by copying a neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from releo_da.learning.gaps import Gaps, hidden
from releo_da.types import Acquisition

NEAR = 0.035
"""Channels are hidden together whose centres differ by less than this share: red of all sensors is,
neighbouring channels of the red edge are not."""

KINDS = ("dates", "channels", "sensors", "periods", "wavelengths")

Centres = Mapping[str, Sequence[float]]
"""Per sensor the centre wavelengths (nm) of its channels; NaN of what has none."""


@dataclass(frozen=True)
class Hiding:
    """How much is hidden.

    Attributes:
        dates: probability that an acquisition is hidden from a pixel.
        channels: probability that an acquisition loses part of its channels.
        sensors: probability that a pixel loses one of the sensors.
        periods: probability that a pixel loses a stretch.
        wavelengths: probability that a pixel loses a wavelength on all dates.
        days: shortest and longest such stretch.
        difficulty: multiplies the shares, of which none passes 1, and the length of stretches.
    """

    dates: float = 0.3
    channels: float = 0.2
    sensors: float = 0.2
    periods: float = 0.5
    wavelengths: float = 0.0
    days: tuple[float, float] = (15.0, 90.0)
    difficulty: float = 1.0

    def share(self, kind: str) -> float:
        """The probability of a kind at this difficulty."""
        return min(1.0, self.difficulty * float(getattr(self, kind)))


def hide(
    acquisitions: Sequence[Acquisition],
    hiding: Hiding,
    generator: torch.Generator,
    centres: Centres | None = None,
) -> list[Tensor]:
    """What is hidden, ``[pixel, channel]`` bool for each acquisition.

    Args:
        acquisitions: of the same pixels, in time order.
        hiding: how much.
        generator: the source of all randomness, on the CPU.
        centres: of the channels of every sensor; no wavelength is hidden without them.
    """
    if not acquisitions:
        return []
    pixels = len(acquisitions[0].values)
    shortest, longest = (hiding.difficulty * d for d in hiding.days)
    gaps = Gaps(hiding.share("dates"), hiding.share("periods"), (shortest, longest))
    whole = hidden([a.time for a in acquisitions], pixels, gaps, generator)

    sensors = sorted({a.sensor for a in acquisitions})
    lost = torch.randint(len(sensors), (pixels,), generator=generator)
    lost[torch.rand(pixels, generator=generator) >= hiding.share("sensors")] = -1

    masks = []
    for k, a in enumerate(acquisitions):
        parted = torch.rand(pixels, 1, generator=generator) < hiding.share("channels")
        part = parted & (torch.rand(pixels, a.values.shape[1], generator=generator) < 0.5)
        all_of_it = whole[k] | (lost == sensors.index(a.sensor))
        masks.append(part | all_of_it[:, None])
    if centres is not None and hiding.share("wavelengths") > 0:
        dark = without_light({s: centres[s] for s in sensors}, pixels, hiding, generator)
        masks = [m | dark[a.sensor] for m, a in zip(masks, acquisitions, strict=True)]
    return [m.to(a.values.device) for m, a in zip(masks, acquisitions, strict=True)]


def without_light(
    centres: Centres, pixels: int, hiding: Hiding, generator: torch.Generator
) -> dict[str, Tensor]:
    """Channels that a pixel never sees, ``[pixel, channel]`` bool for each sensor."""
    known = {sensor: torch.tensor(list(of), dtype=torch.float64) for sensor, of in centres.items()}
    every = torch.cat(list(known.values()))
    every = every[every.isfinite()]
    if not len(every):
        return {sensor: torch.zeros(pixels, len(of)).bool() for sensor, of in known.items()}
    lost = every[torch.randint(len(every), (pixels,), generator=generator)]
    lost[torch.rand(pixels, generator=generator) >= hiding.share("wavelengths")] = torch.nan
    return {sensor: (of / lost[:, None] - 1.0).abs() < NEAR for sensor, of in known.items()}


def without(acquisition: Acquisition, hidden: Tensor) -> Acquisition:
    """An acquisition whose hidden values were not seen: their value is 0, their error infinite."""
    return acquisition._replace(
        values=acquisition.values.masked_fill(hidden, 0.0),
        error=acquisition.error.masked_fill(hidden, torch.inf),
    )
