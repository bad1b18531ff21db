"""Light of sun and sky, and albedo: spectral and broadband."""

import numpy as np
import pytest
import torch

from releo_da.physics.albedo import NODES, broadband_albedo, solar_weights, spectral_albedo
from releo_da.physics.light import band_diffuse_share, diffuse_share, sky_weight, solar
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import canopy
from releo_da.types import InputError

from .cases import random_cases, with_moisture, with_slopes

FULL = load_optics(dtype=torch.float64)
FEW = load_optics(NODES, dtype=torch.float64)


def test_the_light_is_that_of_prosail():
    oracle = pytest.importorskip("prosail")
    direct, diffuse = (s.numpy() for s in solar(torch.float64, torch.device("cpu")))
    light = oracle.spectral_lib.light
    assert np.abs(direct - light.es).max() < 1e-6
    assert np.abs(diffuse - light.ed).max() < 1e-6
    sine = np.sin(np.radians(90.0 - 30.0))
    sky = 0.847 - 1.61 * sine + 1.04 * sine**2
    tts = torch.tensor([30.0], dtype=torch.float64)
    assert float(sky_weight(tts)) == pytest.approx(sky, rel=1e-12)
    share = sky * light.ed / (sky * light.ed + (1.0 - sky) * light.es)
    assert np.abs(diffuse_share(tts, FULL.wavelength).numpy()[0] - share).max() < 1e-6
    band = slice(0, 301)
    up, down = sky * light.ed[band].sum(), (1.0 - sky) * light.es[band].sum()
    assert float(band_diffuse_share(tts, 400, 700)) == pytest.approx(up / (up + down), rel=1e-6)


def test_shares_under_the_sky():
    tts = torch.linspace(0.0, 89.0, 90, dtype=torch.float64)
    whole, par = band_diffuse_share(tts), band_diffuse_share(tts, 400, 700)
    assert whole.min() == pytest.approx(0.20, abs=0.005)
    assert int(whole.argmin()) == 39
    assert ((par > whole) & (par < 1.0)).all()


def test_spectral_albedo_is_what_the_canopy_reflects():
    cases = with_moisture(random_cases(30, seed=29))
    v, (tts, tto, psi) = cases.variables, cases.angles
    seen = canopy(v, tts, tto, psi, FEW)
    albedo = spectral_albedo(v, tts, FEW)
    assert torch.allclose(albedo.black, seen.dhr, rtol=1e-9, atol=1e-14)
    assert torch.allclose(albedo.white, seen.bhr, rtol=1e-9, atol=1e-14)
    share = diffuse_share(tts, FEW.wavelength)
    assert torch.allclose(albedo.blue, (1.0 - share) * seen.dhr + share * seen.bhr, rtol=1e-9)
    assert torch.allclose(spectral_albedo(v, tts, FEW, torch.ones(())).blue, albedo.white)


def test_weights_integrate_what_is_linear_between_nodes():
    weights = solar_weights(FEW.wavelength)
    assert torch.allclose(weights.sum(1), torch.ones(2, dtype=torch.float64))
    assert weights.min() >= 0.0
    light = torch.stack(solar(torch.float64, torch.device("cpu")))
    full = solar_weights(FULL.wavelength)
    assert torch.allclose(full, light / light.sum(1, keepdim=True))
    values = np.random.default_rng(0).uniform(size=len(NODES))
    dense = torch.from_numpy(np.interp(np.arange(400, 2501), NODES, values))
    assert torch.allclose(weights @ torch.from_numpy(values), full @ dense)


@pytest.mark.parametrize("leaf", ["prospect_d", "prospect_5"])
def test_few_nodes_give_the_broadband_albedo(leaf):
    """Within the stated errors, for soils that are wet and leaf angles of either distribution."""
    cases = with_moisture(with_slopes(random_cases(400, seed=31)))
    v, (tts, _, _) = cases.variables, cases.angles
    few, every = (
        broadband_albedo(v, tts, load_optics(nodes, dtype=torch.float64, leaf=leaf))
        for nodes in (NODES, None)
    )
    for a, b in zip(few, every, strict=True):
        assert (a - b).square().mean().sqrt() < 3.5e-4
        assert (a - b).abs().max() < 3.2e-3
    share = band_diffuse_share(tts)
    assert torch.allclose(every.blue, (1.0 - share) * every.black + share * every.white)
    # Blue sky is what all light reflects, counted per wavelength.
    spectra = spectral_albedo(v, tts, load_optics(dtype=torch.float64, leaf=leaf))
    direct, diffuse = solar(torch.float64, torch.device("cpu"))
    sky = sky_weight(tts).unsqueeze(-1)
    arriving = sky * diffuse + (1.0 - sky) * direct
    counted = (spectra.blue * arriving).sum(-1) / arriving.sum(-1)
    assert torch.allclose(every.blue, counted, rtol=1e-9)


def test_wet_soil_is_darker_and_nothing_is_created():
    v = random_cases(20, seed=32).variables
    bare = {**v, "lai": 0.0 * v["lai"], "psoil": 0.0 * v["lai"] + 1.0, "rsoil": 0.0 * v["lai"] + 1}
    levels = [
        broadband_albedo({**bare, "soil_moisture": 0.0 * v["lai"] + level}, 30.0, FEW).blue
        for level in (0.05, 0.2, 0.4, 0.6)
    ]
    for dry, wet in zip(levels, levels[1:], strict=False):
        assert (wet < dry).all()
    assert all(((level > 0.0) & (level < 1.0)).all() for level in levels)


@pytest.mark.parametrize("name", ["n", "cab", "cw", "lai", "lidfa", "lidfb", "soil_moisture"])
def test_derivatives(name):
    cases = with_moisture(with_slopes(random_cases(20, seed=33), margin=0.1))
    v, (tts, _, _) = cases.variables, cases.angles
    v["lai"] = v["lai"].clamp_min(0.1)
    v["soil_moisture"] = v["soil_moisture"].clamp_min(0.08)
    v["cw"] = v["cw"].clamp_min(1e-3)

    def blue(x):
        return broadband_albedo({**v, name: x}, tts, FEW).blue

    x, step = v[name], 1e-4 * float(v[name].abs().mean())
    estimate = (blue(x + step) - blue(x - step)) / (2.0 * step)
    _, forward = torch.func.jvp(blue, (x,), (torch.ones_like(x),))
    reverse = torch.func.grad(lambda x: blue(x).sum())(x)
    assert torch.allclose(forward, estimate, rtol=1e-4, atol=1e-5 * float(estimate.abs().max()))
    assert torch.allclose(reverse, forward, rtol=1e-8, atol=1e-12)
    mapped = torch.func.vmap(lambda v, t: broadband_albedo(v, t, FEW).blue)(v, tts)
    assert torch.allclose(mapped, blue(x), rtol=1e-12)


@pytest.mark.parametrize("nodes", [(400, 1000), (500, 2500), (400, 2500, 900)])
def test_wavelengths_must_span_the_light(nodes):
    v = random_cases(2).variables
    with pytest.raises(InputError, match="ascending wavelengths from 400 to 2500"):
        broadband_albedo(v, 30.0, load_optics(nodes, dtype=torch.float64))
