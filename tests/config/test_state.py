"""The state of a configuration: which variables are estimated, which held."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm, truncnorm

from releo_da.config.assemble import STATES
from releo_da.config.weights import load_weights, write_weights
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.observation.error import ObservationError
from releo_da.state.layout import Layout
from releo_da.state.variables import variables
from releo_da.types import InputError

USUAL = tuple(name for name in variables() if name != "ant")


@pytest.mark.parametrize(
    ("options", "names", "held"),
    [
        ({}, USUAL, {"ant": 0.0}),
        ({"fixed": {"ant": 2.0, "hspot": 0.1}},
         tuple(n for n in USUAL if n != "hspot"), {"ant": 2.0, "hspot": 0.1}),
        ({"add": ["soil_moisture"]},
         (*(n for n in USUAL if n != "psoil"), "soil_moisture"), {"ant": 0.0, "psoil": 1.0}),
        ({"add": ["soil_moisture"], "fixed": {"psoil": 0.7}},
         (*(n for n in USUAL if n != "psoil"), "soil_moisture"), {"ant": 0.0, "psoil": 0.7}),
        ({"add": ["psoil", "soil_moisture"]}, (*USUAL, "soil_moisture"), {"ant": 0.0}),
        ({"add": ["ant"]}, tuple(variables()), {}),
    ],
)  # fmt: skip
def test_variables_are_estimated_or_held(options: dict, names: tuple, held: dict) -> None:
    assert STATES.build({"name": "prosail", **options}, "state") == (names, held, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"add": ["moisture"]}, "'moisture' is not a state variable; the table has"),
        ({"add": ["ant"], "fixed": {"ant": 0.0}}, "ant is both in fixed and in add; remove it"),
        ({"fixed": {"soil_moisture": 0.9}}, "fixed.soil_moisture is 0.9; give 0.0 to 0.55"),
        ({"priors": {"ant": [0.0, 1.0]}}, "'ant' is not estimated; choose from n, cab"),
        ({"priors": {"lai": [2.0]}}, "priors.lai is .*; give .mean, sd. with a positive sd"),
        ({"priors": {"lai": [2.0, 0.0]}}, "priors.lai is .*; give .mean, sd. with a positive sd"),
        ({"priors": {"lai": [-9.0, 1.0]}}, "priors.lai is .*: 0 to 12 lie more than 4 sd"),
    ],
)
def test_what_cannot_be_a_state_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        STATES.build({"name": "prosail", **options}, "state")


def test_a_prior_of_the_configuration_takes_the_place_of_the_tables() -> None:
    names, held, priors = STATES.build({"name": "prosail", "priors": {"lai": [1, 4]}}, "state")
    assert priors == {"lai": (1.0, 4.0)}
    z = torch.linspace(-3.0, 3.0, 25, dtype=torch.float64)
    layout = Layout(names, held, False, priors=priors)
    found = layout.decode(z[:, None].expand(-1, len(names)))
    expected = truncnorm.ppf(norm.cdf(z), (0.0 - 1.0) / 4.0, (12.0 - 1.0) / 4.0, 1.0, 4.0)
    assert np.allclose(found["lai"], expected, atol=1e-9)
    usual = Layout(names, held, False).decode(z[:, None].expand(-1, len(names)))
    assert torch.equal(found["cab"], usual["cab"])


def test_weights_belong_to_the_priors_they_were_fitted_with(tmp_path: Path) -> None:
    plain = Layout(("lai",), {}, True, (665.0,))
    other = Layout(("lai",), {}, True, (665.0,), priors={"lai": (1.0, 4.0)})
    error = ObservationError({}, (665.0,), {})
    path = tmp_path / "weights.safetensors"
    write_weights(path, plain, MeanReverting(plain), error)
    load_weights(path, plain, MeanReverting(plain), error)
    with pytest.raises(InputError, match="priors is none there and lai 1 4 here"):
        load_weights(path, other, MeanReverting(other), error)
