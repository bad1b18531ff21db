"""Fitted parameters on file: what they are, and for which latent axis.

A safetensors file with the parameters of the forecaster and of the observation error. Many systems
have parameters of the same names and shapes but of another meaning (a first-order and a
second-order process, the channels of two sensors), so the latent axis is written beside them and
compared when they are loaded.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from releo_da.io.atomic import replacing
from releo_da.state.layout import Layout
from releo_da.types import InputError

NEAR = 20.0
"""Channels of two sensors are taken for the same when their centres are within this (nm)."""


def parameters(forecaster: nn.Module, error: nn.Module) -> dict[str, torch.Tensor]:
    """Learned parameters by name, as they are saved."""
    parts = {"forecast": forecaster, "error": error}
    return {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }


def meaning(layout: Layout) -> dict[str, str]:
    """The latent axis in words, as it is written beside the parameters."""
    return {
        "variables": " ".join(layout.names),
        "order": "second" if layout.velocities else "first",
        "channels": " ".join(f"{knot:g}" for knot in layout.knots),
    }


def write_weights(path: Path, layout: Layout, forecaster: nn.Module, error: nn.Module) -> None:
    """Write fitted parameters, whole or not at all."""
    with replacing(path) as temporary:
        save_file(parameters(forecaster, error), str(temporary), metadata=meaning(layout))


def load_weights(path: Path, layout: Layout, forecaster: nn.Module, error: nn.Module) -> None:
    """Load fitted parameters into the modules.

    Raises:
        InputError: the file is missing, no file of weights, or was fitted for another state,
            kernel or set of channels.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights; make one with `releo-da train`")
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as problem:
        raise InputError(
            f"{path}: is no file of weights ({problem}); make one with `releo-da train`"
        ) from None
    wanted = parameters(forecaster, error)
    wrong = [n for n in wanted if n not in held or held[n].shape != wanted[n].shape]
    wrong += [n for n in held if n not in wanted]
    wrong += [key for key, text in meaning(layout).items() if not _same(told.get(key, text), text)]
    if wrong:
        raise InputError(
            f"{path}: weights were fitted for another configuration ({', '.join(wrong)} differ); "
            "fit them again with `releo-da train` on this state, kernel and channels"
        )
    for part, module in {"forecast": forecaster, "error": error}.items():
        module.load_state_dict({n: held[f"{part}.{n}"] for n in module.state_dict()})


def _same(one: str, other: str) -> bool:
    """Equal words, or numbers that are near each other."""
    if one == other:
        return True
    left, right = one.split(), other.split()
    try:
        apart = [abs(float(a) - float(b)) for a, b in zip(left, right, strict=True)]
    except ValueError:
        return False
    return max(apart, default=0.0) <= NEAR
