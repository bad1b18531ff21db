"""``health.json``: what was known of the health of a run up to where its replay window begins.

The health after a chain is a fold over its rows (`releo_da.diagnostics.watching`). What lies before
the replay window is never undone, so the fold goes on from there, whatever the length of the chain:
the result is that of all rows, to the bit, as arrays are kept byte by byte. The factor of the
errors of a sensor depends on it, and so do the states: what is kept counts only with the rules and
the version that it was made with, and with a cycle that is part of the chain.

The scenes that a report draws are the last `SCENES`; they are kept with it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from releo_da import __version__
from releo_da.cycling.ledger import Cycle, Ledger
from releo_da.diagnostics.alarms import Rules
from releo_da.diagnostics.health import Bias, Judgement, Watched
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.watching import Health, Passes
from releo_da.io.archive import plain
from releo_da.io.digested import read_digested, write_digested

HEALTH = "health.json"

SCENES = 400
"""Judgements of scenes that are kept, the latest."""

Fold = tuple[Health, list[Judgement]]
"""What is known after some cycles, and what was made of the last of their scenes."""


def kept_health(root: Path, ledger: Ledger, rules: Rules) -> tuple[int, Fold]:
    """Number of the cycle up to which the health is kept, and that; 0 and nothing without one."""
    found = read_digested(root / HEALTH) or {}
    if found.get("made_with") != _made_with(rules):
        return 0, (Health(), [])
    if not ledger.holds(found["number"], found["state_sha256"]):
        return 0, (Health(), [])
    return found["number"], (_health(found["known"]), [_judgement(one) for one in found["scenes"]])


def keep_health(root: Path, cycle: Cycle, rules: Rules, fold: Fold) -> None:
    """Keep what is known up to a cycle that will not be undone."""
    known, made = fold
    content = {
        "made_with": _made_with(rules),
        "number": cycle.number,
        "state_sha256": cycle.sha256,
        "known": _plain_health(known),
        "scenes": [_plain_judgement(one) for one in made],
    }
    write_digested(root / HEALTH, plain(content))


def _made_with(rules: Rules) -> dict[str, Any]:
    return {"version": __version__, "rules": plain(asdict(rules))}


def _plain_health(known: Health) -> dict[str, Any]:
    sensors = {
        name: {
            "channels": one.channels,
            **{part: _text(getattr(one, part)) for part in ("history", "high", "low")},
            "waits": one.waits,
            "bias": one.bias,
        }
        for name, one in known.sensors.items()
    }
    return {
        "time": _text(known.time),
        "sensors": sensors,
        "passes": known.passes,
        "beyond": [[*key, *held] for key, held in known.beyond.items()],
        "flat": known.flat,
        "recovered": known.recovered,
        "stale": known.stale,
    }


def _health(said: dict[str, Any]) -> Health:
    sensors = {
        name: Watched(
            tuple(one["channels"]),
            _array(one["history"]),
            _array(one["high"]),
            _array(one["low"]),
            one["waits"],
            None if one["bias"] is None else Bias(*one["bias"]),
        )
        for name, one in said["sensors"].items()
    }
    return Health(
        float(_array(said["time"])),
        sensors,
        {name: Passes(last, tuple(days)) for name, (last, days) in said["passes"].items()},
        {(sensor, name): (_run(run), ratio) for sensor, name, run, ratio in said["beyond"]},
        {name: (_run(run), share) for name, (run, share) in said["flat"].items()},
        None if said["recovered"] is None else (*said["recovered"][:2], said["recovered"][2]),
        None if said["stale"] is None else (said["stale"][0], said["stale"][1]),
    )


def _run(said: Iterable[Any]) -> tuple[int, float]:
    cycles, since = said
    return cycles, since


def _plain_judgement(one: Judgement) -> list[Any]:
    return [_text(part) if isinstance(part, np.ndarray) else part for part in one]


def _judgement(said: list[Any]) -> Judgement:
    time, sensor, channels, mean, centre, sd, word, biased = said
    arrays = (_array(mean), _array(centre), _array(sd))
    return Judgement(time, sensor, tuple(channels), *arrays, word, biased)


def _text(values: Array | float) -> list[Any]:
    """Shape and bytes of an array; NaN among its numbers comes back as it was."""
    array = np.ascontiguousarray(values, np.float64)
    return [list(np.shape(values)), base64.b64encode(array.tobytes()).decode("ascii")]


def _array(said: list[Any]) -> Array:
    shape, text = said
    return np.frombuffer(base64.b64decode(text), np.float64).reshape(shape).copy()
