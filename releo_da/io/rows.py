"""Rows of a table brought to the axes time and pixel.

A time is a date of the table; where a pixel has several rows of one date (two products of a pass)
the second ones make a time of their own, equal to the first. What has no row is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from releo_da.io.tables import number_column, text_column
from releo_da.types import InputError


class Rows(NamedTuple):
    """Rows and their places.

    Attributes:
        table: ``[row]``.
        days: ``[time]`` days since 1970-01-01.
        time: ``[row]`` place on the time axis.
        pixel: ``[row]`` place on the pixel axis.
        pixels: length of the pixel axis.
        where: the file, for messages.
    """

    table: pd.DataFrame
    days: NDArray[np.float64]
    time: NDArray[np.intp]
    pixel: NDArray[np.intp]
    pixels: int
    where: str

    @property
    def given(self) -> NDArray[np.bool_]:
        """Where there is a row, ``[time, pixel]``."""
        there = np.zeros((len(self.days), self.pixels), dtype=bool)
        there[self.time, self.pixel] = True
        return there

    def numbers(self, column: str, where: str, missing: Sequence[float]) -> NDArray[np.float64]:
        """A column as ``[time, pixel]``, NaN where there is no row, or one of ``missing`` in it.

        Raises:
            InputError: there is no such column, or a cell is not a number.
        """
        held = number_column(self.table, column, where).to_numpy()
        spread = np.full((len(self.days), self.pixels), np.nan)
        spread[self.time, self.pixel] = np.where(np.isin(held, missing), np.nan, held)
        return spread

    def texts(self, column: str, where: str) -> NDArray[np.object_]:
        """A column that is the same for all pixels of a time, ``[time]``.

        Raises:
            InputError: there is no such column, a cell is empty, or pixels of a time differ.
        """
        held = text_column(self.table, column, where)
        found = np.empty(len(self.days), dtype=object)
        found[self.time] = held
        if np.any(found[self.time] != held):
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
) -> Rows:
    """The places of rows on the axes time and pixel.

    Args:
        table: the rows of one sensor.
        days: ``[row]`` when they were seen.
        pixel: ``[row]`` place on the pixel axis.
        pixels: length of that axis.
        where: the file, for messages.
    """
    again = pd.DataFrame({"days": days, "pixel": pixel}).groupby(["days", "pixel"]).cumcount()
    times = np.stack([days, again.to_numpy(dtype=np.float64)], 1)
    unique, time = np.unique(times, axis=0, return_inverse=True)
    return Rows(table, unique[:, 0], time.reshape(-1), pixel, pixels, where)
