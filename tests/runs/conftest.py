"""A service in a run directory, for the tests of cycling."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from releo_da.cycling.ledger import Ledger
from releo_da.runs.cycle import Service
from tests.sketched import painted, sketched

from .linear import ALL, Open, deliver, ledger_of, rows, season, service_over, states

__all__ = ["painted", "sketched"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Open]:
    """A service over ``tmp_path / inbox`` in a run directory, opened as a new process would."""
    opened: list[Ledger] = []

    def open_service(name: str = "run", **changes: object) -> Service:
        for ledger in opened:
            ledger.db.close()
        opened.clear()
        opened.append(ledger_of(tmp_path / name))
        return service_over(tmp_path, name, opened[0], **changes)

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
