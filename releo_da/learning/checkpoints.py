"""A training as tensors and numbers, to be put on file, and back.

Everything that the next step depends on: the weights, the two averages of Adam and its count of
steps, the best weights so far, the number of the step and the looks at the validation series. What
is random depends on the number of the step alone and is not kept. Tensors are named

    weight.<name>   best.<name>   mean.<name>   square.<name>   count.<name>

by the names of the encoder's parameters; the rest is plain numbers in lists and mappings, as JSON
has them. Nothing is pickled. How a file is written is not known here (`releo_da.config`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from releo_da.learning.pretraining import Look, Training, weights
from releo_da.types import InputError

ADAM = {"mean": "exp_avg", "square": "exp_avg_sq", "count": "step"}
"""What Adam remembers of a parameter, under the names of files and of torch."""


def checkpoint(training: Training) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A training as tensors and numbers."""
    held = {f"weight.{name}": tensor for name, tensor in weights(training.encoder).items()}
    held |= {f"best.{name}": tensor.clone() for name, tensor in training.best.items()}
    for name, parameter in training.encoder.named_parameters():
        known = training.optimiser.state.get(parameter)
        if known:
            held |= {
                f"{ours}.{name}": torch.as_tensor(known[theirs]).detach().clone()
                for ours, theirs in ADAM.items()
            }
    return held, {"step": training.step, "looks": [list(look) for look in training.looks]}


def restore(training: Training, tensors: Mapping[str, Tensor], told: Mapping[str, Any]) -> None:
    """Put a training, in place, where a checkpoint left it.

    Args:
        training: of an encoder of the same form, of which no step is done.
        tensors: of `checkpoint`.
        told: of `checkpoint`.

    Raises:
        InputError: the checkpoint is of another encoder, or damaged.
    """
    encoder, wanted = training.encoder, weights(training.encoder)
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in ("weight", "best", *ADAM)}
    for key, tensor in tensors.items():
        part, _, name = key.partition(".")
        parts.setdefault(part, {})[name] = tensor
    wrong = [part for part in parts if part not in ("weight", "best", *ADAM)]
    for part in ("weight", "best"):
        shapes = {name: tensor.shape for name, tensor in parts[part].items()}
        if shapes != {name: tensor.shape for name, tensor in wanted.items()}:
            wrong.append(part)
    named = dict(encoder.named_parameters())
    for part in ADAM:
        known = {k for k, t in parts[part].items() if k in named and _fits(part, t, named[k])}
        if known != set(parts[part]) or known != set(parts["mean"]):
            wrong.append(part)
    step, looks = told.get("step"), told.get("looks")
    if not isinstance(step, int) or not isinstance(looks, list):
        wrong.append("step")
    elif any(not isinstance(one, list) or len(one) != len(Look._fields) for one in looks):
        wrong.append("looks")
    if wrong:
        raise InputError(
            f"the checkpoint is of another encoder, or damaged ({', '.join(dict.fromkeys(wrong))} "
            "differ); train into another directory"
        )
    encoder.load_state_dict(parts["weight"])
    training.best = {name: tensor.clone() for name, tensor in parts["best"].items()}
    training.step, training.looks = int(step or 0), [Look(*one) for one in looks or ()]
    for name, parameter in named.items():
        if name in parts["mean"]:
            training.optimiser.state[parameter] = {
                theirs: parts[ours][name].clone() for ours, theirs in ADAM.items()
            }


def _fits(part: str, tensor: Tensor, parameter: Tensor) -> bool:
    """Whether what Adam remembers has the shape that it should have."""
    return tensor.shape == (() if part == "count" else parameter.shape)
