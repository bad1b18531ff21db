"""What every run command takes beside its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from releo_da.types import InputError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Options:
    """The common options of the command line.

    Attributes:
        out: run directory, or None for the command's own choice.
        overrides: texts ``key.sub=value`` as given with ``--set``, in order.
        device: ``cpu``, ``cuda`` or ``auto`` (cuda where there is one).
        seed: of the run, or None where the configuration decides.
        quiet: no progress and no tables.
    """

    out: Path | None = None
    overrides: tuple[str, ...] = ()
    device: str = "cpu"
    seed: int | None = None
    quiet: bool = False

    @property
    def settings(self) -> tuple[str, ...]:
        """All overrides for `releo_da.config.document.load`; ``--seed`` is the last and wins."""
        return self.overrides if self.seed is None else (*self.overrides, f"seed={self.seed}")

    def torch_device(self) -> torch.device:
        """The device that tensors live on.

        Raises:
            InputError: cuda was asked for and there is none.
        """
        import torch

        present = torch.cuda.is_available()
        if self.device == "cuda" and not present:
            raise InputError("--device cuda: no CUDA device is usable here; use --device cpu")
        return torch.device("cuda" if present and self.device != "cpu" else "cpu")
