"""A value from YAML as the type that an argument is annotated with.

The annotation of a function's argument is the only declaration there is. `convert` checks a value
against it and returns the value as that type; `json_type` writes the same annotation as JSON
Schema, so that an editor and the program hold a configuration to one rule.

Accepted on purpose: a whole number where a float is wanted, and text such as ``1e-3`` which YAML
1.1 reads as text. Refused on purpose: true/false as a number, NaN, a number as text.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from releo_da.config.document import nearest
from releo_da.types import InputError

NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
"""Text that is accepted as a float."""


def convert(value: Any, wanted: Any, where: str) -> Any:
    """The value as the wanted type.

    Args:
        value: what YAML gave.
        wanted: an annotation: bool, int, float, str, Path, date, list, tuple, Sequence, dict,
            Mapping, Literal, a union of these, or Any (object).
        where: full path of the key, for messages.

    Raises:
        InputError: the value does not fit; the message names the key, the value and what fits.
        TypeError: the annotation has no form in YAML (a defect of the program).
    """
    origin, arguments = get_origin(wanted) or wanted, get_args(wanted)
    if wanted in (Any, object):
        return value
    if origin in (Union, types.UnionType):
        return _one_of(value, arguments, where)
    if origin is Literal:
        return _literal(value, arguments, where)
    if origin in (list, tuple, Sequence):
        return _sequence(value, origin, arguments, where)
    if origin in (dict, Mapping):
        return _mapping(value, arguments, where)
    if origin not in _SCALARS:
        raise TypeError(f"{where}: an argument annotated {wanted} cannot be given in YAML")
    converted = _SCALARS[origin][1](value)
    if converted is _REFUSED:
        raise InputError(f"{where}: wants {describe(wanted)}, got {show(value)}")
    return converted


def describe(wanted: Any) -> str:
    """What an annotation accepts, in words."""
    origin, arguments = get_origin(wanted) or wanted, get_args(wanted)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(argument) for argument in arguments if expressible(argument))
    if origin is Literal:
        return "one of " + ", ".join(str(argument) for argument in arguments)
    if origin in (list, tuple, Sequence):
        inner = [argument for argument in arguments if argument is not Ellipsis]
        if origin is tuple and Ellipsis not in arguments and inner:
            return "a list of " + ", then ".join(describe(argument) for argument in inner)
        return "a list" + (f" ({describe(inner[0])} each)" if inner else "")
    if origin in (dict, Mapping):
        return "a mapping" + (f" of {describe(arguments[1])}" if arguments else "")
    return _SCALARS[origin][0] if origin in _SCALARS else "anything"


def expressible(wanted: Any) -> bool:
    """Whether an annotation has a form in YAML (tensors and functions have none)."""
    origin, arguments = get_origin(wanted) or wanted, get_args(wanted)
    if origin is Literal or wanted in (Any, object):
        return True
    if origin in (Union, types.UnionType):
        return any(expressible(argument) for argument in arguments)
    if origin in (list, tuple, Sequence, dict, Mapping):
        return all(expressible(argument) for argument in arguments if argument is not Ellipsis)
    return origin in _SCALARS


def show(value: Any) -> str:
    """A value as it would be written in YAML, shortened, with its kind where that is unclear."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    kinds = {bool: "true/false", type(None): "nothing", dict: "a mapping", list: "a list"}
    kind = kinds.get(type(value))
    return f"{text} ({kind})" if kind else text


_REFUSED = object()


def _as_float(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(NUMBER, value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return _REFUSED
    return float(value)


def _as_int(value: Any) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) else _REFUSED


def _as_date(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return _REFUSED


def _only(*kinds: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, kinds) else _REFUSED


_SCALARS: dict[Any, tuple[str, Callable[[Any], Any]]] = {
    bool: ("true or false", _only(bool)),
    int: ("a whole number", _as_int),
    float: ("a number", _as_float),
    str: ("text (in quotes if it looks like a number)", _only(str)),
    Path: ("a path", lambda v: Path(v) if isinstance(v, str | Path) else _REFUSED),
    date: ("a date YYYY-MM-DD", _as_date),
    datetime: ("a time YYYY-MM-DDTHH:MM:SS", _only(datetime)),
    type(None): ("nothing", _only(type(None))),
}


def _literal(value: Any, allowed: tuple[Any, ...], where: str) -> Any:
    if any(value == item and type(value) is type(item) for item in allowed):
        return value
    raise InputError(f"{where}: unknown value {show(value)}; {nearest(str(value), allowed)}")


def _sequence(value: Any, origin: Any, arguments: tuple[Any, ...], where: str) -> Any:
    if not isinstance(value, list | tuple):
        raise InputError(f"{where}: wants a list, got {show(value)}; write it as [a, b]")
    container = list if origin is list else tuple
    inner = arguments or (Any,)
    if origin is tuple and arguments and Ellipsis not in arguments:
        if len(value) != len(arguments):
            raise InputError(f"{where}: wants a list of {len(arguments)}, got {len(value)} items")
    else:
        inner = (inner[0],) * len(value)
    return container(
        convert(v, t, f"{where}[{i}]") for i, (v, t) in enumerate(zip(value, inner, strict=True))
    )


def _mapping(value: Any, arguments: tuple[Any, ...], where: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where}: wants a mapping, got {show(value)}; write it as {{key: value}}")
    keys, values = arguments or (Any, Any)
    return {
        convert(k, keys, f"{where}: key '{k}'"): convert(v, values, f"{where}.{k}")
        for k, v in value.items()
    }


def _one_of(value: Any, arms: tuple[Any, ...], where: str) -> Any:
    """The first arm that fits; a list or mapping that nearly fits one arm is told why it fails."""
    errors = []
    for arm in sorted(filter(expressible, arms), key=lambda arm: arm in (str, Path)):
        try:
            return convert(value, arm, where)
        except InputError as error:
            shapes: Any = {list: (list, tuple, Sequence), dict: (dict, Mapping)}
            alike: tuple[Any, ...] = shapes.get(type(value), (Literal,))
            if (get_origin(arm) or arm) in alike:
                errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    raise InputError(f"{where}: wants {describe(Union[arms])}, got {show(value)}")  # noqa: UP007
