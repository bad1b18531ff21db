"""The valid name that was probably meant, for messages of this package."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches


def nearest(name: str, names: Sequence[str]) -> str:
    """``did you mean 'x'? `` for the valid name that resembles `name` most, or nothing."""
    plain = {_plain(known): known for known in names}
    close = get_close_matches(_plain(name), plain, n=1, cutoff=0.4)
    return f"did you mean '{plain[close[0]]}'? " if close else ""


def _plain(name: str) -> str:
    """Without case, punctuation and leading zeros, in which conventions differ: B02 is b2."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", re.sub(r"[\W_]", "", name.lower()))
