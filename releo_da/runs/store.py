"""The files of an operational run, and the order in which a cycle is committed.

    pixels.nc              the pixel axis, rewritten only when pixels are added (`runs.axis`)
    states/000001.safetensors   the analysis of cycle 1, never changed afterwards
    products/<time>_<sensor>_<digits>.nc     output variables of one analysis
    ledger.sqlite          the row of the cycle: with it the cycle has happened, without it not

They are written in this order, each whole or not at all. A crash before the row leaves files that
the next attempt overwrites with the same bytes; nothing reads them until their row is there. A
cycle that is made again, because an earlier acquisition came late, has a new number and a new
state, and its product takes the place of the one before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath

import torch
import xarray as xr

from releo_da.cycling.ledger import Arrival, Cycle, Ledger
from releo_da.io.atomic import checksum
from releo_da.io.state_file import readable
from releo_da.io.state_parts import writing_state
from releo_da.io.state_rows import StateHead, state_head
from releo_da.io.times import isoformat
from releo_da.runs.axis import axis_of, keep_sum, write_axis
from releo_da.runs.judged import plain
from releo_da.runs.outputs import Write, writing_outputs
from releo_da.runs.turn import Turn
from releo_da.types import InputError, State

Work = Callable[[Callable[[State], None], Write], Turn]
"""``work(keep, write)``, a turn whose analyses and output variables go to these two."""

DIGITS = 12
"""Of an identity, how many digits are in the name of a product."""


def last_state(root: Path, ledger: Ledger) -> StateHead | None:
    """The state of the last committed cycle without its ensemble, or None before the first.

    Raises:
        InputError: its file is missing or is not what was committed.
    """
    last = ledger.last()
    if last is None:
        return None
    path = root / last.state
    with readable(path):  # a service may give it up meanwhile
        state, found = state_head(path), checksum(path)
    if found != last.sha256:
        raise changed_state(path, last)
    return state


def changed_state(path: Path, cycle: Cycle) -> InputError:
    """The error of a state file that is another than that of the row of its cycle."""
    return InputError(
        f"{path}: the state is not the one that cycle {cycle.number} committed; "
        "restore the run directory from a backup"
    )


def refuse_lost(root: Path, ledger: Ledger) -> None:
    """Refuse to begin anew over the files of a run whose ledger is gone.

    A row of an acquisition comes before any state, whatever instant a process ended at.

    Raises:
        InputError: there are states or products, and the ledger knows of nothing.
    """
    if ledger.known():
        return
    for folder, pattern in (("states", "*.safetensors"), ("products", "*.nc")):
        path = next((root / folder).glob(pattern), None)
        if path is not None:
            raise InputError(
                f"{root}: holds {folder}/{path.name}, and its ledger is missing or empty; restore "
                "it from a backup, or give another --out and deliver the acquisitions again"
            )


class Store:
    """Where cycles are committed, and where the run stands.

    Args:
        root: the run directory, with the folders ``states`` and ``products``.
        ledger: of the run.
        described: unit and long name of each output variable.
        attributes: global ones of the products; nothing that differs between two equal runs.

    Raises:
        InputError: the last state is missing or damaged, or the ledger is lost.
    """

    def __init__(
        self,
        root: Path,
        ledger: Ledger,
        described: Mapping[str, tuple[str, str]],
        attributes: Mapping[str, str],
    ) -> None:
        self.root, self.ledger = root, ledger
        self.described, self.attributes = described, attributes
        self.state: StateHead | None = None
        self.pixels: xr.Dataset | None = None
        self.number = 0
        self.whole = False
        refuse_lost(root, ledger)
        self.resume()

    def resume(self) -> None:
        """Stand where the chain of the ledger ends, which may be earlier than before.

        Raises:
            InputError: the last state is missing or damaged.
        """
        last = self.ledger.last()
        number = 0 if last is None else last.number
        if number != self.number:
            self.state = last_state(self.root, self.ledger)
            self.number, self.pixels, self.whole = number, None, False
            if self.state is not None:  # the file may hold pixels of cycles that were undone
                self.pixels, self.whole = axis_of(self.root, self.state)

    def commit(
        self, arrival: Arrival, pixels: xr.Dataset, work: Work, alarms: Sequence[str] = ()
    ) -> tuple[Cycle, Turn]:
        """Write what a turn leaves as it comes; when this returns the cycle has happened.

        Where the turn fails, or what it started from turns out to be damaged, nothing is left.

        Args:
            arrival: who the acquisition is.
            pixels: the pixel axis of the state that is made.
            work: makes it; called once.
            alarms: that stood before it, in a few words; its product and its row carry them.
        """
        number, count = self.ledger.next_number(), pixels.sizes["pixel"]
        if self.pixels is None or not (self.whole and self.pixels.identical(pixels)):
            write_axis(self.root, pixels)
        else:
            keep_sum(self.root)
        name = state_of(number)
        product = product_of(arrival)
        told = {**self.attributes, "sensor": arrival.sensor, "product": arrival.product}
        told |= {"alarms": "; ".join(alarms)} if alarms else {}
        with (
            writing_outputs(
                self.root / product, [arrival.time], pixels, self.described, told
            ) as write,
            writing_state(self.root / name, count) as keep,
        ):
            done = work(keep, write)
        scores = {"sums": done.sums, "rejected": done.rejected, "diverged": done.diverged}
        scores |= {"pixels": done.pixels, "stale": done.stale, "factor": done.factor}
        scores |= {"alarms": list(alarms)} if alarms else {}
        scores |= {} if done.judged is None else {"innovations": plain(done.judged)}
        digests = checksum(self.root / name), checksum(self.root / product)
        cycle = Cycle(number, arrival, name, digests[0], scores, product, digests[1])
        state = state_head(self.root / name)
        self.ledger.commit(cycle)
        self.number, self.state, self.pixels, self.whole = number, state, pixels, True
        return cycle, done


def state_of(number: int) -> str:
    """Name of the state of a cycle."""
    return f"states/{number:06d}.safetensors"


def product_of(arrival: Arrival) -> str:
    """Name of the product of an acquisition, its own whatever else was seen at that second.

    Time, sensor and the first digits of the identity; the name does not depend on the number of the
    cycle, so a cycle that is made again writes the file that it wrote before.
    """
    time = isoformat(arrival.time).replace(":", "")
    sensor = re.sub(r"[^A-Za-z0-9-]", "-", PurePath(arrival.sensor).stem)
    return f"products/{time}_{sensor}_{arrival.identity[:DIGITS]}.nc"


def named(arrival: Arrival) -> dict[str, str]:
    """An acquisition as logs and people are told of it, its time as a text."""
    return arrival._asdict() | {"time": isoformat(arrival.time)}


def ids_of(pixels: xr.Dataset) -> torch.Tensor:
    """Global ids of a pixel axis, ``[pixel]`` int64."""
    return torch.as_tensor(pixels["id"].values)
