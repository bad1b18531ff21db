"""Robust weights against Huber's equation."""

import pytest
import torch

from releo_da.assimilation import etkf, huber, screened
from releo_da.assimilation.robust import huber_weights
from releo_da.types import InputError

DOUBLE = torch.float64


def test_huber_is_the_minimiser_of_its_cost() -> None:
    """One channel: the weight makes the weighted mean solve Huber's equation for the innovation."""
    d = torch.tensor([[0.5], [1.9], [2.1], [8.0]], dtype=DOUBLE)
    prior = torch.tensor([-1.0, 1.0], dtype=DOUBLE)[None, :, None].expand(4, 2, 1) / 2**0.5
    weights = huber_weights(prior, d, torch.ones(4, 1, dtype=DOUBLE), 2.0)
    r = d / 2**0.5  # variance 1 of the ensemble, 1 of the error
    torch.testing.assert_close(weights, torch.clamp(2.0 / r, max=1.0))
    moved = huber(etkf, 2.0)(prior, lambda x: x, d, torch.ones(4, 1), torch.zeros, {})
    plain = etkf(prior, lambda x: x, d, torch.ones(4, 1), torch.zeros, {})
    assert torch.equal(moved.ensemble[:3].mean(1), plain.ensemble[:3].mean(1))
    assert 0 < moved.ensemble[3].mean() < plain.ensemble[3].mean()
    both = screened(huber(etkf), pixel_quantile=None)
    refused = both(prior, lambda x: x, d, torch.ones(4, 1), torch.zeros, {})
    assert refused.precision[:, 0].tolist() == [1, 1, 1, 0]
    with pytest.raises(InputError, match="threshold must be positive"):
        huber(etkf, 0.0)
