"""What a first pass over a cube finds, added up over its parts: a reading's log, and its checks.

A reading at once logs how many values were there, which were rejected why and which times are dark,
and refuses what is surely wrong with the whole, as a scale. Here counts are added part by part, and
the checks are given a sample of the pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from releo_da.io.cube import Cube
from releo_da.io.reading_log import NothingClear, nothing_clear
from releo_da.io.series import Series
from releo_da.types import Acquisition

Judge = Callable[[int, Series], list[dict[str, Any]]]
"""From the number of a cube and its sample, records for the log; refuses what is surely wrong."""


class Facts:
    """What was found in one cube, added up over its parts."""

    def __init__(self, cube: Cube, step: int) -> None:
        self.cube = cube
        self.rows, self.columns = cube.rows[::step], cube.columns[::step]
        self.pieces: list[xr.Dataset] = []
        self.counts = np.zeros(0, np.int64)
        self.products: list[Acquisition] = []
        self.read: dict[str, Any] = {}
        self.numbers: Counter[str] = Counter()
        self.reasons: dict[str, Counter[str]] = {}
        self.pixels = 0

    def add(self, rows: NDArray[np.intp], series: Series) -> None:
        """Count a part, and keep the sample's pixels of it."""
        mine = self.rows[np.isin(self.rows, rows)]
        if mine.size:
            self.pieces.append(self.cube.piece(mine, self.columns).copy(deep=True))
        counts = np.array([int(a.seen.sum()) for a in series.acquisitions])
        if not self.products:
            self.counts = np.zeros_like(counts)
            self.products = [_bare(a) for a in series.acquisitions]
            self.read = next(r for r in series.log if r["kind"] == "read")
        self.counts = self.counts + counts
        seen = torch.stack([a.seen.any(-1) for a in series.acquisitions])
        self.pixels += int(seen.any(0).sum())
        values = next(r for r in series.log if r["kind"] == "values")
        self.numbers.update({key: values[key] for key in ("read", "seen")})
        for reason, by_channel in values["by_channel"].items():
            self.reasons.setdefault(reason, Counter()).update(by_channel)

    def log(self) -> list[dict[str, Any]]:
        """The records that a reading at once leaves.

        Raises:
            NothingClear: no value was seen.
        """
        rejected = {reason: sum(c.values()) for reason, c in self.reasons.items()}
        names = [a.product for a, n in zip(self.products, self.counts, strict=True) if not n]
        path = self.cube.layout.path
        if not self.numbers["seen"]:
            first, last = self.read["first"], self.read["last"]
            raise nothing_clear(path, first, last, self.numbers["read"], rejected, names)
        alive = int((self.counts > 0).sum())
        records = [
            {**self.read, "acquisitions": alive, "pixels": self.pixels, "strip": self.cube.strip},
            {
                "kind": "values",
                "path": path,
                "read": self.numbers["read"],
                "rejected": rejected,
                "by_channel": {reason: dict(c) for reason, c in self.reasons.items()},
                "seen": self.numbers["seen"],
            },
        ]
        if names:
            records.append(
                {"kind": "all_masked", "path": path, "count": len(names), "products": names}
            )
        return records

    def judged(self, number: int, judge: Judge) -> list[dict[str, Any]]:
        """What the checks of a reading at once say of the sample.

        Raises:
            InputError: something is surely wrong, as a scale.
        """
        axis = self.cube.layout.space[0]
        small = xr.concat(
            self.pieces, axis, data_vars="minimal", coords="minimal", compat="override"
        )
        try:
            sample = self.cube.assembled(small, self.rows, self.columns, True)
        except NothingClear:  # in the sample; there is something elsewhere
            return []
        return judge(number, sample)


def _bare(a: Acquisition) -> Acquisition:
    """The acquisition without pixels."""
    return a._replace(values=a.values[:0], error=a.error[:0], angles=a.angles[:0])
