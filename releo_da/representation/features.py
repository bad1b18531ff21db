r"""Numbers that dates, wavelengths and angles enter the encoder by, smooth in each.

    wavelength  u = log(w / 400) / log(2500 / 400)      u, sin and cos of pi k u, log of the width
    season      sin and cos of 2 pi k t / year           k = 1 .. 3
    lag         d = t - t_a (days)                       kernels exp(-|d| / scale), with the sign
                                                         and without, the season between the dates
    angles      cos sun zenith, cos view zenith, cos phase (the hot spot has 1)

Everything that does not belong to a pixel is computed in float64 and rounded once, so that it does
not depend on how many dates or channels stand beside it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

YEAR = 365.2425
"""Days."""

WAVES = 8
"""Harmonics of the wavelength."""

WAVE_SIZE = 2 + 2 * WAVES
SEASONS = 3
SEASON_SIZE = 2 * SEASONS
SCALES = (2.0, 5.0, 12.0, 30.0, 75.0, 180.0)
"""Days over which kernels of the lag fall to 1/e."""

LAG_SIZE = 2 * len(SCALES) + 2
MOMENTS = 3
ANGLE_SIZE = 3


def wave_features(wavelength: Tensor, width: Tensor) -> Tensor:
    """Features of wavelength and width (nm), ``[...] -> [..., WAVE_SIZE]`` float64."""
    u = torch.log(wavelength / 400.0) / math.log(2500.0 / 400.0)
    phase = math.pi * u[..., None] * torch.arange(1, WAVES + 1, dtype=u.dtype, device=u.device)
    breadth = 0.5 * torch.log(width.clamp_min(1.0) / 30.0)
    return torch.cat([u[..., None], breadth[..., None], torch.sin(phase), torch.cos(phase)], -1)


def season_features(time: Tensor) -> Tensor:
    """Features of the day of the year, ``[T] -> [T, SEASON_SIZE]`` float64."""
    k = torch.arange(1, SEASONS + 1, dtype=time.dtype, device=time.device)
    phase = 2.0 * math.pi * k * (time[:, None] / YEAR)
    return torch.cat([torch.sin(phase), torch.cos(phase)], -1)


def lag_features(lag: Tensor) -> Tensor:
    """Features of a lag (days), ``[...] -> [..., LAG_SIZE]`` float64."""
    scale = torch.tensor(SCALES, dtype=lag.dtype, device=lag.device)
    kernels = torch.exp(-lag[..., None].abs() / scale)
    sides = torch.sign(lag)[..., None] * kernels
    phase = 2.0 * math.pi * lag[..., None] / YEAR
    return torch.cat([kernels, sides, torch.sin(phase), torch.cos(phase)], -1)


def lag_moments(lag: Tensor) -> Tensor:
    """What is averaged of the lags of those attended to, ``[...] -> [..., MOMENTS]`` float64.

    The lag itself, its size and its side, on a scale that grows as a logarithm.
    """
    bent = torch.asinh(lag / 10.0) / 3.0
    return torch.stack([bent, bent.abs(), torch.tanh(lag / 3.0)], -1)


def angle_features(angles: Tensor) -> Tensor:
    """Features of angles (degrees), ``[..., 3] -> [..., ANGLE_SIZE]``."""
    sun, view, azimuth = torch.deg2rad(angles).unbind(-1)
    across = torch.sin(sun) * torch.sin(view) * torch.cos(azimuth)
    high, seen = torch.cos(sun), torch.cos(view)
    return torch.stack([high, seen, high * seen + across], -1)
