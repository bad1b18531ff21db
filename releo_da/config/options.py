"""What every run command takes beside its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """The common options of the command line.

    Attributes:
        out: run directory, or None for the command's own choice.
        overrides: texts ``key.sub=value`` for `releo_da.config.document.load`, in order; the
            command's seed, where given, is the last of them.
        device: ``cpu``, ``cuda`` or ``auto``.
        seed: the command's seed, or None where the configuration decides.
        quiet: no progress and no tables.
    """

    out: Path | None = None
    overrides: tuple[str, ...] = ()
    device: str = "cpu"
    seed: int | None = None
    quiet: bool = False
