"""Rows of a table brought to the axes time and pixel, and channel where each has rows of its own.

    wide    a row per date and pixel               a column is [time, pixel]
    long    a row per date, pixel and channel      a column is [time, pixel, channel]

A time is a date of the table; where a pixel has several rows of one date (two products of a pass)
the second ones make a time of their own, equal to the first. What has no row is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from releo_da.io.missing import without_fill
from releo_da.io.tables import number_column, text_column
from releo_da.types import InputError


class Rows(NamedTuple):
    """Rows and their places.

    Attributes:
        table: ``[row]``.
        days: ``[time]`` days since 1970-01-01.
        places: per axis the place of each row on it, ``[row]`` each: time, pixel, and channel in
            the long form.
        shape: lengths of these axes.
        where: the file, for messages.
    """

    table: pd.DataFrame
    days: NDArray[np.float64]
    places: tuple[NDArray[np.intp], ...]
    shape: tuple[int, ...]
    where: str

    @property
    def given(self) -> NDArray[np.bool_]:
        """Where there is a row, ``[time, pixel]`` or ``[time, pixel, channel]``."""
        there = np.zeros(self.shape, dtype=bool)
        there[self.places] = True
        return there

    def numbers(self, column: str, where: str, missing: Sequence[float]) -> NDArray[np.float64]:
        """A column along the axes, NaN where there is no row, or one of ``missing`` in it.

        Raises:
            InputError: there is no such column, or a cell is not a number.
        """
        held = number_column(self.table, column, where).to_numpy()
        if self.table[column].dtype == np.float32:  # of Parquet
            held = held.astype(np.float32)
        spread = np.full(self.shape, np.nan)
        spread[self.places] = without_fill(held, missing)
        return spread

    def of_pixels(self, column: str, where: str, missing: Sequence[float]) -> NDArray[np.float64]:
        """A column as ``[time, pixel]``; in the long form the mean over channels.

        Raises:
            InputError: as `numbers`.
        """
        spread = self.numbers(column, where, missing)
        if spread.ndim == 2:
            return spread
        known = np.isfinite(spread)
        total, count = np.where(known, spread, 0.0).sum(2), known.sum(2)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def of_time(self, held: NDArray) -> NDArray:
        """What rows hold, ``[row]``, as ``[time]``: that of the last row of each."""
        found = np.empty(len(self.days), dtype=held.dtype)
        found[self.places[0]] = held
        return found

    def texts(self, column: str, where: str) -> NDArray[np.object_]:
        """A column that is the same for all pixels of a time, ``[time]``.

        Raises:
            InputError: there is no such column, a cell is empty, or pixels of a time differ.
        """
        held = text_column(self.table, column, where)
        found = self.of_time(held)
        if np.any(found[self.places[0]] != held):
            raise InputError(
                f"{where}: the column '{column}' differs between the pixels of one time; "
                "name a column that does not"
            )
        return found


def spread_rows(
    table: pd.DataFrame,
    days: NDArray[np.float64],
    pixel: NDArray[np.intp],
    pixels: int,
    where: str,
    channel: NDArray[np.intp] | None = None,
    channels: int = 0,
    product: NDArray[np.object_] | None = None,
) -> Rows:
    """The places of rows on the axes time, pixel and, in the long form, channel.

    Args:
        table: the rows of one sensor.
        days: ``[row]`` when they were seen.
        pixel: ``[row]`` place on the pixel axis.
        pixels: length of that axis.
        where: the file, for messages.
        channel: ``[row]`` place on the channel axis of the long form.
        channels: length of that axis.
        product: ``[row]`` names of products, which keep the channels of one together.
    """
    keys = pd.DataFrame({"days": days, "pixel": pixel})
    if channel is None:
        again = keys.groupby(["days", "pixel"]).cumcount().to_numpy(dtype=np.float64)
    else:
        keys["channel"] = channel
        keys["product"] = 0 if product is None else pd.factorize(product)[0]
        keys["product"] = keys.groupby(["days", "pixel"])["product"].rank("dense") - 1
        repeated = keys.groupby(["days", "pixel", "product", "channel"]).cumcount()
        again = (keys["product"] + repeated).to_numpy(dtype=np.float64)
    unique, time = np.unique(np.stack([days, again], 1), axis=0, return_inverse=True)
    if channel is None:
        return Rows(table, unique[:, 0], (time.ravel(), pixel), (len(unique), pixels), where)
    places, shape = (time.ravel(), pixel, channel), (len(unique), pixels, channels)
    return Rows(table, unique[:, 0], places, shape, where)
