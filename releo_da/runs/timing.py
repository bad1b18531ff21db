"""CPU time of pieces of work: medians of interleaved repeats, and the share of each part.

Times are those of the process and not of the wall, so that what else the machine does counts
little; contenders take turns, so that a slow minute slows all of them; the median forgets the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import process_time
from typing import Any, TypeVar

Result = TypeVar("Result")

TURN = 0.05
"""Seconds of a turn that short pieces of work are repeated to fill, as caches are warm in a run."""


def rates(
    contenders: Mapping[str, tuple[Callable[[], object], int]],
    repeats: int,
    clock: Callable[[], float] = process_time,
) -> dict[str, float]:
    """How much of its work each contender does in a second.

    Args:
        contenders: for each name, a piece of work and how many units it is.
        repeats: how often each is timed, after one turn that is not (compilers and caches) and one
            that says how often a short piece is called in a turn.
        clock: seconds; of CPU time unless the work is done elsewhere.
    """
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    calls = dict.fromkeys(contenders, 1)
    for turn in range(repeats + 2):
        for name, (work, _) in contenders.items():
            start = clock()
            for _ in range(calls[name]):
                work()
            seconds = (clock() - start) / calls[name]
            if turn == 1:
                calls[name] = max(1, round(TURN / max(seconds, 1e-6)))
            elif turn:
                spent[name].append(seconds)
    return {name: units / median(spent[name]) for name, (_, units) in contenders.items()}


class Clock:
    """Time spent in each of several functions, without what they spend in each other.

    Args:
        clock: seconds, of CPU time unless waiting counts, as for a disk.

    Attributes:
        spent: seconds by name.
    """

    def __init__(self, clock: Callable[[], float] = process_time) -> None:
        self.clock = clock
        self.spent: dict[str, float] = {}
        self._inner: list[float] = []

    def timed(self, name: str, function: Callable[..., Result]) -> Callable[..., Result]:
        """The function, whose own time is added to ``spent[name]``."""

        def run(*arguments: Any, **options: Any) -> Result:
            self._inner.append(0.0)
            start = self.clock()
            try:
                return function(*arguments, **options)
            finally:
                whole = self.clock() - start
                own = whole - self._inner.pop()
                self.spent[name] = self.spent.get(name, 0.0) + own
                if self._inner:
                    self._inner[-1] += whole

        return run

    def shares(self) -> dict[str, float]:
        """Parts of the time spent, which add up to 1."""
        whole = sum(self.spent.values())
        return {name: seconds / whole for name, seconds in self.spent.items()}
