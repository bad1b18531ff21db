"""Ending a service between two cycles: SIGINT and SIGTERM ask, the current commit is finished."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

TICK = 0.2
"""How often a waiting service looks whether it was asked to end (seconds)."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

ENDED_BY = 128
"""What a shell adds to the number of the signal that ended a command."""


class Asked:
    """Whether a signal has asked to end; called, it says so.

    Attributes:
        signal: the one that asked, or None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __call__(self) -> bool:
        """Whether to end."""
        return self.signal is not None

    @property
    def status(self) -> int:
        """Exit status of a command that the signal kept from its end; 0 where none asked."""
        return 0 if self.signal is None else ENDED_BY + self.signal


@contextmanager
def stopping() -> Iterator[Asked]:
    """Whether a signal has asked to end, for as long as the block; a second one ends at once."""
    asked = Asked()

    def ask(number: int, frame: FrameType | None) -> None:
        asked.signal = signal.Signals(number)
        for one, handler in before.items():
            signal.signal(one, handler)

    before = {one: signal.signal(one, ask) for one in SIGNALS}
    try:
        yield asked
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def wait(seconds: float, stop: Callable[[], bool]) -> None:
    """Sleep, but not after being asked to end."""
    end = time.monotonic() + seconds
    while not stop() and (left := end - time.monotonic()) > 0.0:
        time.sleep(min(TICK, left))
