"""Scores of an encoder where the right answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from releo_da.cycling.draws import generator
from releo_da.learning.batches import Seen
from releo_da.runs.encoder_scores import Parts, encoder_scores, withheld
from releo_da.types import Acquisition

CHANNELS = ("B04", "B08")
PIXELS, DATES, SPREAD, NOISE = 400, 9, 0.02, 0.01


class Known(NamedTuple):
    """A posterior whose coordinates are the two reflectances."""

    mean: Tensor
    factor: Tensor

    def kl(self, prior: Any) -> Tensor:
        return self.mean.sum(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        return self.mean.sum(-1)


def truth(time: float) -> Tensor:
    """Reflectances of a season that is no straight line, ``[2]``."""
    return torch.tensor([0.1, 0.4]) + 0.1 * np.sin(time / 12.0) * torch.tensor([-0.5, 1.0])


def series() -> Seen:
    source = torch.Generator().manual_seed(0)
    found = []
    for k in range(DATES):
        values = truth(10.0 * k) + NOISE * torch.randn(PIXELS, 2, generator=source)
        error = torch.full((PIXELS, 2), NOISE)
        error[k % 5 :: 5] = torch.inf
        values[k % 5 :: 5] = 0.0
        angles = torch.tensor([[30.0, 5.0, 90.0]]).expand(PIXELS, 3)
        found.append(Acquisition(10.0 * k, "sentinel2a", values, error, angles))
    return Seen(found)


def parts(shift: float) -> Parts:
    """An encoder that knows the truth up to a draw of its own spread, and a shift."""

    def encode(tokens: Sequence[Acquisition], times: Tensor) -> Known:
        assert all(a.time in times.tolist() for a in tokens) or len(tokens) > 1
        source = torch.Generator().manual_seed(1)
        true = torch.stack([truth(float(t)) for t in times]).expand(PIXELS, -1, -1)
        mean = true + shift + SPREAD * torch.randn(true.shape, generator=source)
        return Known(mean, SPREAD * torch.eye(2).expand(PIXELS, len(times), 2, 2))

    def quantiles(q: Known, levels: Sequence[float]) -> Tensor:
        standard = torch.special.ndtri(torch.tensor(levels, dtype=torch.float64)).float()
        deviation = q.factor[..., 1, 1]
        return torch.stack([q.mean[..., 1] + s * deviation for s in standard])

    names = {"sentinel2a": CHANNELS}
    return Parts(encode, list, lambda z, a: z, names, names, quantiles)


def scored(shift: float = 0.0) -> dict[str, Any]:
    area = torch.stack([truth(10.0 * k)[1].expand(PIXELS) for k in range(DATES)])
    prior = Known(torch.tensor([0.1, 0.4]), 0.1 * torch.eye(2))
    return encoder_scores(parts(shift), series(), area, prior, generator(0, 0, 0.0, "test"))


def test_errors_and_coverage_are_those_that_were_made() -> None:
    found = scored()
    assert withheld(DATES) == [k in (1, 4, 7) for k in range(DATES)]
    clear = 3 * PIXELS * 4 // 5
    for channel in CHANNELS:
        row = found[channel]["encoder"]
        assert row["n"] == found[channel]["linear"]["n"] == clear
        assert row["rmse"] == pytest.approx(np.hypot(SPREAD, NOISE), rel=0.06)
        assert row["coverage_90"] == pytest.approx(0.9, abs=0.03)
    assert found["channels"]["encoder"]["n"] == 2 * clear
    assert found["channels"]["encoder"]["bias"] == pytest.approx(0.0, abs=0.002)
    assert found["B08"]["linear"]["rmse"] > 2 * NOISE  # the season bends
    assert found["ndvi"]["encoder"]["n"] == clear
    lai = found["lai"]
    assert lai["withheld"]["n"] == clear and lai["series"]["n"] == 6 * PIXELS * 4 // 5
    for method in ("series", "withheld", "per_date"):
        assert lai[method]["rmse"] == pytest.approx(SPREAD, rel=0.06)
        assert lai[method]["coverage_90"] == pytest.approx(0.9, abs=0.03)
    assert lai["prior"]["rmse"] > SPREAD


def test_a_shift_is_a_bias_and_costs_coverage() -> None:
    found = scored(0.05)
    assert found["B04"]["encoder"]["bias"] == pytest.approx(0.05, abs=0.003)
    assert found["lai"]["series"]["bias"] == pytest.approx(0.05, abs=0.003)
    assert found["lai"]["series"]["coverage_90"] < 0.4
    assert found["B04"]["linear"]["bias"] == scored()["B04"]["linear"]["bias"]
