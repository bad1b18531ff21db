"""Output variables: closed forms, bounds, and one operator for all."""

from __future__ import annotations

import pytest
import torch

from releo_da.observation.derived import DERIVED, OUTPUTS, derive, described
from releo_da.observation.prosail import ProsailOperator
from releo_da.physics.absorbed import fapar, fapar_diffuse, fapar_total
from releo_da.physics.albedo import broadband_albedo
from releo_da.physics.optics import load_optics
from releo_da.state.layout import Layout
from releo_da.state.variables import OPTIONAL, variables
from releo_da.types import Acquisition, InputError

BANDS = ("B04", "B8A", "B11", "B12")
CHANNELS = {"landsat9": ("B4",), "sentinel2a": BANDS}
LAYOUT = Layout(tuple(n for n in variables() if n != "ant"), {"ant": 0.0}, False)
OPERATOR = ProsailOperator(LAYOUT.decode, LAYOUT.residual, CHANNELS)
ANGLES = torch.tensor([[30.0, 5.0, 40.0], [55.0, 10.0, 120.0]], dtype=torch.float64)


def computed(*names: str, z: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    function = derive(names, LAYOUT.decode, OPERATOR, CHANNELS)
    return function(ensemble() if z is None else z, ANGLES)


def ensemble() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn((2, 50, LAYOUT.size), generator=generator, dtype=torch.float64)


def test_contents_of_the_canopy_are_leaf_area_times_contents_of_the_leaf() -> None:
    found, state = computed("ccc", "cwc", "lai", "cab"), LAYOUT.decode(ensemble())
    # ug cm-2 is 0.01 g m-2; a centimetre of water is 10 kg m-2
    torch.testing.assert_close(found["ccc"], state["lai"] * state["cab"] / 100.0)
    torch.testing.assert_close(found["cwc"], state["lai"] * state["cw"] * 10.0)
    assert torch.equal(found["lai"], state["lai"])
    assert torch.equal(found["cab"], state["cab"])


def test_green_leaf_area_is_leaf_area_without_what_is_brown() -> None:
    found, state = computed("lai", "lai_green"), LAYOUT.decode(ensemble())
    brown = 20.0 * state["cbrown"] / (state["cab"] + 20.0 * state["cbrown"])
    expected = found["lai"] * (1.0 - brown)
    torch.testing.assert_close(found["lai_green"], expected, rtol=1e-2, atol=1e-4)
    assert (found["lai_green"] <= found["lai"]).all()


def test_indices_are_those_of_the_operator_at_the_angles_of_the_date() -> None:
    nothing = ANGLES[:, :0]
    seen = OPERATOR(ensemble(), Acquisition(5.0, "sentinel2a", nothing, nothing, ANGLES))
    red, nir, short, far = seen.unbind(-1)
    found = computed("ndvi", "nbr", "nd_B11_B04")
    torch.testing.assert_close(found["ndvi"], (nir - red) / (nir + red))
    torch.testing.assert_close(found["nbr"], (nir - far) / (nir + far))
    torch.testing.assert_close(found["nd_B11_B04"], (short - red) / (short + red))
    other = derive(("ndvi",), LAYOUT.decode, OPERATOR, CHANNELS)
    assert not torch.equal(other(ensemble(), ANGLES.flip(0))["ndvi"], computed("ndvi")["ndvi"])


def test_fractions_stay_fractions_and_grow_with_leaf_area() -> None:
    z = torch.zeros(2, 40, LAYOUT.size, dtype=torch.float64)
    z[..., LAYOUT.names.index("lai")] = torch.linspace(-5.0, 5.0, 40)
    found = computed("fapar", "fcover", z=z)
    for name in ("fapar", "fcover"):
        assert ((found[name] >= 0.0) & (found[name] <= 1.0)).all()
        assert (found[name].diff(dim=1) >= -1e-9).all()
        assert found[name][:, 0].max() < 0.05
        assert found[name][:, -1].min() > 0.85
    assert (found["fapar"][1] > found["fapar"][0] - 1e-9)[5:20].all()  # a lower sun, a longer path


def test_light_is_that_of_the_canopy_model_at_every_wavelength() -> None:
    state, tts = LAYOUT.decode(ensemble()), ANGLES[:, :1]
    par, every = load_optics(range(400, 701), torch.float64), load_optics(dtype=torch.float64)
    names = ("fapar", "fapar_diffuse", "fapar_total")
    found = computed(*names, "albedo", "albedo_black_sky", "albedo_white_sky")
    for name, exact in zip(
        names,
        (fapar(state, tts, par), fapar_diffuse(state, par), fapar_total(state, tts, par)),
        strict=True,
    ):
        # Fifteen wavelengths instead of 301, in dense and sparse canopies alike.
        assert (found[name] - exact).square().mean().sqrt() < 2e-3
        torch.testing.assert_close(found[name], exact, rtol=0, atol=2e-3)
    light = broadband_albedo(state, tts, every)
    for name, exact in (("_black_sky", light.black), ("_white_sky", light.white), ("", light.blue)):
        torch.testing.assert_close(found[f"albedo{name}"], exact, rtol=0, atol=3e-3)
    low, high = torch.minimum(light.black, light.white), torch.maximum(light.black, light.white)
    assert ((light.blue >= low) & (light.blue <= high)).all()


def test_every_derived_variable_is_differentiable() -> None:
    names = (*DERIVED, "ndvi", "nbr", "nd_B11_B04")
    function = derive(names, LAYOUT.decode, OPERATOR, CHANNELS)
    z = (0.5 * ensemble()[:1, :2]).requires_grad_()
    direction = torch.ones_like(z)
    for name in names:
        (slope,) = torch.autograd.grad(function(z, ANGLES[:1])[name].sum(), z)
        step = 1e-5
        with torch.no_grad():
            ahead, behind = (
                function(z + sign * step * direction, ANGLES[:1])[name].sum() for sign in (1, -1)
            )
        expected = ((ahead - behind) / (2 * step)).item()
        assert (slope * direction).sum().item() == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_every_variable_can_be_computed_and_is_described() -> None:
    without = {"gndvi", "ndre", "ndwi", *OPTIONAL}
    names = (*(name for name in OUTPUTS if name not in without), "nd_B8A_B12")
    found = computed(*names)
    assert list(found) == list(described(names)) == list(names)
    assert set(variables()) < set(names)
    for values in found.values():
        assert values.shape == (2, 50)
        assert values.isfinite().all()


def test_what_cannot_be_computed_is_refused() -> None:
    with pytest.raises(
        InputError, match="'lay' is no output variable; did you mean 'lai'. choose from .*lai"
    ):
        derive(("lay",), LAYOUT.decode, OPERATOR, CHANNELS)
    with pytest.raises(InputError, match="ndvi cannot be formed .*landsat9: B4.*; add the chan"):
        derive(("ndvi",), LAYOUT.decode, OPERATOR, {"landsat9": ("B4",)})
    with pytest.raises(InputError, match="nd_B08_B04 cannot be formed of the channels of this run"):
        derive(("nd_B08_B04",), LAYOUT.decode, OPERATOR, CHANNELS)
