"""Light absorbed by the canopy: closed forms, an independent integration, and its means."""

import pytest
import torch

from releo_da.physics.absorbed import (
    absorptance,
    absorptance_diffuse,
    fapar,
    fapar_diffuse,
    fapar_total,
    fcover,
)  # fmt: skip
from releo_da.physics.leaf_angles import steeper_than
from releo_da.physics.optics import load_optics
from releo_da.physics.prospect import prospect
from releo_da.physics.sail import four_sail
from releo_da.physics.scattering import class_scattering, extinction
from releo_da.physics.soil import soil_reflectance
from releo_da.types import InputError

from .cases import CONTENTS, random_cases, with_moisture, with_slopes

OPTICS = load_optics(range(400, 2501, 100), dtype=torch.float64)
PAR = load_optics(range(405, 700, 10), dtype=torch.float64)


def test_absorptance_at_its_limits():
    cases = random_cases(80, seed=21)
    v, (tts, _, _) = cases.variables, cases.angles
    share = absorptance(v, tts, OPTICS)
    assert share.min() > -1e-12
    assert share.max() < 1.0
    assert absorptance({**v, "lai": 0.0 * tts}, tts, OPTICS).abs().max() < 1e-12
    clear = {**v, **dict.fromkeys(CONTENTS, 0.0 * tts)}
    assert absorptance(clear, tts, OPTICS).abs().max() < 1e-7
    dark_soil = {**v, "rsoil": 0.0 * tts}
    thicker = absorptance({**dark_soil, "lai": v["lai"] + 0.5}, tts, OPTICS)
    assert (thicker > absorptance(dark_soil, tts, OPTICS)).all()


def test_absorptance_is_the_divergence_of_the_fluxes():
    """Leaves absorb what an independent integration of the four-stream equations says."""
    cases = random_cases(6, seed=22)
    v, (tts, _, _) = cases.variables, cases.angles
    v["lai"] = v["lai"].clamp(0.5, 6.0)
    par = load_optics((450, 550, 680), dtype=torch.float64)
    direct, diffuse = absorptance(v, tts, par), absorptance_diffuse(v, par)
    rho, tau = prospect(v["n"], *(v[k] for k in CONTENTS), par)
    soil = soil_reflectance(v, par)
    assert torch.allclose(flux_absorption(rho, tau, soil, v, tts), direct, atol=2e-6)
    assert torch.allclose(flux_absorption(rho, tau, soil, v, tts, sun=0.0), diffuse, atol=2e-6)


def flux_absorption(rho, tau, soil, v, tts, sun=1.0, steps=2000):
    """Adds thin layers to the soil from below; each absorbs A (k direct + down + up) dL.

    The light above the canopy is direct (sun = 1) or diffuse (0).
    """
    zero = torch.zeros_like(tts)
    mean = extinction(steeper_than(v).unsqueeze(-1), class_scattering(tts, zero, zero))
    ks, bf = mean.ks, mean.bf
    dx = (v["lai"] / steps).unsqueeze(-1)
    half, b = 0.5 * (rho + tau), 0.5 * bf * (rho - tau)
    # State below the top of the stack: reflectance for diffuse and for direct light, by invariant
    # imbedding (Riccati equations), stepped by the midpoint rule.
    a, s = 1.0 - half + b, half + b

    def slope(r, d):
        forward, backward = ks * half - b, ks * half + b
        return s - 2.0 * a * r + s * r * r, backward - (ks + a) * d + r * (forward + s * d)

    r, d = soil.clone(), soil.clone()
    profile = [(r, d)]
    for _ in range(steps):
        m1, m2 = slope(r, d)
        m1, m2 = slope(r + 0.5 * dx * m1, d + 0.5 * dx * m2)
        r, d = r + dx * m1, d + dx * m2
        profile.append((r, d))
    # Now downwards: direct light, diffuse down; up = r down + d direct.
    direct, down = sun * torch.ones_like(r), (1.0 - sun) * torch.ones_like(r)
    total = torch.zeros_like(r)
    for i in range(steps, 0, -1):
        (r0, d0), (r1, d1) = profile[i], profile[i - 1]

        def change(direct, down, r, d):
            up = r * down + d * direct
            return -ks * direct, -a * down + s * up + (ks * half - b) * direct, up

        k1, k2, up = change(direct, down, r0, d0)
        middle, lower = direct + 0.5 * dx * k1, down + 0.5 * dx * k2
        k1, k2, up = change(middle, lower, 0.5 * (r0 + r1), 0.5 * (d0 + d1))
        total = total + dx * (1.0 - rho - tau) * (ks * middle + lower + up)
        direct, down = direct + dx * k1, down + dx * k2
    return total


def test_fapar_and_fcover():
    cases = random_cases(50, seed=23)
    v, (tts, _, _) = cases.variables, cases.angles
    coarse = fapar(v, tts, load_optics(range(405, 700, 10), dtype=torch.float64))
    fine = fapar(v, tts, load_optics(range(400, 701), dtype=torch.float64))
    assert (coarse - fine).abs().max() < 1e-3
    assert ((coarse > 0.0) & (coarse < 1.0)).all()
    with pytest.raises(InputError, match="400-700 nm"):
        fapar(v, tts, load_optics((500, 800), dtype=torch.float64))
    cover = fcover(v)
    assert (fcover({**v, "lai": 0.0 * v["lai"]}) == 0.0).all()
    assert (fcover({**v, "lai": v["lai"] + 0.1}) > cover).all()
    # Horizontal leaves intercept their own area.
    flat = fcover({**v, "ala": torch.full_like(v["lai"], 5.0)})
    assert torch.allclose(flat, 1.0 - torch.exp(-v["lai"]), atol=0.02)


def test_fcover_is_what_a_black_canopy_hides_of_the_soil():
    v = random_cases(30, seed=24).variables
    black = torch.zeros(30, 1, dtype=torch.float64)
    one = torch.ones_like(black)
    result = four_sail(black, black, one, v, 0.0, 0.0, 0.0)
    assert torch.allclose(1.0 - result.down_direct.squeeze(-1), fcover(v))


def test_total_fapar_lies_between_direct_and_diffuse():
    cases = with_moisture(with_slopes(random_cases(50, seed=27)))
    v, (tts, _, _) = cases.variables, cases.angles
    direct, diffuse = fapar(v, tts, PAR), fapar_diffuse(v, PAR)
    assert torch.allclose(direct, absorptance(v, tts, PAR).mean(-1), rtol=1e-12)
    assert torch.allclose(diffuse, absorptance_diffuse(v, PAR).mean(-1), rtol=1e-12)
    assert torch.equal(fapar_total(v, tts, PAR, share=0.0), direct)
    assert torch.allclose(fapar_total(v, tts, PAR, share=1.0), diffuse, rtol=1e-14)
    total = fapar_total(v, tts, PAR)
    assert (total >= torch.minimum(direct, diffuse)).all()
    assert (total <= torch.maximum(direct, diffuse)).all()
