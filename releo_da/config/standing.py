"""``standing.json``: how the last task of each tile ended, noted by what shares tiles out.

What a tile has done is in its own ledger. The note says what no ledger can: that a tile failed,
with which files of the inbox its last sweep came to its end, and which state it left. A folder that
holds another state was restored, and has to catch up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from releo_da.config.cycle_sums import kept_sums
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
        tiles: by name ``outcome``, ``listing`` or ``error``, ``cycles``, ``time`` and
            ``state_sha256``, and ``until`` where files are read again (days since 1970-01-01).
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


def fresh(about: Mapping[str, Any], folder: Path, listing: str, today: float) -> bool:
    """Whether a tile has nothing to do.

    Args:
        about: what the note says of it.
        folder: its run directory.
        listing: digest of the files and settings as they are now.
        today: days since 1970-01-01 UTC.
    """
    until = about.get("until")
    if about.get("listing") != listing or (until is not None and until <= today):
        return False
    try:
        left = kept_sums(folder) or {}
    except InputError:  # damaged: the task of the tile says so
        return False
    return bool(left.get("state_sha256") == about.get("state_sha256"))


def noted(before: Mapping[str, Any], found: Mapping[str, Any], listing: str) -> dict[str, Any]:
    """What is kept of a task: with the digest of what it dealt with where it came to its end.

    Args:
        before: what was noted of the tile.
        found: what its task gave (`releo_da.config.tile_work.sweep_tile`).
        listing: digest of the files and settings.
    """
    if found["outcome"] == DONE:
        until = {"until": found["until"]} if "until" in found else {}
        return {"outcome": DONE, "listing": listing, **until, **_stand(before, found)}
    return {"outcome": found["outcome"], "error": found["error"], **_stand(before, found)}


def _stand(before: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("cycles", "time", "state_sha256")
    return {key: found.get(key, before.get(key)) for key in keys}


def said_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a note says of how a tile stands, without what it was asked with."""
    return {key: value for key, value in about.items() if key not in ("listing", "until")}


def stands(root: Path, plan: Plan) -> dict[str, dict[str, Any]]:
    """Of each tile ``stands``: done, failed or behind, with what the note says of it.

    A tile is behind that was not begun, not finished, or not asked since files came.
    """
    held = read_standing(root)
    found = {}
    for tile in plan.tiles:
        about = dict(held["tiles"].get(tile.name, {}))
        last = about.pop("listing", None)
        about = {k: v for k, v in about.items() if k not in ("until", "state_sha256")}
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
