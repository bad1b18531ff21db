"""The health of a cycling run, from the rows of its chain (`releo_da.diagnostics.watching`).

A row depends on its cycle, the health before a cycle on the rows before it, and the factor of a
sensor's errors on that health. So whatever undoes and remakes cycles, or ends a process, the chain
comes out the same. Between two cycles of a process what is known is carried on; where the chain is
another one than it was, it is read again from the ledger.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

import numpy as np

from releo_da.cycling.ledger import Cycle, Ledger
from releo_da.diagnostics.alarms import Alarm, Rules, changes, named, plain
from releo_da.diagnostics.watching import Health, Row, alarms, factor, watch
from releo_da.io import JsonLines
from releo_da.io.times import isoformat
from releo_da.runs.kept_health import SCENES, Fold, keep_health, kept_health


def row_of(cycle: Cycle) -> Row:
    """What the health of a run is made of, from the row of a cycle."""
    said = cycle.scores
    return Row(
        cycle.arrival.time,
        cycle.arrival.sensor,
        said["sums"],
        said.get("factor", 1.0),
        said.get("pixels", 0),
        said["diverged"],
        said.get("stale", 0),
        _spread(said.get("innovations")),
    )


def _spread(innovations: dict[str, dict[str, list[float]]] | None) -> float:
    """Largest share over the channels of the expected variance that is spread; NaN unknown."""
    if innovations is None:
        return math.nan
    sums = innovations["sums"]
    assumed, expected = (np.asarray(sums[name], float) for name in ("assumed", "expected"))
    known = expected > 0
    return float((1.0 - assumed[known] / expected[known]).max()) if known.any() else math.nan


def health_of(ledger: Ledger, rules: Rules, root: Path) -> Fold:
    """What is known after the chain of a ledger, and what was made of its last scenes.

    Args:
        ledger: of a run, or of a tile.
        rules: of its alarms.
        root: its directory, where some of it may be kept (`releo_da.runs.kept_health`).
    """
    number, fold = kept_health(root, ledger, rules)
    return folded(fold, ledger.cycles(after=number), rules)


def folded(fold: Fold, cycles: Iterable[Cycle], rules: Rules) -> Fold:
    """What is known after more cycles."""
    known, made = fold[0], list(fold[1])
    for cycle in cycles:
        known, one = watch(known, row_of(cycle), rules)
        made += [] if one is None else [one]
    return known, made[-SCENES:]


def advance(ledger: Ledger, rules: Rules, root: Path, begin: float) -> None:
    """Keep what is known where the replay window begins, at a time in days, for later calls."""
    number, fold = kept_health(root, ledger, rules)
    final = list(takewhile(lambda c: c.arrival.time < begin, ledger.cycles(after=number)))
    if final:
        keep_health(root, final[-1], rules, folded(fold, final, rules))


class Watching:
    """The health of a run that goes on.

    Args:
        ledger: of the run.
        rules: of its alarms.
        log: told once of an alarm that is raised, and once when it has ended.
        root: the run directory.
    """

    def __init__(self, ledger: Ledger, rules: Rules, log: JsonLines, root: Path) -> None:
        self.ledger, self.rules, self.log, self.root = ledger, rules, log, root
        self.number, self.known = -1, Health()
        self.told: list[Alarm] | None = None

    def factor(self, number: int, sensor: str) -> float:
        """By what the errors of a sensor are multiplied after a cycle of the chain.

        Args:
            number: of the last cycle, 0 before the first.
            sensor: of the acquisition that comes next.
        """
        self._stand(number)
        return factor(self.known, sensor, self.rules)

    def standing(self, number: int) -> list[str]:
        """The alarms that stand after a cycle of the chain, 0 before the first, in a few words."""
        self._stand(number)
        return [named(one, isoformat(one.since)) for one in alarms(self.known, self.rules)]

    def add(self, cycle: Cycle, before: int, clock: float | None) -> None:
        """One committed cycle more.

        Args:
            cycle: the cycle.
            before: number of the one before it in the chain, 0 for none.
            clock: time of the latest acquisition that was ever assimilated before; of cycles that
                are made again nothing is told until they have come so far.
        """
        self._stand(before)
        self.known, _ = watch(self.known, row_of(cycle), self.rules)
        self.number = cycle.number
        if clock is not None and cycle.arrival.time < clock:
            return
        now = alarms(self.known, self.rules)
        raised, cleared = changes(self.told or [], now)
        self.told = now
        for state, found in (("raised", raised), ("cleared", cleared)):
            for alarm in found:
                about = plain(alarm, isoformat(alarm.since))
                about["alarm"] = about.pop("kind")
                at = isoformat(cycle.arrival.time)
                self.log.write({"kind": "alarm", "state": state, "time": at, **about})

    def _stand(self, number: int) -> None:
        """Know the chain up to a cycle, its last one."""
        if number != self.number:
            self.known, _ = health_of(self.ledger, self.rules, self.root)
            self.number = number
        if self.told is None:
            self.told = alarms(self.known, self.rules)
