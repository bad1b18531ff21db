"""JSON Schema of the configuration, made from signatures and docstrings.

An editor that is given the schema completes names, shows the meaning of an option and marks what
would be refused. It is generated, so it cannot differ from what the program accepts; defaults,
types and descriptions stay where they are, in the functions.

    # yaml-language-server: $schema=releo-da.schema.json

Reference: JSON Schema, draft 2020-12, https://json-schema.org/draft/2020-12/schema.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import types
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from releo_da.config.document import KEYS
from releo_da.config.registry import Function, Option, Registry, description, options_of
from releo_da.config.values import NUMBER, expressible

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_FIXED: dict[str, dict[str, Any]] = {
    "seed": {"type": "integer", "minimum": 0, "description": "Seed of all random numbers."},
    "members": {"type": "integer", "minimum": 2, "description": "Size of the ensemble."},
    "period": {
        "type": "array",
        "items": {"type": "string", "format": "date"},
        "minItems": 2,
        "maxItems": 2,
        "description": "First and last day, both included.",
    },
}

_SCALARS: dict[Any, dict[str, Any]] = {
    Any: {},
    object: {},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{NUMBER}$"}]},
    str: {"type": "string"},
    Path: {"type": "string"},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    type(None): {"type": "null"},
}


def schema(sections: Mapping[str, Registry | Function | Mapping[str, Any]]) -> dict[str, Any]:
    """The schema of a whole configuration.

    Args:
        sections: top-level key -> the registry that the key chooses from, the function whose
            arguments are the key's options, or a schema. Keys without an entry take any mapping.

    Returns:
        A mapping that can be written as JSON.
    """
    properties: dict[str, Any] = {}
    for key in KEYS:
        section = sections.get(key)
        if key in _FIXED:
            properties[key] = _FIXED[key]
        elif isinstance(section, Registry):
            properties[key] = component(section)
        elif isinstance(section, Mapping):
            properties[key] = dict(section)
        elif section is not None:
            properties[key] = options(section)
        else:
            properties[key] = {"type": "object"}
    return {
        "$schema": DRAFT,
        "title": "releo_da configuration",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def component(registry: Registry, also: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An entry of a registry, or a list: of wrappers of the first, or of ``several`` entries.

    Args:
        registry: the entries.
        also: option -> schema of options that every entry may have beside the arguments of its
            function, because the program takes them out before.
    """
    alone = {name: f for name, f in registry.entries.items() if not registry.wraps(f)}
    wrappers = {name: f for name, f in registry.entries.items() if registry.wraps(f)}
    one = _entries(alone, registry, also or {})
    rest = _entries(wrappers, registry, also or {}) if wrappers else registry.several and one
    listed = {"type": "array", "prefixItems": [one], "items": rest, "minItems": 1}
    return {"anyOf": [one, listed]}


def _entries(
    functions: Mapping[str, Function], registry: Registry, also: Mapping[str, Any]
) -> dict[str, Any]:
    """One of some entries: its bare name if that is enough, or a mapping of name and options."""
    names: list[str] = []
    mappings = []
    for name, function in functions.items():
        entry = options(function, registry.hidden)
        if not entry.get("required"):
            names.append(name)
        entry["properties"] = {registry.key: {"const": name}, **entry["properties"], **also}
        entry["required"] = [registry.key, *entry.get("required", [])]
        mappings.append(entry)
    return {"anyOf": [*([{"enum": names}] if names else []), *mappings]}


def options(function: Function, hidden: set[str] | None = None) -> dict[str, Any]:
    """A mapping of the options of one function."""
    allowed = {
        name: option
        for name, option in options_of(function, hidden or ()).items()
        if expressible(option.wanted)
    }
    meanings = argument_descriptions(function)
    result: dict[str, Any] = {
        "type": "object",
        "description": description(function),
        "properties": {
            name: _property(option, meanings.get(name, "")) for name, option in allowed.items()
        },
        "additionalProperties": False,
    }
    required = [name for name, option in allowed.items() if option.required]
    return {**result, "required": required} if required else result


def argument_descriptions(function: Function) -> dict[str, str]:
    """Name -> description, from the section ``Args:`` of a docstring in Google style.

    Of a function made upon another (`releo_da.config.upon`) those of both.
    """
    beneath = getattr(function, "upon", None)
    told = argument_descriptions(beneath) if beneath else {}
    section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)+)", inspect.getdoc(function) or "", re.M)
    if not section:
        return told
    entries = re.findall(r"^ {4}(\w+)(?: \([^)]*\))?:((?:.*)(?:\n {5,}.*)*)", section[1], re.M)
    return {**told, **{name: " ".join(text.split()) for name, text in entries}}


def json_type(wanted: Any) -> dict[str, Any]:
    """An annotation as JSON Schema; it accepts what `releo_da.config.values.convert` accepts."""
    origin, arguments = get_origin(wanted) or wanted, get_args(wanted)
    if origin in (Union, types.UnionType):
        return {"anyOf": [json_type(arm) for arm in arguments if expressible(arm)]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (list, tuple, Sequence):
        result: dict[str, Any] = {"type": "array"}
        if origin is tuple and arguments and Ellipsis not in arguments:
            size = len(arguments)
            items = [json_type(argument) for argument in arguments]
            return {**result, "prefixItems": items, "minItems": size, "maxItems": size}
        return {**result, "items": json_type(arguments[0])} if arguments else result
    if origin in (dict, Mapping):
        result = {"type": "object"}
        return {**result, "additionalProperties": json_type(arguments[1])} if arguments else result
    return _SCALARS[origin]


def _property(option: Option, meaning: str) -> dict[str, Any]:
    """The schema of one option, with its default where that can be written as JSON."""
    result = dict(json_type(option.wanted))
    if meaning:
        result["description"] = meaning
    if not option.required and _writable(option.default):
        result["default"] = json.loads(json.dumps(option.default, default=str))
    return result


def _writable(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_writable(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _writable(item) for key, item in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str | date | Path)
