"""Calibration of every case and channel of a run, added up as its comparisons are made.

Beside the sums of `reliability`, which take every value, stand the ranks of a thinned sample
(`thinning`), from which `flatness` judges. Memory: some 150 numbers per case and channel, whatever
the number of pixels, dates and blocks. Give it records whose ranks are those of the whole ensemble;
a case of which fewer members were compared belongs into one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from releo_da.diagnostics.calibration import histogram
from releo_da.diagnostics.flatness import flatness, rank_sums
from releo_da.diagnostics.reliability import row, shortened, sums
from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.thinning import Strides, kept
from releo_da.diagnostics.verification import Record


@dataclass
class Calibrations:
    """Sums of the records of a run.

    Attributes:
        members: size of the ensemble.
        strides: of the thinned sample.
        terms: per case and channel, of `reliability.sums`.
        ranks: per case and channel, of `flatness.rank_sums`.
    """

    members: int
    strides: Strides = field(default_factory=Strides)
    terms: dict[tuple[str, str], Array] = field(default_factory=dict)
    ranks: dict[tuple[str, str], Array] = field(default_factory=dict)

    def add(self, records: Sequence[Record], row: Array, column: Array) -> None:
        """Add the comparisons of a block.

        Args:
            records: of the block.
            row: ``[pixel]`` of its pixels in the grid; of points their position.
            column: ``[pixel]`` likewise; zeros of points.
        """
        for record in records:
            sample = kept(row, column, record.date, self.strides)
            terms = sums(record.numbers, self.members)
            ranks = rank_sums(record.numbers, self.members, sample)
            for k, name in enumerate(record.channels):
                self._grow((record.case, name), terms[k], ranks[k])

    def __iadd__(self, other: Calibrations) -> Calibrations:
        """Add those of another run of as many members."""
        for key, terms in other.terms.items():
            self._grow(key, terms, other.ranks[key])
        return self

    def _grow(self, key: tuple[str, str], terms: Array, ranks: Array) -> None:
        self.terms[key] = self.terms.get(key, 0.0) + terms
        self.ranks[key] = self.ranks.get(key, 0) + ranks

    def rows(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What scores.json says, ``{case: {channel: row}}``.

        A row is that of `reliability.row` with ``ranks``, counts of the thinned sample, and
        ``flatness`` of them. Channels without values are left out.
        """
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for (case, name), terms in self.terms.items():
            told = row(terms, self.members)
            if told["n"]:
                ranks = self.ranks[case, name]
                flat = flatness(histogram(ranks, self.members))._asdict()
                said = {key: shortened(value) for key, value in flat.items()}
                found.setdefault(case, {})[name] = told | {
                    "ranks": ranks.tolist(),
                    "flatness": said,
                }
        return found
