"""The registry: signatures are the only declaration, and every refusal names the full key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from releo_da.config.forecasters import FORECASTERS
from releo_da.config.registry import Registry, bind, description, options_of
from releo_da.runs.withhold import Withhold
from releo_da.types import InputError

Scheme = Callable[[float], float]


def scaled(prior: float, scale: float = 2.0) -> float:
    """Multiplies the prior.

    More that is not shown.
    """
    return prior * scale


def shifted(scheme: Scheme, by: float, decode: float = 0.0) -> Scheme:
    """Adds to what a scheme gives."""
    return lambda prior: scheme(prior) + by + decode


def twice(scheme: Scheme) -> Scheme:
    """Applies a scheme two times."""
    return lambda prior: scheme(scheme(prior))


schemes = Registry(
    "scheme",
    {"scaled": scaled, "shifted": shifted, "twice": twice},
    call=("prior",),
    supplied=("decode",),
    inner="scheme",
)


def options(
    flag: bool = False,
    count: int = 1,
    size: float = 1.0,
    text: str = "",
    mode: Literal["slow", "fast"] = "slow",
    many: Sequence[float] = (),
    pair: tuple[str, int] = ("a", 1),
    names: list[str] | None = None,
    table: Mapping[str, Sequence[int]] | None = None,
    any_of: float | str | Sequence[str] = 0.0,
    day: date = date(2000, 1, 1),
    place: Path | None = None,
    free: Any = None,
) -> dict[str, Any]:
    """Gives back what it was given."""
    return dict(locals())


def refusal(spec: Any, **provided: Any) -> str:
    """The message with which an entry is refused."""
    with pytest.raises(InputError) as caught:
        schemes.build(spec, "analyse", provided)
    return str(caught.value)


def test_name_alone_mapping_and_list_mean_functions() -> None:
    assert schemes.build("scaled", "analyse")(3.0) == 6.0
    assert schemes.build({"name": "scaled", "scale": 4}, "analyse")(3.0) == 12.0
    assert schemes.build([{"name": "scaled"}], "analyse")(3.0) == 6.0


def test_each_of_a_list_wraps_the_one_before() -> None:
    inner_first = [{"name": "scaled"}, {"name": "shifted", "by": 1}, "twice"]
    other_order = [{"name": "scaled"}, "twice", {"name": "shifted", "by": 1}]
    assert schemes.build(inner_first, "analyse")(3.0) == (3 * 2 + 1) * 2 + 1
    assert schemes.build(other_order, "analyse")(3.0) == 3 * 4 + 1


def test_the_program_supplies_what_an_entry_asks_for_and_no_more() -> None:
    spec = ["scaled", {"name": "shifted", "by": 1}]
    assert schemes.build(spec, "analyse", {"decode": 10.0})(3.0) == 17.0
    assert "analyse[1].decode: is set by the program; remove it" in refusal(
        ["scaled", {"name": "shifted", "by": 1, "decode": 5}]
    )
    assert "analyse.prior: is set by the program" in refusal({"name": "scaled", "prior": 1})
    assert "analyse.decode: unknown option" in refusal({"name": "scaled", "decode": 1})


def test_an_option_of_another_entry_is_told() -> None:
    """Of all that have it; not where it comes from the program."""
    said = refusal({"name": "scaled", "by": 1})
    assert "analyse.by: unknown option; option of: shifted; valid: scale" in said
    assert "option of" not in refusal({"name": "scaled", "decode": 1})
    assert "option of" not in refusal({"name": "scaled", "scheme": 1})


@pytest.mark.parametrize("option", ["calendar", "slow", "memory", "drift"])
def test_options_of_the_learned_forecaster_are_told_to_others(option: str) -> None:
    with pytest.raises(
        InputError, match=rf"forecast\.{option}: unknown option; option of: neural; valid"
    ):
        FORECASTERS.bind({"name": "mean_reverting", option: 1}, "forecast")


def test_what_a_maker_refuses_is_told_with_its_key() -> None:
    def picky(scheme: Scheme, factor: float = 2.0) -> Scheme:
        """Refuses large factors."""
        raise InputError(f"factor must be below 1, got {factor}")

    registry = Registry("scheme", {"scaled": scaled, "picky": picky}, ("prior",), (), "scheme")
    with pytest.raises(InputError, match=r"^analyse\[1\]: factor must be below 1, got 2.0"):
        registry.build(["scaled", "picky"], "analyse")


def test_text_numbers_are_floats_where_a_float_is_wanted() -> None:
    assert schemes.build({"name": "scaled", "scale": "1e-3"}, "analyse")(2.0) == 2e-3


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            ["scaled", {"name": "shifted", "bye": 1}],
            "analyse[1].bye: unknown option; did you mean 'by'?",
        ),
        ({"name": "scaled", "factor": 1}, "analyse.factor: unknown option; valid: scale"),
        ({"name": "twice", "x": 1}, "analyse.x: unknown option; valid: none"),
        (["scaled", "shifted"], "analyse[1]: needs 'by' (no default); add it"),
        (
            "scald",
            "analyse.name: unknown scheme 'scald'; did you mean 'scaled'? valid: scaled, shifted",
        ),
        ("os.system", "unknown scheme 'os.system'"),
        ({"scale": 3}, "analyse: needs the key 'name'; valid: scaled, shifted, twice"),
        (None, "analyse: wants a scheme, {name: ...}, got None"),
        ([], "analyse: the list is empty; give a scheme"),
        ("twice", "'twice' wraps another scheme; write a list and put it after"),
        (["scaled", "scaled"], "analyse[1]: 'scaled' does not wrap another scheme; only the first"),
        ({"name": ["scaled"]}, "unknown scheme"),
    ],
)
def test_refusals_name_the_key_and_the_remedy(spec: Any, expected: str) -> None:
    assert expected in refusal(spec)


@pytest.mark.parametrize(
    ("key", "value", "result"),
    [
        ("flag", True, True),
        ("count", 3, 3),
        ("size", 3, 3.0),
        ("size", "-2.5E+3", -2500.0),
        ("size", float("inf"), float("inf")),
        ("mode", "fast", "fast"),
        ("many", [1, "1e-3"], (1.0, 1e-3)),
        ("pair", ["b", 2], ("b", 2)),
        ("names", ["x"], ["x"]),
        ("names", None, None),
        ("table", {"scl": [4, 5]}, {"scl": (4, 5)}),
        ("any_of", "1e-3", 1e-3),
        ("any_of", "word", "word"),
        ("any_of", ["word"], ("word",)),
        ("day", date(2017, 1, 2), date(2017, 1, 2)),
        ("day", "2017-01-02", date(2017, 1, 2)),
        ("place", "a/b.nc", Path("a/b.nc")),
        ("free", {1: [None]}, {1: [None]}),
    ],
)
def test_values_become_what_the_annotation_says(key: str, value: Any, result: Any) -> None:
    given = bind(options, {key: value}, "score")()[key]
    assert given == result
    assert type(given) is type(result)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("flag", 1, "score.flag: wants true or false, got 1"),
        ("flag", "yes", "score.flag: wants true or false, got 'yes'"),
        ("count", True, "score.count: wants a whole number, got True (true/false)"),
        ("count", 2.0, "score.count: wants a whole number, got 2.0"),
        ("count", "3", "score.count: wants a whole number, got '3'"),
        ("size", True, "score.size: wants a number, got True (true/false)"),
        ("size", "1e", "score.size: wants a number, got '1e'"),
        ("size", "nan", "score.size: wants a number"),
        ("size", float("nan"), "score.size: wants a number, got nan"),
        ("size", None, "score.size: wants a number, got None (nothing)"),
        ("text", 5, "score.text: wants text (in quotes if it looks like a number), got 5"),
        (
            "mode",
            "fats",
            "score.mode: unknown value 'fats'; did you mean 'fast'? valid: slow, fast",
        ),
        ("many", "1, 2", "score.many: wants a list, got '1, 2'; write it as [a, b]"),
        ("many", [1, "x"], "score.many[1]: wants a number, got 'x'"),
        ("pair", ["b"], "score.pair: wants a list of 2, got 1 items"),
        ("pair", ["b", "c"], "score.pair[1]: wants a whole number, got 'c'"),
        ("names", "x", "score.names: wants a list (text (in quotes"),
        ("names", [3], "score.names[0]: wants text"),
        ("table", {"scl": [4, "five"]}, "score.table.scl[1]: wants a whole number, got 'five'"),
        ("table", {8: [4]}, "score.table: key '8': wants text"),
        ("table", [4], "or nothing, got [4] (a list)"),
        ("any_of", {"a": 1}, "wants a number or text"),
        ("day", "2017-13-01", "score.day: wants a date YYYY-MM-DD, got '2017-13-01'"),
        ("sise", 1, "score.sise: unknown option; did you mean 'size'?"),
    ],
)
def test_values_that_do_not_fit_are_named(key: str, value: Any, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        bind(options, {key: value}, "score")
    assert expected in str(caught.value)


def test_a_section_must_be_a_mapping() -> None:
    with pytest.raises(InputError, match="score: wants a mapping of options, got 3; valid: flag"):
        bind(options, 3, "score")  # type: ignore[arg-type]
    assert bind(options, None, "score")()["count"] == 1


def test_classes_and_partials_are_entries_too() -> None:
    class Maker:
        """Makes."""

        def __init__(self, size: float) -> None:
            self.size = size

    registry = Registry("maker", {"class": Maker, "partial": partial(scaled, 2.0)}, key="reader")
    assert registry.build({"reader": "class", "size": "1e2"}, "source").size == 100.0
    assert registry.build({"reader": "partial", "scale": 3}, "source") == 6.0
    with pytest.raises(InputError, match=r"source.reader: unknown maker 'clas'; did you mean 'cla"):
        registry.build("clas", "source")


def test_several_stand_side_by_side() -> None:
    def read(path: str, crs: str = "") -> str:
        """Reads."""
        return path + crs

    registry = Registry("reader", {"points": read}, key="reader", several=True)
    one, other = {"reader": "points", "path": "a"}, {"reader": "points", "path": "b"}
    assert registry.build([one, other], "source") == ["a", "b"]
    assert registry.build(one, "source") == ["a"]
    with pytest.raises(InputError, match=r"source\[1\].paht: unknown option; did you mean 'path'"):
        registry.build([one, {"reader": "points", "paht": "b"}], "source")
    with pytest.raises(InputError, match="source: the list is empty; give a reader"):
        registry.build([], "source")


def test_an_argument_without_a_yaml_form_is_a_defect_of_the_program() -> None:
    def wants_function(scheme: Scheme) -> None:
        """Wants what no configuration can hold."""

    with pytest.raises(TypeError, match="cannot be given in YAML"):
        bind(wants_function, {"scheme": 1}, "x")


def test_binding_does_not_call_and_descriptions_are_first_lines() -> None:
    bound = schemes.bind({"name": "shifted", "by": 1}, "analyse", {"decode": 2.0})
    assert bound.keywords == {"by": 1.0, "decode": 2.0}
    assert description(scaled) == "Multiplies the prior."


def test_fields_of_a_record_have_their_types() -> None:
    assert options_of(Withhold)["every"].wanted is int
    with pytest.raises(InputError, match="every"):
        bind(Withhold, {"every": "x"}, "score.withhold")
