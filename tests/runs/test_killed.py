"""A process that is killed at random instants leaves a run that goes on as if it had not been.

The signal is SIGKILL and the process a real one: it is forked after the imports, sweeps over what
has arrived, and dies wherever it is. Two hundred of them take some minutes:

    ./run test -m slow tests/runs/test_killed.py
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from releo_da.runs.verify import verify

from .failing import base, copied, left, sweep, unflushed

__all__ = ["unflushed"]
pytestmark = pytest.mark.usefixtures("unflushed")


def forked(work: Callable[[], object]) -> int:
    """Number of a process that does some work and ends."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return child


def ended(child: int) -> int:
    """Exit status of a process, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_after(work: Callable[[], object], seconds: float) -> bool:
    """Whether a process that does some work was killed before it came to its end."""
    child = forked(work)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return ended(child) == -signal.SIGKILL


def lasting(folder: Path, name: str) -> float:
    """Seconds of a sweep over what has arrived, in a process of its own."""
    copied(folder, name)
    start = time.perf_counter()
    assert ended(forked(lambda: sweep(folder, name))) == 0
    return time.perf_counter() - start


def assert_killed_runs_are_whole(folder: Path, kills: int, in_a_row: int, seed: int) -> None:
    """Kill that often before the end of a sweep, up to so many times before a clean one."""
    base(folder)
    lasts = min(lasting(folder, "whole") for _ in range(2))  # the first has files to find
    expected = left(folder / "whole")
    rng, done = np.random.default_rng(seed), 0
    for number in range(10 * kills):
        root = copied(folder, "killed")
        for _ in range(in_a_row):
            in_time = killed_after(lambda: sweep(folder, "killed"), lasts * rng.uniform())
            assert verify(root).damage == [], number
            done += in_time
            if not in_time:
                break
        assert ended(forked(lambda: sweep(folder, "killed"))) == 0
        assert left(root) == expected, number
        assert verify(root).rests == [], number
        if done >= kills:
            return
    pytest.fail(f"{done} of {kills} kills came before the end of a sweep of {lasts:.2f} s")


def test_killed_twenty_times(tmp_path):
    assert_killed_runs_are_whole(tmp_path, 20, in_a_row=1, seed=0)


@pytest.mark.slow
def test_killed_two_hundred_times(tmp_path):
    """Up to four times before a sweep comes to its end."""
    assert_killed_runs_are_whole(tmp_path, 200, in_a_row=4, seed=1)
