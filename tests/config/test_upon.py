"""A component made upon another has the options of both, each declared once."""

from __future__ import annotations

import pytest

from releo_da.config.forecasters import FORECASTERS, hybrid, mean_reverting, neural
from releo_da.config.registry import options_of
from releo_da.config.schema import argument_descriptions
from releo_da.config.upon import upon
from releo_da.state.layout import Layout
from releo_da.types import InputError


def season(size: int, days: float = 20.0) -> tuple:
    """A season.

    Args:
        size: of it.
        days: it lasts.
    """
    return ("season", size, days)


@upon(season)
def forced(base: tuple, size: int, strength: float = 1.0) -> tuple:
    """A season under a force.

    Args:
        base: what is forced.
        size: of the force.
        strength: of it.
    """
    return ("forced", base, size, strength)


@upon(forced)
def learned(base: tuple, days: float = 5.0) -> tuple:
    """A forced season with a network.

    Args:
        base: what is learned about.
        days: of the network.
    """
    return ("learned", base, days)


def test_options_go_where_they_are_declared_and_shared_ones_to_both():
    made = learned(size=3, strength=2.0, days=7.0)
    assert made == ("learned", ("forced", ("season", 3, 7.0), 3, 2.0), 7.0)


def test_defaults_are_those_of_each_function():
    assert learned(size=3) == ("learned", ("forced", ("season", 3, 20.0), 3, 1.0), 5.0)


def test_the_base_is_no_option_and_an_unknown_one_is_an_error():
    assert set(options_of(learned)) == {"size", "strength", "days"}
    for wrong in ({"base": ()}, {"strenght": 1.0}):
        with pytest.raises(TypeError):
            learned(size=3, **wrong)


def test_meanings_are_those_of_the_outermost_that_tells_one():
    told = argument_descriptions(learned)
    assert told["days"] == "of the network." and told["strength"] == "of it."
    assert told["size"] == "of the force."


@pytest.mark.parametrize("outer, inner", [(hybrid, mean_reverting), (neural, hybrid)])
def test_every_option_of_a_forecaster_is_one_of_what_is_made_upon_it(outer, inner):
    held, added = options_of(inner, FORECASTERS.hidden), options_of(outer, FORECASTERS.hidden)
    assert {name: added[name] for name in held} == held
    assert set(argument_descriptions(outer)) >= set(argument_descriptions(inner)) - {"layout"}


def test_what_the_inner_one_refuses_names_the_key():
    spec = {"name": "neural", "own_harmonics": -1}
    with pytest.raises(InputError, match=r"forecast: .*own_harmonics is -1"):
        FORECASTERS.build(spec, "forecast", {"layout": Layout(("lai",))})
