"""Scores of vectors against scoringrules and closed forms."""

import numpy as np
import pytest
import scoringrules
from scipy import special

from releo_da.diagnostics import multivariate
from releo_da.diagnostics.multivariate import energy_score, variogram_score
from releo_da.diagnostics.scores import crps_ensemble
from releo_da.types import InputError


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("fair", [False, True])
def test_against_scoringrules(rng, fair, monkeypatch) -> None:
    y, x = rng.standard_normal((5, 7, 4)), rng.standard_normal((5, 7, 11, 4))
    kind = "fair" if fair else "nrg"
    scale = np.array([1.0, 0.5, 2.0, 10.0])
    weight = rng.uniform(size=(4, 4))
    monkeypatch.setattr(multivariate, "CHUNK", 11 * 11 * 4 * 3)  # several parts, an odd last one
    expected = scoringrules.es_ensemble(y / scale, x / scale, estimator=kind)
    np.testing.assert_allclose(energy_score(y, x, scale, fair), expected, atol=1e-12)
    w = np.broadcast_to(weight, (5, 7, 4, 4))
    for order in (0.5, 1.0):
        expected = scoringrules.vs_ensemble(y / scale, x / scale, w, p=order, estimator=kind)
        found = variogram_score(y, x, scale, order, weight, fair)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_one_component_is_the_crps(rng) -> None:
    y, x = rng.standard_normal(30), rng.standard_normal((30, 9))
    for fair in (False, True):
        found = energy_score(y[:, None], x[..., None], fair=fair)
        np.testing.assert_allclose(found, crps_ensemble(y, x, fair), atol=1e-12)


def test_an_exact_ensemble_in_closed_form(rng) -> None:
    """x, y ~ N(0, I_3): E|x - y| = 2 Gamma(2) / Gamma(1.5), the fair score is half of it."""
    distance = 2 * special.gamma(2) / special.gamma(1.5)
    y, x = rng.standard_normal((20_000, 3)), rng.standard_normal((20_000, 4, 3))
    found = energy_score(y, x, fair=True)
    error = 4 * found.std() / np.sqrt(20_000)
    assert found.mean() == pytest.approx(distance / 2, abs=error)
    assert energy_score(y, x).mean() == pytest.approx(distance / 2 * (1 + 1 / 4), abs=error)
    # p = 2: |y_a - y_b|^2 is 2 chi2_1, of variance 8, for each of six ordered pairs
    found = variogram_score(y, x, order=2.0, fair=True)
    assert found.mean() == pytest.approx(48.0, abs=4 * found.std() / np.sqrt(20_000))


def test_the_variogram_score_sees_a_wrong_correlation_and_no_common_shift(rng) -> None:
    common = rng.standard_normal((4000, 1))
    y = common + 0.3 * rng.standard_normal((4000, 2))
    shared = rng.standard_normal((4000, 20, 1)) + 0.3 * rng.standard_normal((4000, 20, 2))
    apart = np.sqrt(1.09) * rng.standard_normal((4000, 20, 2))
    assert variogram_score(y, shared).mean() < 0.6 * variogram_score(y, apart).mean()
    np.testing.assert_allclose(variogram_score(y, shared + 5.0), variogram_score(y, shared))
    assert energy_score(y, shared + 5.0).mean() > 3 * energy_score(y, shared).mean()


def test_what_is_not_finite_is_absent_and_bad_input_is_told(rng) -> None:
    y, x = rng.standard_normal((4, 2)), rng.standard_normal((4, 5, 2))
    y[1, 0], x[2, 3, 1] = np.nan, np.inf
    for score in (energy_score, variogram_score):
        assert np.isfinite(score(y, x)).tolist() == [True, False, False, True]
        with pytest.raises(InputError, match="do not fit"):
            score(y, x[..., :1])
        with pytest.raises(InputError, match="scale of 2"):
            score(y, x, np.array([1.0, 0.0]))
        with pytest.raises(InputError, match="at least 2 members"):
            score(y, x[:, :1], fair=True)
    with pytest.raises(InputError, match="order is 0"):
        variogram_score(y, x, order=0.0)
    with pytest.raises(InputError, match="weights have shape"):
        variogram_score(y, x, weights=np.ones((3, 3)))
