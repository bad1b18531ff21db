"""Closed forms that hold for any canopy, whatever the implementation."""

import pytest
import torch

from releo_da.physics.interface import interface_transmissivity
from releo_da.physics.leaf_angles import class_weights, steeper_than
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import VARIABLES, canopy, prosail
from releo_da.physics.prospect import prospect
from releo_da.physics.sail import four_sail
from releo_da.physics.soil import soil_reflectance

from .cases import CONTENTS, Cases, all_cases, random_cases, with_slopes

OPTICS = load_optics(range(400, 2501, 100), dtype=torch.float64)


def replaced(cases: Cases, **values: float) -> Cases:
    """The cases with some variables set to one value."""
    n = cases.variables["n"]
    return Cases(
        {**cases.variables, **{k: torch.full_like(n, v) for k, v in values.items()}}, cases.angles
    )


def factors(cases: Cases):
    return canopy(cases.variables, *cases.angles, OPTICS)


def test_leaf_conserves_energy():
    v = random_cases(500, seed=11).variables
    rho, tau = prospect(v["n"], *(v[k] for k in CONTENTS), OPTICS)
    assert rho.min() > 0.0
    assert tau.min() >= 0.0
    assert (rho + tau).max() < 1.0


def test_leaf_without_absorbers_loses_nothing():
    v = random_cases(50, seed=12).variables
    rho, tau = prospect(v["n"], *(torch.zeros_like(v[k]) for k in CONTENTS), OPTICS)
    assert torch.allclose(rho + tau, torch.ones_like(rho), atol=1e-9)


def test_a_pile_of_plates_is_made_by_adding_plates():
    """Three plates equal one on top of two; contents are those of the whole leaf."""

    def pile(plates):
        plates = torch.tensor(float(plates), dtype=torch.float64)
        contents = dict.fromkeys(CONTENTS, 0.0 * plates)
        contents["cm"] = 0.004 * plates
        return prospect(plates, *(contents[k] for k in CONTENTS), OPTICS)

    (first_r, first_t), (two_r, two_t), (three_r, three_t) = pile(1), pile(2), pile(3)
    # The first plate lets first_t pass; a plate lit by diffuse light has r and t. From two plates,
    #   two_t = first_t t / (1 - r^2),    two_r = first_r + first_t r t / (1 - r^2).
    r = (two_r - first_r) / two_t
    t = two_t * (1.0 - r * r) / first_t
    below_r, below_t = r + t * t * r / (1.0 - r * r), t * t / (1.0 - r * r)
    between = first_t / (1.0 - r * below_r)
    assert torch.allclose(three_r, first_r + between * below_r * t, rtol=1e-9)
    assert torch.allclose(three_t, between * below_t, rtol=1e-9)


def test_surface_at_normal_incidence_is_fresnel():
    n = torch.tensor([1.1, 1.3, 1.5], dtype=torch.float64)
    fresnel = 4.0 * n / (n + 1.0) ** 2
    assert torch.allclose(interface_transmissivity(0.5, n), fresnel, atol=1e-5)
    wider = [interface_transmissivity(a, n) for a in (10.0, 40.0, 70.0, 90.0)]
    assert all((a > b).all() for a, b in zip(wider, wider[1:], strict=False))


def campbell(ala):
    return class_weights(steeper_than({"ala": ala}))


def test_leaf_angle_weights_sum_to_one_with_the_right_mean():
    ala = torch.linspace(0.0, 90.0, 181, dtype=torch.float64)
    weights = campbell(ala)
    assert weights.min() >= 0.0
    assert torch.allclose(weights.sum(-1), torch.ones_like(ala))
    centres = torch.arange(18, dtype=torch.float64) * 5.0 + 2.5
    inner = (ala >= 20.0) & (ala <= 80.0)
    assert ((weights @ centres - ala)[inner].abs() < 1.5).all()
    sphere = campbell(torch.tensor(58.4351, dtype=torch.float64))
    edges = torch.deg2rad(torch.arange(19, dtype=torch.float64) * 5.0).cos()
    assert torch.allclose(sphere, edges[:-1] - edges[1:], atol=1e-6)


def test_leaf_angles_are_smooth_through_the_sphere():
    ala = torch.linspace(58.0, 58.9, 2001, dtype=torch.float64)
    slope = campbell(ala).diff(dim=0) / ala.diff()[0]
    assert slope.diff(dim=0).abs().max() < 1e-4
    # Float32 loses nothing there either.
    assert (campbell(ala.float()).double() - campbell(ala.float().double())).abs().max() < 1e-6


def test_slopes_solve_the_equation_of_verhoef():
    """By bisection: on the whole domain, its corners, and close to the triple root at (0, -1)."""
    v = with_slopes(random_cases(4000, seed=25)).variables
    close = torch.logspace(-15, -1, 2000, dtype=torch.float64)
    v["lidfa"][:2000], v["lidfb"][:2000] = close * torch.rand_like(close), close - 1.0
    steeper = steeper_than(v)
    theta = torch.deg2rad(torch.arange(5.0, 90.0, 5.0, dtype=torch.float64)).unsqueeze(-1)
    low, high = torch.zeros_like(steeper), torch.full_like(steeper, torch.pi)
    for _ in range(60):
        x = 0.5 * (low + high)
        left = x - v["lidfa"] * x.sin() - 0.5 * v["lidfb"] * (2.0 * x).sin() < 2.0 * theta
        low, high = torch.where(left, x, low), torch.where(left, high, x)
    x = theta + 0.5 * torch.pi * (1.0 - steeper)
    rest = x - v["lidfa"] * x.sin() - 0.5 * v["lidfb"] * (2.0 * x).sin() - 2.0 * theta
    assert rest.abs().max() < 1e-13
    # A triple root is known to the cube root of rounding errors at best.
    error, plagiophile = (x - low).abs().amax(0), v["lidfb"] < -0.99
    assert error.max() < 2e-5
    assert error[~plagiophile].max() < 1e-13
    weights = class_weights(steeper)
    assert weights.min() >= -1e-15
    assert torch.allclose(weights.sum(-1), torch.ones_like(v["lidfa"]))
    single = steeper_than({k: v[k].float() for k in ("lidfa", "lidfb")})
    assert (single.double() - steeper)[:, ~plagiophile].abs().max() < 1e-5


def test_named_slopes():
    names = {"uniform": (0.0, 0.0), "flat": (1.0, 0.0), "upright": (-1.0, 0.0), "both": (0.0, 1.0)}
    a, b = torch.tensor(list(names.values()), dtype=torch.float64).T
    weights = dict(zip(names, class_weights(steeper_than({"lidfa": a, "lidfb": b})), strict=True))
    assert torch.allclose(weights["uniform"], torch.full((18,), 1.0 / 18.0, dtype=torch.float64))
    assert torch.allclose(weights["flat"], weights["upright"].flip(0))
    assert torch.allclose(weights["both"], weights["both"].flip(0))
    assert weights["flat"].diff().max() < 0.0
    assert weights["both"].argmin() in (8, 9)


def test_no_canopy_shows_the_soil():
    cases = replaced(random_cases(30, seed=13), lai=0.0)
    soil = soil_reflectance(cases.variables, OPTICS)
    result = factors(cases)
    for field in result[:4]:
        assert torch.allclose(field, soil, rtol=1e-12, atol=1e-14)


def test_deep_canopy_hides_the_soil():
    cases = replaced(random_cases(30, seed=14), lai=60.0, cbrown=1.0)
    dark, bright = factors(replaced(cases, rsoil=0.2)), factors(replaced(cases, rsoil=1.2))
    shallow_dark = factors(replaced(cases, rsoil=0.2, lai=1.0))
    shallow_bright = factors(replaced(cases, rsoil=1.2, lai=1.0))
    for i in range(4):
        assert (dark[i] - bright[i]).abs().max() < 1e-6
        assert (shallow_dark[i] - shallow_bright[i]).abs().max() > 1e-2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_very_deep_canopy_stays_finite(dtype):
    cases = replaced(all_cases(30, seed=15), lai=500.0).to(dtype)
    result = canopy(cases.variables, *cases.angles, load_optics((450, 800, 1600), dtype=dtype))
    assert all(torch.isfinite(field).all() for field in result)


def test_reciprocity():
    """Exchanging sun and observer leaves SDR as it is and turns DHR into HDR."""
    cases = random_cases(100, seed=16)
    tts, tto, psi = cases.angles
    a = factors(cases)
    b = canopy(cases.variables, tto, tts, psi, OPTICS)
    assert torch.allclose(a.sdr, b.sdr, rtol=1e-9, atol=1e-12)
    assert torch.allclose(a.dhr, b.hdr, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 2e-5)])
def test_nothing_is_lost_between_white_leaves_and_white_soil(dtype, tolerance):
    cases = random_cases(60, seed=17).to(dtype)
    rho = torch.linspace(0.05, 0.95, 7, dtype=dtype).expand(60, 7)
    white = torch.ones_like(rho)
    v = cases.variables
    result = four_sail(rho, 1.0 - rho, white, v, *cases.angles)
    assert (result.bhr - 1.0).abs().max() < tolerance
    assert (result.dhr - 1.0).abs().max() < tolerance


def test_canopy_over_black_soil_is_the_dark_limit():
    cases = random_cases(60, seed=18)
    black, dim = factors(replaced(cases, rsoil=0.0)), factors(replaced(cases, rsoil=1e-9))
    for i in range(4):
        assert (black[i] >= -1e-15).all()
        assert (dim[i] - black[i] >= 0.0).all()
        assert (dim[i] - black[i]).max() < 2e-9
    assert (factors(replaced(cases, rsoil=0.0, lai=0.0)).sdr == 0.0).all()


def test_black_leaves_only_shade_the_soil():
    """Without scattering, what is seen is soil that is both sunlit and seen."""
    cases = random_cases(40, seed=19)
    v = {**cases.variables, "hspot": torch.zeros(40, dtype=torch.float64)}
    tts, tto, psi = cases.angles
    black = torch.zeros(40, 1, dtype=torch.float64)
    soil = torch.full_like(black, 0.3)
    result = four_sail(black, black, soil, v, tts, tto, psi)
    overhead = torch.zeros_like(tts)
    down = four_sail(black, black, soil, v, tts, overhead, psi)
    up = four_sail(black, black, soil, v, tto, overhead, psi)
    seen = down.down_direct * up.down_direct * 0.3
    assert torch.allclose(result.sdr, seen, rtol=1e-9, atol=1e-12)


def test_hot_spot_is_a_peak_where_sun_and_view_coincide():
    cases = replaced(random_cases(20, seed=20), hspot=0.1, lai=3.0)
    thirty = torch.full((20,), 30.0, dtype=torch.float64)

    def sdr(tto, psi):
        angle = torch.full_like(thirty, tto)
        return prosail(cases.variables, thirty, angle, torch.full_like(thirty, psi), OPTICS)

    peak = sdr(30.0, 0.0)
    for tto, psi in ((29.0, 0.0), (31.0, 0.0), (30.0, 3.0), (25.0, 0.0), (30.0, 180.0)):
        assert (peak > sdr(tto, psi)).all(), (tto, psi)
    without = prosail(
        {**cases.variables, "hspot": 0.0 * thirty}, thirty, thirty, 0.0 * thirty, OPTICS
    )
    assert (peak > without).all()


def test_dark_soil_is_wet_and_variables_go_by_name():
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    wet = soil_reflectance({"rsoil": one, "psoil": zero}, OPTICS)
    dry = soil_reflectance({"psoil": one, "rsoil": one}, OPTICS)
    assert (dry > wet).all()
    half = soil_reflectance({"rsoil": 0.5 * one, "psoil": one}, OPTICS)
    assert torch.allclose(half, 0.5 * dry)
    assert set(VARIABLES) >= {"psoil", "rsoil"}
