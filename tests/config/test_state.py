"""The state of a configuration: which variables are estimated, which held."""

from __future__ import annotations

import pytest

from releo_da.config.assemble import STATES
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
    assert STATES.build({"name": "prosail", **options}, "state") == (names, held)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"add": ["moisture"]}, "'moisture' is not a state variable; the table has"),
        ({"add": ["ant"], "fixed": {"ant": 0.0}}, "ant is both in fixed and in add; remove it"),
        ({"fixed": {"soil_moisture": 0.9}}, "fixed.soil_moisture is 0.9; give 0.0 to 0.55"),
    ],
)
def test_what_cannot_be_a_state_is_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        STATES.build({"name": "prosail", **options}, "state")
