"""What every tile of a run would say, and the run says once: with the first tile that says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Said = tuple[str, str]
"""Kind of a record, and what of this kind it is about."""


def said_once(
    notes: Iterable[Mapping[str, Any]],
    tile: str,
    known: set[Said],
    tell: Callable[[Mapping[str, Any]], None],
) -> None:
    """Tell those of a tile's notes whose like no tile before it had.

    Args:
        notes: records for a log.
        tile: its name, which they are told with.
        known: what was told; it grows.
        tell: takes a record.
    """
    for record in notes:
        about = str(record["kind"]), str(record.get("what", ""))
        if about not in known:
            known.add(about)
            tell({**record, "tile": tile})
