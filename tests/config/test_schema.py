"""The schema says what the program does: both judge the same values the same way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from releo_da.config.commands import sections
from releo_da.config.document import KEYS
from releo_da.config.registry import Registry, bind
from releo_da.config.schema import DRAFT, argument_descriptions, json_type, schema
from releo_da.config.values import convert
from releo_da.types import InputError


def read(
    path: str | Path,
    decode: Callable[[float], float],
    size: float = 1e-3,
    limit: float = float("inf"),
    mode: Literal["slow", "fast"] = "slow",
    pair: tuple[float, float] = (0.0, 1.6),
) -> None:
    """Reads a file.

    And says more.

    Args:
        path: where it lies.
        decode: supplied.
        size: how large it is,
            on two lines.
        limit (float): the end.

    Raises:
        InputError: never.
    """


def score(horizons: Sequence[int] = (5, 10)) -> None:
    """Scores a run."""


sources = Registry("reader", {"points": read}, supplied=("decode",), key="reader")


def fits(value: Any, rule: Mapping[str, Any]) -> bool:
    """An independent judge: the part of JSON Schema that the module writes."""
    kinds: dict[str, Any] = {
        "integer": int, "number": (int, float), "string": str, "boolean": bool,
        "array": list, "object": dict, "null": type(None),
    }  # fmt: skip
    if "anyOf" in rule and not any(fits(value, arm) for arm in rule["anyOf"]):
        return False
    if "enum" in rule and value not in rule["enum"]:
        return False
    if "const" in rule and value != rule["const"]:
        return False
    if "type" in rule:
        if not isinstance(value, kinds[rule["type"]]):
            return False
        if isinstance(value, bool) and rule["type"] != "boolean":
            return False
    if "pattern" in rule and not re.search(rule["pattern"], value):
        return False
    if isinstance(value, list):
        if not rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", 99):
            return False
        first, rest = rule.get("prefixItems", []), rule.get("items", {})
        rules = [*first, *[rest] * (len(value) - len(first))]
        return all(one is not False and fits(v, one) for v, one in zip(value, rules, strict=True))
    if isinstance(value, dict):
        properties, extra = rule.get("properties", {}), rule.get("additionalProperties", {})
        known = all(name in value for name in rule.get("required", ()))
        return known and all(
            fits(item, properties[name])
            if name in properties
            else extra is not False and fits(item, extra)
            for name, item in value.items()
        )
    return True


def test_every_top_level_key_is_described_and_no_other_is_allowed() -> None:
    made = schema({"source": sources, "score": score})
    assert made["$schema"] == DRAFT
    assert tuple(made["properties"]) == KEYS
    assert made["additionalProperties"] is False
    assert json.loads(json.dumps(made)) == made


def test_names_defaults_and_meanings_come_from_the_function() -> None:
    made = schema({"source": sources, "score": score})
    (entry,) = made["properties"]["source"]["anyOf"][0]["anyOf"]
    assert entry["description"] == "Reads a file."
    assert entry["required"] == ["reader", "path"]
    assert entry["properties"]["reader"] == {"const": "points"}
    assert "decode" not in entry["properties"]
    assert entry["properties"]["size"]["default"] == 1e-3
    assert entry["properties"]["size"]["description"] == "how large it is, on two lines."
    assert "default" not in entry["properties"]["limit"]
    assert entry["properties"]["pair"]["default"] == [0.0, 1.6]
    assert made["properties"]["score"]["properties"]["horizons"]["default"] == [5, 10]
    assert argument_descriptions(read)["limit"] == "the end."


@pytest.mark.parametrize(
    "spec",
    [
        {"reader": "points", "path": "a.nc"},
        {"reader": "points", "path": "a.nc", "size": "1e-3", "pair": [0, "1e1"]},
        [{"reader": "points", "path": "a.nc"}],
        "points",
        {"reader": "points"},
        {"reader": "cube", "path": "a.nc"},
        {"reader": "points", "path": "a.nc", "sise": 1},
        {"reader": "points", "path": "a.nc", "size": "large"},
        {"reader": "points", "path": "a.nc", "size": True},
        {"reader": "points", "path": "a.nc", "mode": "medium"},
        {"reader": "points", "path": "a.nc", "pair": [0]},
        {"reader": "points", "path": 3},
        [],
    ],
)
def test_schema_and_program_agree_on_entries(spec: Any) -> None:
    try:
        sources.build(spec, "source", {"decode": abs})
        accepted = True
    except InputError:
        accepted = False
    assert fits({"source": spec}, schema({"source": sources})) is accepted


def test_several_entries_stand_in_a_list_and_a_section_may_be_a_schema() -> None:
    many = Registry("reader", {"points": read}, supplied=("decode",), key="reader", several=True)
    one = {"reader": "points", "path": "a.nc"}
    rule = schema({"source": many, "train": {"type": "integer"}})
    assert fits({"source": [one, one], "train": 3}, rule)
    assert fits({"source": one}, rule)
    assert not fits({"source": [one, one]}, schema({"source": sources}))
    assert not fits({"source": [one, {"reader": "points"}]}, rule)
    assert not fits({"train": "x"}, rule)


def alone(prior: float) -> float:
    """Stands by itself."""
    return prior


def wrapper(scheme: Callable[[float], float], factor: float = 2.0) -> Callable[[float], float]:
    """Wraps."""
    return lambda prior: factor * scheme(prior)


@pytest.mark.parametrize(
    "spec",
    ["alone", "wrapper", ["alone"], ["alone", "wrapper"], ["wrapper", "alone"], ["alone", "alone"],
     ["alone", {"name": "wrapper", "factor": 3}, "wrapper"], ["alone", {"name": "wrapper", "f": 3}],
     {"name": "alone", "prior": 1.0}],
)  # fmt: skip
def test_schema_and_program_agree_on_wrappers(spec: Any) -> None:
    entries = {"alone": alone, "wrapper": wrapper}
    schemes = Registry("scheme", entries, call=("prior",), inner="scheme")
    try:
        schemes.build(spec, "analyse")
        accepted = True
    except InputError:
        accepted = False
    assert fits({"analyse": spec}, schema({"analyse": schemes})) is accepted


@pytest.mark.parametrize(
    "wanted",
    [bool, int, float, str, list[int], Sequence[float], dict[str, int], Mapping[str, Sequence[str]],
     int | None, float | str | Sequence[str], Literal["1e-3", "b"], tuple[str, ...], Any],
)  # fmt: skip
@pytest.mark.parametrize(
    "value",
    [True, 1, 1.5, "1e-3", "-.5", "word", None, [], [1], ["a"], [1.5, "2"], {}, {"a": 1},
     {"a": ["b"]}],
)  # fmt: skip
def test_schema_and_program_agree_on_values(wanted: Any, value: Any) -> None:
    try:
        convert(value, wanted, "key")
        accepted = True
    except InputError:
        accepted = False
    assert fits(value, json_type(wanted)) is accepted


def test_a_forecaster_may_have_weights_and_fields() -> None:
    """Options that the program takes out of the entry before the forecaster sees it."""
    rule = schema(sections())
    entry = {"name": "mean_reverting", "weights": "w.safetensors"}
    toy = {"name": "lorenz96", "weights": "w.safetensors"}
    assert fits({"forecast": {**entry, "correlated": {"length": 50, "share": 0.5}}}, rule)
    assert not fits({"forecast": {**entry, "correlated": {"lenght": 50}}}, rule)
    assert fits({"forecast": toy}, rule)
    assert not fits({"forecast": {**toy, "correlated": {"length": 50}}}, rule)


def test_a_section_is_the_options_of_one_function() -> None:
    rule = schema({"score": score})
    for options, accepted in (({"horizons": [5]}, True), ({"horizon": [5]}, False)):
        assert fits({"score": options}, rule) is accepted
        if not accepted:
            with pytest.raises(InputError, match="did you mean 'horizons'"):
                bind(score, options, "score")
