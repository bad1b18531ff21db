"""Scores of vectors of a run, added up as its ensembles pass by.

Ensembles are too large to keep, so each is scored on a thinned sample (`thinning`) as it passes:
per case three numbers, the number of vectors and the sums of the energy and the variogram score
(`multivariate`), both as an infinite ensemble of the kind would have them. Components are divided
by a scale that no run decides, such as the deviation of a prior in a table; those without one are
left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from releo_da.diagnostics.multivariate import energy_score, variogram_score
from releo_da.diagnostics.scores import Array


@dataclass
class Vectors:
    """Sums of the vector scores of a run.

    Attributes:
        terms: per case ``[3]``: vectors, sum of energy scores, sum of variogram scores.
    """

    terms: dict[str, Array] = field(default_factory=dict)

    def add(self, case: str, truth: Array, members: Array, scale: Array) -> None:
        """Add the vectors of one acquisition.

        Args:
            case: which estimate they are of.
            truth: ``[pixel, variable]``.
            members: ``[pixel, member, variable]``, two members or more.
            scale: ``[variable]``, 0 leaves a variable out.
        """
        held = np.asarray(scale) > 0
        if not held.any():
            return
        y, x, by = truth[:, held], members[..., held], np.asarray(scale)[held]
        energy = energy_score(y, x, by, fair=True)
        variogram = variogram_score(y, x, by, fair=True)
        good = np.isfinite(energy) & np.isfinite(variogram)
        new = np.array([good.sum(), energy[good].sum(), variogram[good].sum()])
        self.terms[case] = self.terms.get(case, 0.0) + new

    def __iadd__(self, other: Vectors) -> Vectors:
        """Add those of another run."""
        for case, new in other.terms.items():
            self.terms[case] = self.terms.get(case, 0.0) + new
        return self

    def rows(self) -> dict[str, dict[str, Any]]:
        """What scores.json says of each case: ``energy``, ``variogram`` and ``n`` vectors."""
        return {
            case: {"energy": energy / n, "variogram": variogram / n, "n": int(n)}
            for case, (n, energy, variogram) in self.terms.items()
            if n
        }
