"""Records of comparisons against independent implementations of each number."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scoringrules
import torch
from torch import Tensor

from releo_da.diagnostics.verification import FIELDS
from releo_da.runs.compare import (
    QUANTILES,
    compare,
    ndvi_index,
    quantiles,
    with_index,
)
from releo_da.sensors.indices import Index
from releo_da.types import Acquisition

PIXELS, MEMBERS = 5, 21
INDEX = Index(1, 0)


@pytest.fixture
def case() -> tuple[Tensor, Acquisition, Tensor]:
    """Predicted observations, an acquisition with a gap, and the numbers that noise gives."""
    generator = torch.Generator().manual_seed(4)
    level = torch.tensor([0.20, 0.40, 0.20], dtype=torch.float64)
    spread = 0.1 * torch.randn((PIXELS, MEMBERS, 3), generator=generator, dtype=torch.float64)
    values = (level + 0.03 * torch.randn((PIXELS, 3), generator=generator)).double()
    error = torch.full_like(values, 0.03)
    error[2, 1] = math.inf
    values[2, 1] = 0.0
    drawn = torch.randn((PIXELS, MEMBERS, 3), generator=generator, dtype=torch.float64)
    return level * (1.0 + spread), Acquisition(0.0, "s", values, error, torch.zeros(5, 3)), drawn


def records(case: tuple[Tensor, Acquisition, Tensor], mask: Tensor | None = None) -> np.ndarray:
    predicted, acquisition, drawn = case
    asked = acquisition.seen if mask is None else mask
    return compare(predicted, acquisition, asked, INDEX, lambda shape: drawn)


@pytest.mark.parametrize("members", [7, 20, 128])
def test_quantiles_are_those_of_weibull(members: int) -> None:
    x = np.random.default_rng(0).normal(size=(4, members, 2))
    found = quantiles(torch.tensor(np.sort(x, 1)))
    expected = np.quantile(x, QUANTILES, axis=1, method="weibull")
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-6)


def test_fields_are_those_of_independent_implementations(
    case: tuple[Tensor, Acquisition, Tensor],
) -> None:
    predicted, acquisition, drawn = case
    found = dict(zip(FIELDS, np.moveaxis(records(case), -1, 0), strict=True))
    error = torch.where(acquisition.seen, acquisition.error, 0.0)
    members = (predicted + drawn * error[:, None]).numpy()
    y = acquisition.values.numpy()
    high, low = members[..., 1], members[..., 0]
    members = np.concatenate([members, ((high - low) / (high + low))[..., None]], -1)
    y = np.concatenate([y, ((y[:, 1] - y[:, 0]) / (y[:, 1] + y[:, 0]))[:, None]], -1)
    expected = {
        "observed": y,
        "mean": members.mean(1),
        "sd": members.std(1, ddof=1),
        "crps": scoringrules.crps_ensemble(y, members, m_axis=1, estimator="nrg"),
        "crps_fair": scoringrules.crps_ensemble(y, members, m_axis=1, estimator="fair"),
        "rank": (members < y[:, None]).sum(1),
    } | {
        f"q{100 * level:02.0f}": np.quantile(members, level, axis=1, method="weibull")
        for level in QUANTILES
    }
    seen = np.concatenate([acquisition.seen.numpy(), np.ones((PIXELS, 1), bool)], -1)
    seen[2, 3] = False  # an index needs both its channels
    assert set(expected) == set(found)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name][seen], values[seen], rtol=1e-5, atol=1e-6)
        assert np.isnan(found[name][~seen]).all(), name
    assert (~seen).sum() == 2


def test_only_what_is_asked_is_compared(case: tuple[Tensor, Acquisition, Tensor]) -> None:
    mask = torch.zeros((PIXELS, 3), dtype=torch.bool)
    mask[1] = True
    mask[3, 0] = True
    some, whole = records(case, mask), records(case)
    assert np.isfinite(some).all(-1).tolist() == [
        [False] * 4, [True] * 4, [False] * 4, [True, False, False, False], [False] * 4,
    ]  # fmt: skip
    np.testing.assert_array_equal(some[1], whole[1])


def test_intervals_hold_the_observation_error() -> None:
    """Members and truth of one distribution, values with noise: 90 % intervals hold 90 %."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    pixels, members = 4000, 64
    values = 0.3 + 0.02 * normal(pixels, 1) + 0.03 * normal(pixels, 1)
    acquisition = Acquisition(
        0.0, "s", values, torch.full_like(values, 0.03), torch.zeros(pixels, 3)
    )
    predicted = 0.3 + 0.02 * normal(pixels, members, 1)
    found = compare(predicted, acquisition, acquisition.seen, None, lambda shape: normal(*shape))
    table = dict(zip(FIELDS, np.moveaxis(found[:, 0], -1, 0), strict=True))
    inside = (table["q05"] <= table["observed"]) & (table["observed"] <= table["q95"])
    assert abs(inside.mean() - 0.9) < 4 * np.sqrt(0.09 / pixels)
    assert np.isnan(found[:, 1]).all()  # no index without its channels


def test_ndvi_takes_b08_then_b8a_then_that_of_landsat() -> None:
    assert ndvi_index("sentinel2a", ("B04", "B08", "B8A")) == Index(1, 0)
    assert ndvi_index("sentinel2b", ("B8A", "B07", "B04")) == Index(0, 2)
    assert ndvi_index("landsat9", ("B2", "B4", "B5")) == Index(2, 1)
    assert ndvi_index("sentinel2a", ("B02", "B03", "B07")) is None


def test_an_index_of_two_dark_channels_stays_within_bounds() -> None:
    found = with_index(torch.tensor([[0.0, 0.0], [-0.01, 0.02], [0.001, 0.5]]), INDEX)
    assert found[:, 2].tolist() == pytest.approx([0.0, 1.0, 0.499 / 0.501])
    assert with_index(torch.ones(2, 3), None)[:, 3].isnan().all()
