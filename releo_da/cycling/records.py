"""What the ledger of a cycling run holds a row of: acquisitions and cycles.

Acquisitions have one order, whatever the order in which they arrived:

    (time, sensor, product, identity)

and a chain of cycles is a run through it. Every acquisition has one of these states of affairs:

    waiting       accepted, to be assimilated
    assimilated   a current cycle was made of it
    duplicate     another product of its pass is assimilated
    replaced      it was assimilated, until another product of its pass arrived that is kept instead
    failed        its assimilation raised: set aside, tried again where the chain is made again
    late          before the replay window when it arrived: recorded, not assimilated
"""

from __future__ import annotations

from typing import Any, NamedTuple

WAITING, ASSIMILATED = "waiting", "assimilated"
DUPLICATE, REPLACED, LATE, FAILED = "duplicate", "replaced", "late", "failed"

Key = tuple[float, str, str, str]
"""The place of an acquisition in the order of all: time, sensor, product, identity."""


class Arrival(NamedTuple):
    """An acquisition as it arrived.

    Attributes:
        identity: digest of its content.
        time: days since 1970-01-01 UTC.
        sensor: name of the sensor.
        product: name of the product.
        file: name within the inbox.
    """

    identity: str
    time: float
    sensor: str
    product: str
    file: str

    @property
    def key(self) -> Key:
        """Its place in the order of all acquisitions."""
        return (self.time, self.sensor, self.product, self.identity)


class Accepted(NamedTuple):
    """An acquisition that the ledger knows.

    Attributes:
        arrival: who it is.
        clear: number of values that it sees.
        status: one of the words above.
        reason: why it is not assimilated; empty where it is, or will be.
        kept: whether its copy is in the run directory, so that it can be assimilated again.
        withdrawn: whether its file holds another content of the same product by now.
    """

    arrival: Arrival
    clear: int
    status: str
    reason: str = ""
    kept: bool = True
    withdrawn: bool = False

    @property
    def time(self) -> float:
        """Days since 1970-01-01 UTC."""
        return self.arrival.time

    @property
    def sensor(self) -> str:
        """Name of the sensor."""
        return self.arrival.sensor


class Cycle(NamedTuple):
    """A committed cycle.

    Attributes:
        number: ascending along the chain, never used again; from 1, without gaps where no cycle
            was ever undone.
        arrival: what was assimilated.
        state: name of the state file, from the run directory.
        sha256: checksum of that file.
        scores: what the cycle adds to the scores of the run.
        product: name of the file of output variables, from the run directory.
        product_sha256: checksum of that file.
        current: whether it is part of the chain; False where it was undone.
        retained: whether its state is still kept.
    """

    number: int
    arrival: Arrival
    state: str
    sha256: str
    scores: dict[str, Any]
    product: str = ""
    product_sha256: str = ""
    current: bool = True
    retained: bool = True
