"""A fit that is kept on file after every epoch, so that it may end at any instant and go on.

The same command in the same directory goes on from the last epoch that came to its end, to the same
bits as a fit that nothing interrupted. It does so with the configuration and the series that the
fit began with, and with no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from torch import Tensor

from releo_da.config.checkpoint_file import REMEDY, Checkpoint
from releo_da.learning.checkpoints import fit_checkpoint, fit_restore
from releo_da.learning.fit import Epoch, Fitting
from releo_da.learning.stretches import Part
from releo_da.types import InputError, Weather

Record = dict[str, Any]
SERIES = "series"
"""Key of what a checkpoint says of the series that is fitted."""


class Following(NamedTuple):
    """Where a fit is kept, what was kept before, and what takes records of it.

    Attributes:
        file: the checkpoint.
        before: what it held when the command began, or None.
        write: takes a record for the log.
    """

    file: Checkpoint
    before: tuple[dict[str, Tensor], dict[str, Any]] | None
    write: Callable[[Mapping[str, Any]], None]

    def resume(self, fitting: Fitting, content: str) -> list[Epoch]:
        """Put a fit where the checkpoint left it; returns what its epochs reported.

        Args:
            fitting: of which no epoch is done.
            content: of what is learned from and what judges it, `content_of`.

        Raises:
            InputError: the checkpoint is of another series, of other parameters, or damaged.
        """
        if self.before is None:
            return []
        tensors, told = self.before
        if told.get(SERIES) != content:
            raise InputError(
                f"{self.file.path}: is the checkpoint of a fit on other values, pixels or weather "
                f"than the files have now; {REMEDY}"
            )
        try:
            epochs = fit_restore(fitting, tensors, told)
        except InputError as error:
            raise InputError(f"{self.file.path}: {error}") from None
        self.write({"kind": "resumed", "epoch": fitting.number})
        return epochs

    def keep(self, fitting: Fitting, epochs: Sequence[Epoch], content: str) -> None:
        """Write where a fit stands, after an epoch; arguments as of `resume`."""
        self.write({"kind": "epoch", **epochs[-1]._asdict()})
        tensors, told = fit_checkpoint(fitting, epochs)
        self.file.write(tensors, {**told, SERIES: content})


def content_of(parts: Sequence[Part], weather: Weather | None = None) -> str:
    """SHA-256 of the pixels and values of series, and of the weather that their forecaster uses."""
    total = sha256()
    for part in parts:
        total.update(part.pixels.cpu().numpy().tobytes())
        for a in part.acquisitions:
            total.update(f"{a.time!r} {a.sensor} {list(a.values.shape)}".encode())
            for tensor in (a.values, a.error, a.angles):
                total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    if weather is not None:
        total.update(f"{weather.first} {weather.elements} {list(weather.values.shape)}".encode())
        total.update(weather.values.contiguous().numpy().tobytes())
    return total.hexdigest()
