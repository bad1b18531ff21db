"""`releo-da verify`: whether a cycling run is sound, for people as lines, for programs as JSON.

Of a run in tiles every tile of ``tiles.json`` is verified, each a run directory of its own. A tile
has a folder from when the plan was made, so one without was lost; one that is empty was not begun,
unless the note of the last sweep (`releo_da.config.standing`) says that it was. Neither the lock of
the run nor anything in it is touched, so that a backup on a medium that cannot be written, or a run
that a service is at work on, can be verified as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from releo_da.config.standing import begun, read_standing
from releo_da.io.tile_plan import PLAN, TILES, read_plan
from releo_da.runs.retention import STATES
from releo_da.runs.verify import FOLDERS, LEDGER, RESTORE, Damage, Verified, verify
from releo_da.types import InputError

SHOWN = 12
"""Names of one kind that are written as lines."""

NOT_BEGUN = Verified({"not begun": 1}, [], [], [], [])


def parts(run: Path) -> dict[str, Verified]:
    """What verifying each part of a run found: its tiles by name, or the whole under an empty one.

    What is wrong with the run as a whole is under an empty name too.

    Raises:
        InputError: the directory holds no cycling run.
    """
    if (run / PLAN).is_file() or (run / TILES).is_dir():
        return _tiles(run)
    if (run / LEDGER).exists() or (run / STATES).is_dir():
        return {"": verify(run)}
    raise InputError(f"{run}: holds no {LEDGER}, so no cycling run; give its run directory")


def _tiles(run: Path) -> dict[str, Verified]:
    """The tiles of a run."""
    there = {path.name: path for path in sorted((run / TILES).glob("*")) if path.is_dir()}
    wrong = []
    try:
        plan = read_plan(run)
        named = [tile.name for tile in plan.tiles]
    except InputError as error:
        named = [name for name, path in there.items() if (path / LEDGER).is_file()]
        problem = "is damaged" if (run / PLAN).is_file() else "is missing"
        if named or (run / PLAN).is_file():  # else nothing is cut yet
            wrong = [Damage(PLAN, f"{problem} ({error})", RESTORE)]
    held = read_standing(run)["tiles"]
    found = {name: _tile(run / TILES / name, held.get(name, {})) for name in named}
    unknown = [f"{TILES}/{name}" for name in there if name not in found]
    return {"": Verified({}, wrong, [], unknown, []), **found}


def _tile(folder: Path, about: dict[str, Any]) -> Verified:
    """One tile; what the note says of it tells a lost one from one that was not begun."""
    if not folder.is_dir():
        many = about.get("cycles")
        problem = "is missing" + (f", with {many} cycles" if many else "")
        return Verified({}, [Damage("", problem, RESTORE)], [], [], [])
    empty = not any(path.is_file() for name in FOLDERS for path in (folder / name).glob("*"))
    if empty and not begun(about) and not (folder / LEDGER).is_file():
        return NOT_BEGUN
    return verify(folder)


def found(run: Path) -> dict[str, Any]:
    """What verifying a run found, as plain values.

    ``sound``; ``counts`` over all parts; ``damage``, a list of ``file``, ``problem``, ``remedy``;
    ``rests`` and ``unknown``, names of files, and ``notes``, what could not be checked
    (`releo_da.runs.verify.Verified`). Names are from the run directory on.

    Raises:
        InputError: the directory holds no cycling run.
    """
    made = parts(run)
    tiles = len(made) - ("" in made)
    counts: dict[str, int] = {"tiles": tiles} if tiles or len(made) > 1 else {}
    for part in made.values():
        for name, number in part.counts.items():
            counts[name] = counts.get(name, 0) + number
    return {
        "sound": not any(part.damage for part in made.values()),
        "counts": counts,
        "damage": [
            {**one._asdict(), "file": _named(name, one.file)}
            for name, part in made.items()
            for one in part.damage
        ],
        **{kind: _all(made, kind) for kind in ("rests", "unknown", "notes")},
    }


def _named(part: str, file: str) -> str:
    return f"{TILES}/{part}/{file}".rstrip("/") if part else file


def _all(made: dict[str, Verified], kind: str) -> list[str]:
    return [_named(name, file) for name, part in made.items() for file in getattr(part, kind)]


def lines(told: dict[str, Any]) -> list[str]:
    """The same as lines; all damage, of other files the first ones and how many there are."""
    said = [f"{name}: {number}" for name, number in told["counts"].items()]
    for kind, words in (
        ("rests", "left over, removed by the next sweep that is finished"),
        ("unknown", "unknown, left alone"),
        ("notes", "not checked"),
    ):
        names = told[kind]
        said += [f"{words}: {name}" for name in names[:SHOWN]]
        if len(names) > SHOWN:
            said.append(f"{words}: {len(names)} in all, --json lists them")
    said += [f"damaged: {one['file']}: {one['problem']}; {one['remedy']}" for one in told["damage"]]
    return [*said, "sound" if told["sound"] else f"damaged in {len(told['damage'])} places"]
