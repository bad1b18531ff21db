"""What the log says of a reading: what a file held, what was rejected, which times are dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from releo_da.io.names import listed
from releo_da.io.times import isoformat
from releo_da.types import InputError


class NothingClear(InputError):
    """A file was read and holds no value to assimilate: wrong options, or cloud everywhere.

    Attributes:
        products: names of what it holds.
    """

    def __init__(self, message: str, products: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.products = list(products)

    def told(self) -> dict[str, Any]:
        """What a log says of it."""
        return {"count": len(self.products), "products": self.products, "message": str(self)}


def nothing_clear(
    path: str,
    first: str,
    last: str,
    read: int,
    rejected: Mapping[str, int],
    products: Sequence[str],
) -> NothingClear:
    """The error of a file of which every value was rejected.

    Args:
        path: the file.
        first: its first time, as text.
        last: its last time.
        read: number of values.
        rejected: how many of them for which reason.
        products: names of what it holds.
    """
    return NothingClear(
        f"{path}: nothing clear between {first} and {last}: of {read} values were rejected "
        f"{listed(f'{n} {reason}' for reason, n in rejected.items())}; "
        "check 'clear', 'valid', 'scale' and 'period'",
        products,
    )


class Told(NamedTuple):
    """What was read of a file, for its log.

    Attributes:
        path: the file.
        days: ``[time]``.
        sensors: ``[time]``.
        products: ``[time]``.
        dark: ``[time]`` whether nothing was seen.
        pixels: length of the pixel axis.
    """

    path: str
    days: NDArray[np.float64]
    sensors: list[str]
    products: list[str]
    dark: NDArray[np.bool_]
    pixels: int

    def log(self, counts: dict[str, Any]) -> list[dict[str, Any]]:
        """Records of the log: what was read, which values were rejected, which times are dark."""
        read = {
            "kind": "read",
            "path": self.path,
            "sensors": sorted(set(self.sensors)),
            "acquisitions": int((~self.dark).sum()),
            "pixels": self.pixels,
            "first": isoformat(self.days.min()),
            "last": isoformat(self.days.max()),
            "unordered": int((np.diff(self.days) < 0).sum()),
        }
        records = [read, {"kind": "values", "path": self.path, **counts}]
        names = [self.products[t] for t in np.flatnonzero(self.dark)]
        if names:
            records.append(
                {"kind": "all_masked", "path": self.path, "count": len(names), "products": names}
            )
        return records
