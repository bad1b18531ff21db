"""What an ensemble said of a value that was observed, one record per value.

Each record compares an observation with the predictive distribution of that observation: members
of H(x) with a draw of R added, so that intervals include the observation error. NDVI is compared as
one more channel, computed from the noisy channels of each member. Records are small (a few numbers
per value), so ensembles need not be kept; scores, figures and intervals are all made from them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from releo_da.types import Acquisition, Noise

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FIELDS = ("observed", "mean", "sd", "crps", "rank", *(f"q{int(100 * q):02d}" for q in QUANTILES))
"""The numbers of a record, in order."""

DARK = 0.02
"""Smallest sum of red and near infrared of which an index is formed (reflectance)."""


class Index(NamedTuple):
    """A normalised difference of two channels, by position."""

    high: int
    low: int


def ndvi_index(channels: tuple[str, ...], pairs: tuple[tuple[str, str], ...]) -> Index | None:
    """Positions of the first pair (near infrared, red) that a sensor has."""
    for high, low in pairs:
        if high in channels and low in channels:
            return Index(channels.index(high), channels.index(low))
    return None


NDVI_CHANNELS = (("B08", "B04"), ("B8A", "B04"), ("B5", "B4"))
"""Near infrared and red of Sentinel-2 (B8A where B08 is absent) and of Landsat-8 and 9."""


def with_index(values: Tensor, index: Index | None) -> Tensor:
    """Values with the index appended as one more channel, ``[..., channel + 1]``."""
    if index is None:
        return torch.cat([values, torch.full_like(values[..., :1], torch.nan)], -1)
    high, low = values[..., index.high], values[..., index.low]
    normalised = (high - low) / (high + low).clamp_min(DARK)
    return torch.cat([values, normalised[..., None].clamp(-1.0, 1.0)], -1)


def crps(observed: Tensor, ensemble: Tensor) -> Tensor:
    """Continuous ranked probability score of each value, ``[..., channel]``.

    Members on axis -2. Hersbach (2000), Weather Forecast. 15, 559-570, in the sorted form.
    """
    members = ensemble.shape[-2]
    ordered = ensemble.sort(-2).values
    place = torch.arange(1, members + 1, dtype=ensemble.dtype, device=ensemble.device)
    spread = ((2.0 * place - members - 1.0)[:, None] * ordered).sum(-2) / members**2
    return (ensemble - observed.unsqueeze(-2)).abs().mean(-2) - spread


def compare(
    predicted: Tensor, acquisition: Acquisition, mask: Tensor, index: Index | None, noise: Noise
) -> np.ndarray:
    """Records of one acquisition, ``[pixel, channel + 1, field]`` float32, NaN where not asked.

    Args:
        predicted: ``[pixel, member, channel]`` H of the members.
        acquisition: its values, and the full error of every value that is compared.
        mask: ``[pixel, channel]`` bool, the values to compare.
        index: the positions of NDVI's channels.
        noise: draws of the observation error.
    """
    error = acquisition.error.masked_fill(~acquisition.seen, 0.0)
    drawn = with_index(predicted + noise(predicted.shape) * error[:, None], index)
    observed = with_index(acquisition.values, index)
    both = mask.any(-1) if index is None else mask[:, index.high] & mask[:, index.low]
    asked = torch.cat([mask, both[:, None]], -1)
    q = torch.quantile(drawn, torch.tensor(QUANTILES).to(drawn), dim=1)
    rank = (drawn < observed[:, None]).sum(1).to(drawn)
    fields = [observed, drawn.mean(1), drawn.std(1), crps(observed, drawn), rank, *q]
    records = torch.stack(fields, -1).masked_fill(~asked[..., None], torch.nan)
    return records.cpu().numpy()
