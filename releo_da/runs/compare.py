"""What an ensemble said of a value that was observed, one record per value.

Each record compares an observation with the predictive distribution of that observation: members
of H(x) with a draw of R added, so that intervals include the observation error. NDVI is compared as
one more channel, computed from the noisy channels of each member. Records are small (a few numbers
per value), so ensembles need not be kept; scores, figures and intervals are all made from them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from releo_da.sensors import load_sensor
from releo_da.sensors.indices import Index, find_index, of_channels
from releo_da.types import Acquisition, Noise

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Levels of the quantiles of records and products."""


def ndvi_index(sensor: str, channels: tuple[str, ...]) -> Index | None:
    """Positions of the channels of NDVI among those of a sensor, or None where it lacks them."""
    return find_index("ndvi", load_sensor(sensor), channels)


def with_index(values: Tensor, index: Index | None) -> Tensor:
    """Values with the index appended as one more channel, ``[..., channel + 1]``."""
    if index is None:
        return torch.cat([values, torch.full_like(values[..., :1], torch.nan)], -1)
    return torch.cat([values, of_channels(values, index)[..., None]], -1)


def quantiles(ordered: Tensor, levels: tuple[float, ...] = QUANTILES) -> Tensor:
    """Quantiles from members sorted along axis 1, ``[level, pixel, ...]``.

    The i-th of N members is the i / (N + 1) quantile (Weibull), so that a value drawn from the
    same distribution falls between two levels as often as they say.
    """
    members = ordered.shape[1]
    place = torch.tensor(levels, dtype=torch.float64) * (members + 1) - 1.0
    place = place.clamp(0.0, members - 1.0)
    below = place.floor().long()
    weight = (place - below).to(ordered).view(-1, *[1] * (ordered.dim() - 1))
    low = ordered[:, below].movedim(1, 0)
    high = ordered[:, (below + 1).clamp_max(members - 1)].movedim(1, 0)
    return low + weight * (high - low)


def both_asked(mask: Tensor, index: Index | None) -> Tensor:
    """Where an index is compared: where all its channels are, ``[pixel]`` bool."""
    if index is None:
        return torch.zeros_like(mask[:, 0])
    return mask[:, index.high] & mask[:, index.high if index.low is None else index.low]


def compare(
    predicted: Tensor, acquisition: Acquisition, mask: Tensor, index: Index | None, noise: Noise
) -> np.ndarray:
    """Records of one acquisition, ``[pixel, channel + 1, field]`` float32, NaN where not asked.

    The fields are those of `releo_da.diagnostics.verification`: observed, mean, sd, crps,
    crps_fair, rank and the quantiles.

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
    asked = torch.cat([mask, both_asked(mask, index)[:, None]], -1)
    # Members last and contiguous: a sum over them then has one order for any number of pixels.
    ordered = drawn.movedim(1, -1).contiguous().sort(-1).values
    members = ordered.shape[-1]
    place = 2.0 * torch.arange(1, members + 1).to(ordered) - members - 1.0
    error = (ordered - observed[..., None]).abs().mean(-1)
    apart = (place * ordered).sum(-1)  # Hersbach (2000), sorted form
    crps = error - apart / members**2
    fair = error - apart / (members * max(members - 1, 1))  # Ferro (2014)
    rank = (ordered < observed[..., None]).sum(-1).to(ordered)
    levels = quantiles(ordered.movedim(-1, 1))
    fields = [observed, ordered.mean(-1), ordered.std(-1), crps, fair, rank, *levels]
    records = torch.stack(fields, -1).masked_fill(~asked[..., None], torch.nan)
    return records.cpu().numpy()
