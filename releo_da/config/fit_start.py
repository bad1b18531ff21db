"""What a fit of a forecaster begins with, and what it leaves as it is.

    train:
      start: simulated/weights.safetensors      dynamics of another fit; the priors are about them
      keep: [residual_mean]                     parameters that do not move

Each parameter has a normal prior about its start (`releo_da.learning.anchors`). With a start these
are the values of the other fit: what one fit has learned is what the next believes beforehand, and
a prior about the values before any fit would pull a network back to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from releo_da.config.assemble import Assembly
from releo_da.config.document import Document, nearest
from releo_da.config.weight_paths import START, weights_at, weights_file
from releo_da.config.weights import load_start
from releo_da.learning.fitting import Parts
from releo_da.types import InputError


def begin(document: Document, start: str | None, assembly: Assembly) -> None:
    """Set the dynamics of a system to those that ``train.start`` names; nothing where it is None.

    Raises:
        InputError: ``forecast.weights`` names a start as well, or the weights do not fit.
    """
    if start is None:
        return
    if weights_at(document, "forecast.weights") is not None:
        raise InputError(
            f"{document.path}: forecast.weights and train.start both say where the fit begins; "
            "leave one out: with train.start residuals and R begin as in any fit"
        )
    path = weights_file(document, START, start)
    load_start(path, assembly.layout, assembly.forecaster)


def leave(
    document: Document, names: Sequence[str], modules: Sequence[nn.Module], parts: Parts
) -> None:
    """Leave parameters out of a fit, by the last part of their names.

    Args:
        document: the configuration.
        names: of what stays as it is.
        modules: what is fitted.
        parts: what learns in turn; empty where all learn at once.

    Raises:
        InputError: a name is none of theirs, or nothing is left to learn.
    """
    held = [(n.rpartition(".")[2], p) for module in modules for n, p in module.named_parameters()]
    known = tuple(dict.fromkeys(name for name, _ in held))
    for wanted in names:
        if wanted not in known:
            raise InputError(
                f"{document.path}: train.keep: there is no parameter '{wanted}'; "
                f"{nearest(wanted, known)}"
            )
        for name, parameter in held:
            if name == wanted:
                parameter.requires_grad_(False)
    everything = [parameter for _, parameter in held]
    for part in [part for part in parts if part] or [everything]:
        if not any(parameter.requires_grad for parameter in part):
            raise InputError(
                f"{document.path}: train.keep leaves nothing to learn"
                f"{' in one part of train.physics_first' if part is not everything else ''}; "
                "name fewer parameters"
            )
