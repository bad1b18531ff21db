"""Messages about names: what was asked for, what is there, and which of those was probably meant.

A wrong name in a configuration is the commonest fault of all, so every reader reports it in the
same words through this one function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NoReturn

from releo_da.types import InputError

SHOWN = 12


def nearest(name: str, names: Iterable[str]) -> str:
    """Hint at the valid name that resembles `name` most, or a full stop where none does."""
    folded = {known.lower(): known for known in names}
    close = get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
    return f"; did you mean '{folded[close[0]]}'?" if close else "."


def listed(names: Iterable[object]) -> str:
    """The names in order, cut after a dozen: ``a, b, c, ... (40 in all)``."""
    known = [str(name) for name in names]
    text = ", ".join(known[:SHOWN]) or "nothing"
    return text if len(known) <= SHOWN else f"{text}, ... ({len(known)} in all)"


def require(name: object, names: Iterable[object], where: str, what: str) -> None:
    """Refuse a name that is not among the valid ones.

    Args:
        name: what was asked for.
        names: what there is.
        where: file and key, the beginning of the message.
        what: the kind of thing named, as in "variable".

    Raises:
        InputError: `name` is not in `names`; the message lists these and the nearest.
    """
    known = [str(n) for n in names]
    if str(name) not in known:
        refuse(name, known, where, what)


def require_in_file(
    channels: Mapping[str, object], names: Iterable[object], where: str, what: str
) -> None:
    """Refuse an entry of the option ``channels`` whose right side is not in the file.

    Args:
        channels: agency's name -> name in the file.
        names: what the file has.
        where: the file, the beginning of the message.
        what: the kind of thing that the right side names, as in "column".

    Raises:
        InputError: the message says which side is wrong and lists what the file has.
    """
    known = list(names)
    for agency, name in channels.items():
        side = f"{where}: key 'channels', {agency}: {name}: the right side, the name in the file"
        require(name, known, side, what)


def refuse(name: object, names: Iterable[object], where: str, what: str) -> NoReturn:
    """Raise the `InputError` of `require`."""
    known = [str(n) for n in names]
    raise InputError(
        f"{where}: there is no {what} '{name}'{nearest(str(name), known)} "
        f"It has {listed(known)}. Correct the name in the configuration."
    )
