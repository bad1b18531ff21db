"""The valid name that was probably meant, for messages of this package."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

LIKE = 0.4
"""Least likeness, from 0 to 1, of a name that is suggested."""


def nearest(name: str, names: Sequence[str]) -> str:
    """``did you mean 'x'? `` for the valid name that resembles `name` most, or nothing.

    Of names that are equally alike the first is meant.
    """

    def likeness(known: str) -> float:
        return SequenceMatcher(None, _plain(known), _plain(name)).ratio()

    best = max(names, key=likeness, default="")
    return f"did you mean '{best}'? " if best and likeness(best) >= LIKE else ""


def _plain(name: str) -> str:
    """Without case, punctuation and leading zeros, in which conventions differ: B02 is b2."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\W_]", "", name.lower()))
