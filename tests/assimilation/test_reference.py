"""FilterPy as a scheme: its update is the one FilterPy makes, from explicit noise."""

import numpy as np
import pytest
import torch
from filterpy.kalman import ensemble_kalman_filter

from releo_da.assimilation import enkf, filterpy

DOUBLE = torch.float64


def problem() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(2)
    prior = torch.randn(3, 12, 4, generator=rng, dtype=DOUBLE)
    h = torch.randn(4, 3, generator=rng, dtype=DOUBLE)
    y = torch.randn(3, 3, generator=rng, dtype=DOUBLE)
    precision = torch.tensor([[2.0, 1.0, 0.5], [1.0, 0.0, 4.0], [0.0] * 3], dtype=DOUBLE)
    return prior, h, y, precision


def test_with_the_same_perturbations_it_is_the_enkf(monkeypatch: pytest.MonkeyPatch) -> None:
    """One oracle for both: perturbations that FilterPy is handed, and the same ones as noise."""
    prior, h, y, precision = problem()
    raw = np.random.default_rng(4).normal(size=(12, 3))
    draws = (raw - raw.mean(0)) * np.sqrt(12 / 11)  # centred, of the variance they had

    columns = {4: [], 3: [0, 1, 2], 2: [0, 2]}  # 4: the latents, drawn when a filter is made

    def given(mean: np.ndarray, cov: np.ndarray, size: int) -> np.ndarray:
        used = columns[len(mean)]
        return draws[:, used] @ np.sqrt(cov) if used else np.zeros((size, len(mean)))

    monkeypatch.setattr(ensemble_kalman_filter, "multivariate_normal", given)

    def noise(shape) -> torch.Tensor:
        return torch.tensor(raw)[:, : shape[-1]].expand(*shape)

    arguments = (prior, lambda x: x @ h, y, precision)
    theirs = filterpy(*arguments, lambda shape: torch.zeros(*shape), {})
    ours = enkf(*arguments, noise, {})
    torch.testing.assert_close(theirs.ensemble, ours.ensemble, rtol=1e-10, atol=1e-12)
    assert torch.equal(theirs.ensemble[2], prior[2])


def test_its_draws_come_from_the_noise_and_numpys_state_stays() -> None:
    prior, h, y, precision = problem()

    def run(seed: int) -> torch.Tensor:
        rng = torch.Generator().manual_seed(seed)
        noise = lambda shape: torch.randn(*shape, generator=rng)  # noqa: E731
        return filterpy(prior, lambda x: x @ h, y, precision, noise, {}).ensemble

    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    first, again, other = run(1), run(1), run(2)
    assert (np.random.get_state()[1] == before).all()
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_pixel_that_is_not_finite_is_returned_as_it_is() -> None:
    prior, h, y, precision = problem()
    whole = filterpy(prior, lambda x: x @ h, y, precision, torch.ones, {}).ensemble
    prior[0, 0, 0] = torch.nan
    broken = filterpy(prior, lambda x: x @ h, y, precision, torch.ones, {}).ensemble
    assert torch.equal(broken[1:], whole[1:])
    assert torch.equal(broken[0, 1:], prior[0, 1:]) and torch.isnan(broken[0, 0, 0])
