"""`releo-da verify`: whether a cycling run is sound, for people as lines, for programs as JSON.

Of a run in tiles every tile is verified, each a run directory of its own. Neither the lock of the
run nor anything in it is touched, so that a backup on a medium that cannot be written, or a run
that a service is at work on, can be verified as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from releo_da.runs.verify import LEDGER, Verified, verify
from releo_da.types import InputError

TILES = "tiles"
SHOWN = 12
"""Names of one kind that are written as lines."""


def roots(run: Path) -> dict[str, Path]:
    """Name -> directory of each part of a run: its tiles, or the whole under an empty name.

    Raises:
        InputError: the directory holds no cycling run.
    """
    if (run / TILES).is_dir():
        return {path.name: path for path in sorted((run / TILES).iterdir()) if path.is_dir()}
    if (run / LEDGER).exists() or (run / "states").is_dir():
        return {"": run}
    raise InputError(f"{run}: holds no {LEDGER}, so no cycling run; give its run directory")


def found(run: Path) -> dict[str, Any]:
    """What verifying a run found, as plain values.

    ``sound``; ``counts`` over all parts; ``damage``, a list of ``file``, ``problem``, ``remedy``;
    ``rests`` and ``unknown``, names of files (`releo_da.runs.verify.Verified`). Names are from the
    run directory on.

    Raises:
        InputError: the directory holds no cycling run.
    """
    parts = {name: verify(path) for name, path in roots(run).items()}
    counts: dict[str, int] = {"tiles": len(parts)} if "" not in parts else {}
    for part in parts.values():
        for name, number in part.counts.items():
            counts[name] = counts.get(name, 0) + number
    return {
        "sound": not any(part.damage for part in parts.values()),
        "counts": counts,
        "damage": [
            {**one._asdict(), "file": _named(name, one.file)}
            for name, part in parts.items()
            for one in part.damage
        ],
        "rests": _all(parts, "rests"),
        "unknown": _all(parts, "unknown"),
    }


def _named(part: str, file: str) -> str:
    return f"{TILES}/{part}/{file}" if part else file


def _all(parts: dict[str, Verified], kind: str) -> list[str]:
    return [_named(name, file) for name, part in parts.items() for file in getattr(part, kind)]


def lines(told: dict[str, Any]) -> list[str]:
    """The same as lines; all damage, of other files the first ones and how many there are."""
    said = [f"{name}: {number}" for name, number in told["counts"].items()]
    for kind, words in (
        ("rests", "left over, removed by the next sweep that is finished"),
        ("unknown", "unknown, left alone"),
    ):
        names = told[kind]
        said += [f"{words}: {name}" for name in names[:SHOWN]]
        if len(names) > SHOWN:
            said.append(f"{words}: {len(names)} in all, --json lists them")
    said += [f"damaged: {one['file']}: {one['problem']}; {one['remedy']}" for one in told["damage"]]
    return [*said, "sound" if told["sound"] else f"damaged in {len(told['damage'])} places"]
