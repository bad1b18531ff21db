"""JSON as plain values, strictly: bounded in size and depth, no repeated key, finite numbers.

The parser of Python recurses once per level and takes a level for each bracket: a hundred thousand
brackets end the process, or a message about recursion that names no file. Depth is therefore
counted in the text before it is parsed. Of two equal keys JSON's own rule keeps the last and says
nothing; two readers may then see two documents in one file.
"""

from __future__ import annotations

import json
import re
from typing import Any

from releo_da.types import InputError

LARGEST = 1 << 26
"""Characters of a document; scores of many sensors and leads have some hundred thousand."""

DEEPEST = 64
"""Levels of lists and mappings; those written by this package have fewer than ten."""

MARKS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""Texts, which may hold brackets, and brackets that open or close a level."""


def parse(text: str, where: str, remedy: str = "correct it") -> Any:
    """JSON text as plain Python values.

    Args:
        text: the document.
        where: its file, the beginning of messages.
        remedy: what to do about a bad one, the end of messages.

    Raises:
        InputError: no valid JSON, too large or too deep, a repeated key, or a number that is not
            finite.
    """
    if len(text) > LARGEST:
        raise InputError(f"{where}: has more than {LARGEST:,} characters of JSON; {remedy}")
    depth = 0
    for mark in MARKS.finditer(text):
        depth += (mark[0] in "[{") - (mark[0] in "]}")
        if depth > DEEPEST:
            raise InputError(f"{where}: nested more than {DEEPEST} levels deep; {remedy}")
    try:
        found = json.loads(
            text, object_pairs_hook=_once, parse_constant=_not_finite, parse_float=_finite
        )
        if "\\u" in text:  # half of a pair is no character and can be written nowhere
            json.dumps(found, ensure_ascii=False).encode("utf-8")
        return found
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON ({error}); {remedy}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of which no key appears twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice[:60]!r} appears twice")
    return found


def _not_finite(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is beyond what a number can be")
    return number
