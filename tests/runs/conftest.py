"""A service in a run directory, for the tests of cycling."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from releo_da.cycling.ledger import Ledger
from releo_da.io import JsonLines
from releo_da.io.inbox import arrived
from releo_da.runs.cycle import Service
from releo_da.runs.store import Store

from .linear import (
    ALL,
    DESCRIBED,
    MEMBERS,
    SEED,
    Open,
    deliver,
    linear_model,
    read,
    rows,
    season,
    states,
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Open]:
    """A service over ``tmp_path / inbox`` in a run directory, opened as a new process would."""
    opened: list[Ledger] = []

    def open_service(name: str = "run", **changes: object) -> Service:
        for ledger in opened:
            ledger.db.close()
        opened.clear()
        root = tmp_path / name
        for folder in ("states", "products", "acquisitions"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        ledger = Ledger(root / "ledger.sqlite")
        opened.append(ledger)
        parts = {
            "model": linear_model(),
            "seed": SEED,
            "members": MEMBERS,
            "start": None,
            "inbox": lambda: arrived(tmp_path / "inbox", "*"),
            "read": read,
            "reader": "1",
            "store": Store(root, ledger, DESCRIBED, {"title": "test"}),
            "log": JsonLines(root / "log.jsonl"),
        }
        return Service(**(parts | changes))

    yield open_service
    for ledger in opened:
        ledger.db.close()


@pytest.fixture
def uninterrupted(tmp_path: Path, service: Open) -> tuple[dict[str, bytes], list[tuple]]:
    """What one sweep over everything leaves, one file per acquisition."""
    for date in ALL:
        deliver(tmp_path / "inbox", season(), [date])
    one = service("whole")
    assert one.sweep().assimilated == 7
    return states(tmp_path / "whole"), rows(one)
