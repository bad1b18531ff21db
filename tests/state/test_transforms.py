"""Bounded variables: round trip, bounds at any coordinate, the prior they carry."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import truncnorm

from releo_da.state.layout import Layout
from releo_da.state.prior import correlation, prior_ensemble
from releo_da.state.transforms import Anamorphosis
from releo_da.state.variables import variables
from releo_da.types import InputError

TABLE = list(variables().values())


@given(
    st.lists(st.floats(-60, 60), min_size=1, max_size=5),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_no_coordinate_leaves_the_bounds_and_gradients_are_finite(z, dtype):
    z = torch.tensor(z, dtype=dtype)[:, None].expand(-1, len(TABLE)).clone().requires_grad_()
    x = Anamorphosis(TABLE).decode(z)
    assert torch.isfinite(x).all()
    for k, v in enumerate(TABLE):
        assert (x[:, k] >= torch.tensor(v.lower, dtype=dtype)).all()
        assert (x[:, k] <= torch.tensor(v.upper, dtype=dtype)).all()
    x.sum().backward()
    assert torch.isfinite(z.grad).all()


def test_round_trip():
    z = torch.linspace(-3.5, 3.5, 29, dtype=torch.float64)[:, None].expand(-1, len(TABLE))
    a = Anamorphosis(TABLE)
    torch.testing.assert_close(a.encode(a.decode(z)), z, atol=1e-7, rtol=0)


def test_decode_is_the_quantile_function_of_the_truncated_normal():
    z = torch.linspace(-4, 4, 33, dtype=torch.float64)
    p = torch.special.ndtr(z).numpy()
    x = Anamorphosis(TABLE).decode(z[:, None].expand(-1, len(TABLE)))
    for k, v in enumerate(TABLE):
        low, high = (v.lower - v.mean) / v.sd, (v.upper - v.mean) / v.sd
        expected = truncnorm.ppf(p, low, high, v.mean, v.sd)
        torch.testing.assert_close(x[:, k], torch.tensor(expected), rtol=1e-8, atol=1e-10)


def test_float32_agrees_with_float64():
    z = torch.linspace(-5, 5, 101, dtype=torch.float64)[:, None].expand(-1, len(TABLE))
    a = Anamorphosis(TABLE)
    error = (a.decode(z.float()).double() - a.decode(z)).abs() / a.sd
    assert error.max() < 2e-6


def test_decode_is_increasing():
    z = torch.linspace(-4, 4, 201, dtype=torch.float64)[:, None].expand(-1, len(TABLE))
    assert (Anamorphosis(TABLE).decode(z).diff(dim=0) > 0).all()


def test_prior_ensemble_has_the_table_of_correlations():
    names = tuple(variables())
    generator = torch.Generator().manual_seed(0)
    z = prior_ensemble(1, 50_000, names, lambda shape: torch.randn(shape, generator=generator))
    sample = torch.corrcoef(z[0].T).double()
    torch.testing.assert_close(sample, correlation(names), atol=0.02, rtol=0)


def test_an_impossible_table_of_correlations_becomes_a_correlation_matrix():
    pairs = {("lai", "cab"): 0.99, ("cab", "cw"): 0.99, ("lai", "cw"): -0.99}
    c = correlation(("lai", "cab", "cw"), pairs)
    assert torch.linalg.eigvalsh(c).min() > 0
    torch.testing.assert_close(c.diagonal(), torch.ones(3, dtype=torch.float64))


def test_layout_decodes_by_name_and_holds_fixed_variables():
    layout = Layout(("lai", "cab"), {"ant": 0.5}, True, (490.0, 842.0))
    ensemble = torch.zeros(3, 4, layout.size)
    ensemble[..., -2:] = torch.tensor([0.01, -0.02])
    decoded = layout.decode(ensemble)
    assert layout.size == 6
    assert set(decoded) == {"lai", "cab", "ant"}
    assert decoded["ant"].shape == (3, 4)
    assert torch.all(decoded["ant"] == 0.5)
    assert torch.equal(layout.residual(ensemble)[0, 0], torch.tensor([0.01, -0.02]))


def test_the_rough_part_adds_to_the_position():
    smooth = Layout(("lai", "cab"), {}, True, (490.0,))
    both = Layout(("lai", "cab"), {}, True, (490.0,), True)
    ensemble = torch.randn(2, 3, both.size, generator=torch.Generator().manual_seed(0))
    summed = torch.cat([ensemble[..., :2] + ensemble[..., 4:6], ensemble[..., 2:4]], -1)
    expected = smooth.decode(summed)
    found = both.decode(ensemble)
    assert all(torch.equal(found[name], expected[name]) for name in ("lai", "cab"))
    assert torch.equal(both.residual(ensemble), ensemble[..., 6:])


def test_unknown_variable_is_named():
    with pytest.raises(InputError, match="'lay' is not a state variable"):
        variables(("lay",))
