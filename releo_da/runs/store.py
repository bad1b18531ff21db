"""The files of an operational run, and the order in which a cycle is committed.

    pixels.nc              the pixel axis, rewritten only when pixels are added
    states/000001.safetensors   the analysis of cycle 1, never changed afterwards
    products/<time>.nc     output variables of one analysis
    ledger.sqlite          the row of the cycle: with it the cycle has happened, without it not

They are written in this order, each whole or not at all. A crash before the row leaves files that
the next attempt overwrites with the same bytes; nothing reads them until their row is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from releo_da.cycling.ledger import Arrival, Cycle, Ledger
from releo_da.io import products_dataset, read_products, read_state, write_products, write_state
from releo_da.io.times import isoformat
from releo_da.runs.joined import products
from releo_da.runs.judged import plain
from releo_da.runs.turn import Turn
from releo_da.types import InputError, State

PIXELS = "pixels.nc"


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def last_state(root: Path, ledger: Ledger) -> State | None:
    """The state of the last committed cycle, or None before the first.

    Raises:
        InputError: its file is missing or is not what was committed.
    """
    last = ledger.last()
    if last is None:
        return None
    path = root / last.state
    state = read_state(path)
    if checksum(path) != last.sha256:
        raise InputError(
            f"{path}: the state is not the one that cycle {last.number} committed; "
            "restore the run directory from a backup"
        )
    return state


def pixels_of(root: Path, state: State) -> xr.Dataset:
    """The pixel axis of a state.

    Raises:
        InputError: the run directory holds no pixel axis, or not all pixels of the state.
    """
    table = read_products(root / PIXELS)
    place = pd.Index(table["id"].values).get_indexer(state.pixels.numpy())
    if (place < 0).any():
        raise InputError(f"{root / PIXELS}: lacks pixels of the last state; restore it")
    return table.isel(pixel=place)


class Store:
    """Where cycles are committed, and where the run stands.

    Args:
        root: the run directory, with the folders ``states`` and ``products``.
        ledger: of the run.
        described: unit and long name of each output variable.
        attributes: global ones of the products; nothing that differs between two equal runs.

    Raises:
        InputError: the last state is missing or damaged.
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
        self.state = last_state(root, ledger)
        self.pixels = None if self.state is None else pixels_of(root, self.state)
        last = ledger.last()
        self.number = 0 if last is None else last.number

    def commit(self, arrival: Arrival, done: Turn, pixels: xr.Dataset) -> Cycle:
        """Write what a turn left; when this returns the cycle has happened."""
        number = self.number + 1
        if self.pixels is None or not self.pixels.identical(pixels):
            write_products(self.root / PIXELS, pixels)
        name = f"states/{number:06d}.safetensors"
        write_state(self.root / name, done.state)
        self._publish(arrival, done, pixels)
        scores = {"sums": done.sums, "rejected": done.rejected, "diverged": done.diverged}
        scores |= {} if done.judged is None else {"innovations": plain(done.judged)}
        cycle = Cycle(number, arrival, name, checksum(self.root / name), scores)
        self.ledger.commit(cycle)
        self.number, self.state, self.pixels = number, done.state, pixels
        return cycle

    def _publish(self, arrival: Arrival, done: Turn, pixels: xr.Dataset) -> None:
        """Write the output variables of one analysis."""
        place = np.arange(len(done.state.pixels))
        found = products([done.derived], place, self.described)
        attributes = {**self.attributes, "sensor": arrival.sensor, "product": arrival.product}
        dataset = products_dataset([arrival.time], pixels, found, attributes)
        name = isoformat(arrival.time).replace(":", "")
        write_products(self.root / "products" / f"{name}.nc", dataset)


def ids_of(pixels: xr.Dataset) -> torch.Tensor:
    """Global ids of a pixel axis, ``[pixel]`` int64."""
    return torch.as_tensor(pixels["id"].values)
