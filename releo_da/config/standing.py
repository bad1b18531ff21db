"""``standing.json``: how the last task of each tile ended, noted by what shares tiles out.

What a tile has done is in its own ledger. The note says what no ledger can: that a tile failed, and
with which files of the inbox its last sweep came to its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from releo_da.config.finished import parsed, text_of
from releo_da.io import write_json
from releo_da.io.tile_plan import Plan
from releo_da.runs.verify import LEDGER
from releo_da.strict_json import LARGEST
from releo_da.types import InputError

STANDING = "standing.json"
DONE, BUSY, STOPPED, INPUT, DEFECT, LOST = "done", "busy", "stopped", "input", "defect", "lost"
FAILED = (INPUT, DEFECT, LOST)
BEHIND = "behind"


def write_standing(root: Path, listing: str, tiles: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the note of a sweep, whole or not at all.

    Args:
        root: the run directory.
        listing: digest of the files and settings of this sweep.
        tiles: by name ``outcome``, ``listing`` or ``error``, ``cycles`` and ``time``.
    """
    write_json(root / STANDING, {"listing": listing, "tiles": tiles})


def read_standing(root: Path) -> dict[str, Any]:
    """``listing`` and ``tiles`` of the last sweep; empty where that is not known."""
    try:
        path = root / STANDING
        held = parsed(path, text_of(path, LARGEST))
    except (OSError, InputError):  # a note, not a fact: every tile is asked again
        held = {}
    tiles = held.get("tiles")
    return {"listing": held.get("listing"), "tiles": tiles if isinstance(tiles, dict) else {}}


def stands(root: Path, plan: Plan) -> dict[str, dict[str, Any]]:
    """Of each tile ``stands``: done, failed or behind, with what the note says of it.

    A tile is behind that was not begun, not finished, or not asked since files came.
    """
    held = read_standing(root)
    found = {}
    for tile in plan.tiles:
        about = dict(held["tiles"].get(tile.name, {}))
        last = about.pop("listing", None)
        outcome = about.get("outcome")
        current = outcome == DONE and last == held["listing"]
        word = DONE if current else "failed" if outcome in FAILED else BEHIND
        found[tile.name] = {"stands": word, "pixels": tile.pixels, **about}
    return found


def begun(about: Mapping[str, Any]) -> bool:
    """Whether a tile has committed a cycle, as far as the note says."""
    return bool(about.get("cycles"))


def lost(about: Mapping[str, Any], folder: Path) -> str | None:
    """What is wrong with a tile that was begun and has no ledger any more, or None.

    Args:
        about: what the note says of it.
        folder: its run directory.
    """
    if not begun(about) or (folder / LEDGER).is_file():
        return None
    return (
        f"{folder}: {about['cycles']} cycles were committed, and the ledger is gone; restore the "
        f"folder from a backup, or remove {STANDING} to begin it anew from its acquisitions"
    )


def counted(tiles: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """How many tiles are done, failed and behind."""
    found = Counter(str(about["stands"]) for about in tiles.values())
    return {word: found[word] for word in (DONE, "failed", BEHIND)}
