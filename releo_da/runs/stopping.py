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


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """A function that says whether a signal has asked to end; a second signal ends at once."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        for one, handler in before.items():
            signal.signal(one, handler)

    before = {one: signal.signal(one, ask) for one in SIGNALS}
    try:
        yield lambda: asked
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def wait(seconds: float, stop: Callable[[], bool]) -> None:
    """Sleep, but not after being asked to end."""
    end = time.monotonic() + seconds
    while not stop() and (left := end - time.monotonic()) > 0.0:
        time.sleep(min(TICK, left))
