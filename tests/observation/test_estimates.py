"""Products of variables as observations: H is the variable, R is the product's own error."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from releo_da.assimilation.etkf import etkf
from releo_da.observation.derived import DERIVED, quantities
from releo_da.observation.error import ObservationError
from releo_da.observation.estimates import EstimateOperator, SplitOperator, split
from releo_da.observation.prosail import NodeBands, ProsailOperator
from releo_da.physics.optics import load_optics
from releo_da.sensors import load_sensor
from releo_da.state.layout import Layout
from releo_da.state.variables import variables
from releo_da.types import Acquisition, InputError

NAMES = tuple(name for name in variables() if name != "ant")
LAYOUT = Layout(NAMES, {"ant": 0.0}, False)
KNOWN = (*NAMES, "ant")
CHANNELS = ("fapar", "lai", "albedo", "ccc", "cab")
ANGLES = torch.tensor([[30.0, 5.0, 90.0], [55.0, 0.0, 0.0]], dtype=torch.float64)


def ensemble(members: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, members, LAYOUT.size, generator=generator, dtype=torch.float64)


def seen(sensor: str, values: torch.Tensor, error: float) -> Acquisition:
    return Acquisition(0.0, sensor, values, torch.full_like(values, error), ANGLES)


def test_it_predicts_the_variables_of_each_member() -> None:
    operator = EstimateOperator(LAYOUT.decode, {"estimates": CHANNELS}, KNOWN)
    members = ensemble()
    found = operator(members, seen("estimates", members[:, 0, :5], 1.0))
    state = LAYOUT.decode(members)
    at = partial(load_optics, dtype=torch.float64)
    derived = quantities(("fapar", "albedo", "ccc"), state, ANGLES[:, None, 0], at)
    for k, name in enumerate(CHANNELS):
        assert torch.equal(found[..., k], (state | derived)[name])
    assert derived["fapar"][0].ne(derived["fapar"][1]).any()  # the sun differs
    members.requires_grad_(True)
    operator(members, seen("estimates", members[:, 0, :5].detach(), 1.0)).sum().backward()
    assert members.grad is not None and torch.isfinite(members.grad).all()


def test_every_channel_of_the_catalogue_is_a_variable() -> None:
    sensor = load_sensor("estimates")
    known = (*KNOWN, "soil_moisture")
    assert set(sensor.variables) <= {*known, *DERIVED}
    assert sensor.channels == sensor.variables and sensor.bands == ()
    bounds = variables(("lai", "cab", "cw", "cm", "soil_moisture"))
    for name, variable in bounds.items():
        low, high = sensor.limits((name,))[0]
        assert low <= variable.lower and high >= variable.upper


def test_a_precise_estimate_moves_the_state_to_it() -> None:
    """The ETKF on leaf area alone: the analysis is the product, within its error."""
    operator = EstimateOperator(LAYOUT.decode, {"estimates": ("lai",)}, KNOWN)
    prior = ensemble(64)
    truth = torch.tensor([[2.5], [1.0]], dtype=torch.float64)
    a = seen("estimates", truth, 0.02)
    for _ in range(4):  # H is the truncated normal of a latent: not linear
        analysis = etkf(prior, partial(operator, acquisition=a), a.values, a.precision, None, {})
        prior = analysis.ensemble
    lai = LAYOUT.decode(prior)["lai"]
    np.testing.assert_allclose(lai.mean(1), truth[:, 0], atol=0.06)


def test_each_acquisition_goes_to_the_operator_of_its_sensor() -> None:
    channels = {"sentinel2a": ("B04", "B08"), "estimates": ("lai",)}
    bands, estimates = split(channels)
    assert (bands, estimates) == ({"sentinel2a": ("B04", "B08")}, {"estimates": ("lai",)})
    knots = (665.0, 833.0)
    layout = Layout(NAMES, {"ant": 0.0}, False, knots)
    rule = NodeBands(bands)
    optical = ProsailOperator(layout.decode, layout.residual, bands, knots, rule)
    own = EstimateOperator(layout.decode, estimates, KNOWN)
    both = SplitOperator(optical, own)
    generator = torch.Generator().manual_seed(1)
    members = torch.randn(2, 3, layout.size, generator=generator, dtype=torch.float64)
    one = seen("sentinel2a", torch.full((2, 2), 0.1, dtype=torch.float64), 0.01)
    other = seen("estimates", torch.ones(2, 1, dtype=torch.float64), 0.5)
    assert torch.equal(both(members, one), optical(members, one))
    assert torch.equal(both(members, other), own(members, other))
    assert both(members, one._replace(sensor="", values=one.values[:, :0])).shape == (2, 3, 0)
    error = ObservationError(bands, knots, rule.error)
    assert error(other) is other  # its whole error came with it
    assert (error(one).error > one.error).all()


def test_a_run_without_bands_has_no_knots() -> None:
    error = ObservationError({}, (), {})
    a = seen("estimates", torch.ones(2, 1, dtype=torch.float64), 0.5)
    assert error(a) is a
    assert list(error.parameters())[0].numel() == 0


SENSOR = """
source: a product
channels:
  LAI: {variable: lai, range: [0, 7], noise: {additive: 0.4, multiplicative: 0.1}}
  FAPAR: {variable: fapar, noise: {additive: 0.05}}
"""


def test_a_file_describes_a_product(tmp_path: Path) -> None:
    path = tmp_path / "product.yaml"
    path.write_text(SENSOR)
    sensor = load_sensor(str(path))
    assert sensor.estimated(("FAPAR", "LAI")) == ("fapar", "lai")
    assert sensor.limits(("LAI",)) == ((0.0, 7.0),)
    assert sensor.multiplicative == (0.1, 0.0)
    assert sensor.are_indices(("LAI", "FAPAR")) == (False, False)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("variable: lai", "variable: 3", "write a name of `releo-da variables`"),
        ("[0, 7]", "[7, 0]", "write [least, most]"),
        ("[0, 7]", "7", "write [least, most]"),
        ("range: [0, 7]", "width: 7", "a variable has no width"),
        ("variable: fapar", "centre: 600, width: 30", "write a file for each kind"),
        ("noise: {additive: 0.05}", "range: [0, 1]", "has no additive noise"),
    ],
)
def test_wrong_descriptions_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "product.yaml"
    assert old in SENSOR
    path.write_text(SENSOR.replace(old, new))
    with pytest.raises(InputError) as error:
        load_sensor(str(path))
    assert said in str(error.value) and "product.yaml" in str(error.value)


@pytest.mark.parametrize("name", ["lia", "soil_moisture", "ndvi"])
def test_what_is_no_variable_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "product.yaml"
    path.write_text(SENSOR.replace("variable: lai", f"variable: {name}"))
    with pytest.raises(InputError, match=f"it estimates '{name}', which is no variable"):
        EstimateOperator(LAYOUT.decode, {str(path): ("LAI",)}, KNOWN)
