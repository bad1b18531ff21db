"""An estimate beside the truth at one acquisition: its channels, NDVI, and variables.

The truth is taken without noise and the prediction without error of observation, so what is told
speaks of the state alone. Each estimate costs one evaluation of H and one of the derived variables,
where they are not given. Numbers are handed on at once (`Keep`, `Tell`), and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from releo_da.diagnostics.scores import Array
from releo_da.diagnostics.verification import Record
from releo_da.runs.acquire import Derive
from releo_da.runs.compare import compare, ndvi_index
from releo_da.runs.model import Model
from releo_da.runs.timeline import on_rows
from releo_da.runs.twin_truth import Known
from releo_da.types import Acquisition

Keep = Callable[[Record, Array], None]
"""``keep(record, seen)`` takes a comparison; ``seen [pixel]`` bool says what the pass saw."""

Tell = Callable[[str, int, Tensor, Tensor, Tensor], None]
"""``tell(case, date, truth, members, scale)`` takes the variables of an ensemble together:
``truth [pixel, name]``, ``members [pixel, member, name]``, ``scale [name]``, the deviation of the
prior in the table of variables, 0 of what is no variable of it."""


@dataclass(frozen=True)
class BesideTruth:
    """Compares ensembles of some pixels with their truth.

    Attributes:
        model: the system that assimilates.
        known: truth and acquisitions of the pixels.
        compared: an ensemble and angles to the variables that are compared with the truth, those
            of them that it has.
        scored: time from which on variables are told together.
        keep: takes every comparison.
        tell: takes variables together, of all estimates but the retrieval.
    """

    model: Model
    known: Known
    compared: Derive
    scored: float
    keep: Keep
    tell: Tell

    def variables(self, ensemble: Tensor, acquisition: Acquisition) -> Tensor:
        """The variables that are compared, ``[pixel, member, name]``."""
        mine = self.compared(ensemble, acquisition.angles)
        return torch.stack([mine[n] for n in self.known.names], -1)

    def compare(
        self,
        case: str,
        date: int,
        ensemble: Tensor,
        predicted: Tensor | None = None,
        refused: Tensor | None = None,
        rows: Tensor | None = None,
        elsewhere: Tensor | None = None,
    ) -> Tensor:
        """Tell an ensemble beside the truth at one acquisition: channels, NDVI, variables.

        Args:
            case: which estimate it is.
            date: position of the acquisition.
            ensemble: the estimate.
            predicted: H of it.
            refused: ``[pixel, channel]`` bool, what screening refused.
            rows: ``[pixel]`` bool, where variables are made of the ensemble; all unless given.
            elsewhere: variables at other pixels, which are not compared unless given.

        Returns:
            The variables, ``[pixel, member, name]``.
        """
        a, target = self.known.acquisitions[date], self.known.targets[date]
        if predicted is None:
            predicted = self.model.observe(ensemble, a)
        channels = self.model.channels[a.sensor]
        parts = [against(predicted, self.known.exact[date], a, ndvi_index(a.sensor, channels))]
        asked = torch.ones_like(a.seen[:, 0]) if rows is None else rows
        members = on_rows(self.variables, ensemble, a, asked, elsewhere)
        parts.append(against(members, target, a, None)[:, :-1])
        names = (*self.model.labels[a.sensor], "ndvi", *self.known.names)
        told = None if refused is None else refused.cpu().numpy()
        numbers = np.concatenate(parts, 1)
        if elsewhere is None:
            numbers[~asked.cpu().numpy()] = np.nan
        seen = a.seen.any(-1).cpu().numpy()
        self.keep(Record(case, date, names, numbers, told), seen)
        if (rows is None or elsewhere is not None) and a.time >= self.scored:
            self.tell(case, date, target, members, self.known.scale)
        return members

    def read(self, case: str, date: int, members: Tensor, names: Sequence[str]) -> None:
        """Tell members of some variables, without an ensemble of the state, beside the truth.

        Args:
            case: which estimate it is.
            date: position of the acquisition.
            members: ``[pixel, member, variable]``, NaN where nothing is said.
            names: of the variables; those that the truth does not have are left out.
        """
        a, known = self.known.acquisitions[date], self.known
        said = members.isfinite().all(2).all(1)
        told = [name for name in known.names if name in names]
        if not told:
            return
        held = members[..., [list(names).index(name) for name in told]]
        target = known.targets[date][:, [known.names.index(name) for name in told]]
        numbers = against(held.nan_to_num(0.0).to(target), target, a, None)[:, :-1]
        numbers[~said.cpu().numpy()] = np.nan
        self.keep(Record(case, date, tuple(told), numbers, None), a.seen.any(-1).cpu().numpy())


def against(predicted: Tensor, truth: Tensor, a: Acquisition, index: Any) -> Array:
    """Numbers of one comparison with the truth, without any error of observation."""
    exact = a._replace(values=truth, error=torch.zeros_like(truth))
    everywhere = torch.ones_like(truth, dtype=torch.bool)
    return compare(predicted, exact, everywhere, index, predicted.new_zeros)
