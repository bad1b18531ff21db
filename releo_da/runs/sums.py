"""Comparisons of a run that is too large to keep them, as sums over all of its pixels.

Memory: some numbers per case, date and channel, whatever the number of pixels. Sums have no median:
rows of scores that are made of them lack ``median_abs``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.streaming import row, sums, total
from releo_da.diagnostics.verification import Record
from releo_da.runs.baselines import by_part


@dataclass
class Sums:
    """Comparisons of all pixels, added up.

    Attributes:
        terms: per case and date, and within it per channel, `releo_da.diagnostics.streaming.sums`.
        rejected: number of values that screening refused, per channel.
    """

    terms: dict[tuple[str, int], dict[str, Array]] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, records: Sequence[Record]) -> None:
        """Add the comparisons of a block."""
        for record in records:
            new = dict(zip(record.channels, sums(record.numbers), strict=True))
            known = self.terms.setdefault((record.case, record.date), {})
            for name, values in new.items():
                known[name] = known.get(name, 0.0) + values
            if record.rejected is not None:
                counts = np.asarray(record.rejected, bool).sum(0)
                names = record.channels[: counts.size]
                self.rejected.update(dict(zip(names, map(int, counts), strict=True)))

    def rows(
        self,
        times: Array,
        first: float = -np.inf,
        last: float = np.inf,
        dates: Container[int] | None = None,
    ) -> dict[str, Any]:
        """Rows of scores.json, by case and channel.

        Args:
            times: ``[date]`` days.
            first: of the times that count.
            last: the time before which they lie.
            dates: positions of those that count; all unless given.
        """
        cases: dict[str, list[dict[str, Array]]] = {}
        for (case, date), terms in self.terms.items():
            if first <= times[date] < last and (dates is None or date in dates):
                cases.setdefault(case, []).append(terms)
        found = {
            case: {name: row(terms) for name, terms in total(parts).items() if terms[0]}
            for case, parts in cases.items()
        }
        return by_part(found)

    def __iadd__(self, other: Sums) -> Sums:
        """Add the sums of another run over the same dates."""
        for key, new in other.terms.items():
            known = self.terms.setdefault(key, {})
            for name, values in new.items():
                known[name] = known.get(name, 0.0) + values
        self.rejected.update(other.rejected)
        return self


def of_rows(record: Record, kept: Array) -> Record:
    """A record of some of its pixels, by ``kept [pixel]`` bool."""
    rejected = None if record.rejected is None else record.rejected[kept]
    return record._replace(numbers=record.numbers[kept], rejected=rejected)
