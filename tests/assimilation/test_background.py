"""Square roots of background covariances against the covariances they stand for."""

import torch
from torch import Tensor

from releo_da.assimilation.background import APPENDED, background

DOUBLE = torch.float64


def randn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def test_appended_noise_is_standard_normal_and_independent() -> None:
    prior = randn(2, 9, 5)
    made = background(prior, {APPENDED: torch.zeros(2, 2)}, torch.zeros)
    covariance = made.root.mT @ made.root
    torch.testing.assert_close(covariance[:, 3:, 3:], torch.eye(2, dtype=DOUBLE).expand(2, 2, 2))
    assert (covariance[:, :3, 3:] == 0).all() and (made.mean[..., 3:] == 0).all()
    torch.testing.assert_close(covariance[0, :3, :3], prior[0, :, :3].T.cov())
    carried = made.members @ made.root
    torch.testing.assert_close(carried, prior - prior.mean(1, keepdim=True))
