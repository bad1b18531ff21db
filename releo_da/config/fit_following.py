"""A fit that is kept on file after every epoch, so that it may end at any instant and go on.

The same command in the same directory goes on from the last epoch that came to its end, to the same
bits as a fit that nothing interrupted. It does so with the configuration, the series, the start and
the files of sensors and operators that the fit began with, and with no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from releo_da.config.checkpoint_file import REMEDY, Checkpoint
from releo_da.config.document import Document
from releo_da.config.finished import last_line, parsed
from releo_da.config.heard import LOG
from releo_da.config.sensor_paths import sensor_files
from releo_da.config.weight_paths import weights_at
from releo_da.learning.checkpoints import fit_checkpoint, fit_restore
from releo_da.learning.fitting import Epoch, Fitting
from releo_da.learning.stretches import Part
from releo_da.types import InputError, Weather

Record = dict[str, Any]
SERIES = "series"
"""Key of what a checkpoint says of the series that is fitted."""
EPOCH = "epoch"
"""Kind of the records of epochs in a log."""


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
            content: of what is learned from, what judges it, and where it begins: `content_of`.

        Raises:
            InputError: the checkpoint is of another series or start, of other parameters, or
                damaged.
        """
        if self.before is None:
            return []
        tensors, told = self.before
        refuse_other(self.file.path, told, content)
        try:
            epochs = fit_restore(fitting, tensors, told)
        except InputError as error:
            raise InputError(f"{self.file.path}: {error}") from None
        self.write({"kind": "resumed", "epoch": fitting.number})
        if epochs and self._logged() != epochs[-1].number:  # the end came between the two files
            self.write({"kind": EPOCH, **epochs[-1]._asdict()})
        return epochs

    def keep(self, fitting: Fitting, epochs: Sequence[Epoch], content: str) -> None:
        """Write where a fit stands, after an epoch; arguments as of `resume`.

        The checkpoint comes first: an epoch that is in the log alone would be done and told again.
        """
        tensors, told = fit_checkpoint(fitting, epochs)
        self.file.write(tensors, {**told, SERIES: content})
        self.write({"kind": EPOCH, **epochs[-1]._asdict()})

    def _logged(self) -> Any:
        """The number of the last epoch in the log; None without one that is whole."""
        path = self.file.root / LOG
        with suppress(InputError, UnicodeDecodeError):
            line = last_line(path, f'{{"kind": "{EPOCH}"'.encode())
            return None if line is None else parsed(path, line.decode()).get("number")
        return None


def refuse_other(path: Path, told: Mapping[str, Any], content: str) -> None:
    """Refuse a checkpoint of a training on something else.

    Args:
        path: of the checkpoint.
        told: what it says.
        content: `content_of` what is trained on now.

    Raises:
        InputError: the two differ.
    """
    if told.get(SERIES) != content:
        raise InputError(
            f"{path}: is the checkpoint of a fit on other values, pixels or weather, or with other "
            f"weights or sensors, than the files have now; {REMEDY}"
        )


def files_of(document: Document) -> list[Path]:
    """The files that decide how a configuration sees: of an emulator, and of sensors."""
    emulator, sensors = weights_at(document, "observe.weights"), sensor_files(document)
    return [*([] if emulator is None else [emulator]), *(sensors[k] for k in sorted(sensors))]


def content_of(
    parts: Sequence[Part],
    weather: Weather | None = None,
    start: Mapping[str, Tensor] | None = None,
    files: Sequence[Path] = (),
) -> str:
    """SHA-256 of what a training depends on beside its configuration.

    Args:
        parts: series, their pixels and values.
        weather: that their forecaster uses.
        start: what is known before the first step, by name.
        files: that are read.
    """
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
    for name, tensor in (start or {}).items():
        total.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    for path in files:
        total.update(sha256(path.read_bytes()).digest())
    return total.hexdigest()
