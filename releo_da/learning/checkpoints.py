"""A training as tensors and numbers, to be put on file, and back.

Everything that the next step depends on: the weights, the two averages of Adam and its count of
steps, the best weights so far, the number of the step and what was said of those before. What is
random depends on the number of the step alone and is not kept. Tensors are named

    weight.<name>   best.<name>   mean.<name>   square.<name>   count.<name>

by the names of the parameters; the rest is plain numbers in lists and mappings, as JSON has them.
Nothing is pickled. How a file is written is not known here (`releo_da.config`). `checkpoint` and
`restore` are of a training of an encoder, `fit_checkpoint` and `fit_restore` of a fit through the
filter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from releo_da.learning.fitting import Best, Epoch, Fitting
from releo_da.learning.pretraining import Look, Training, weights
from releo_da.types import InputError

ADAM = {"mean": "exp_avg", "square": "exp_avg_sq", "count": "step"}
"""What Adam remembers of a parameter, under the names of files and of torch."""

Tensors = Mapping[str, Tensor]
Parts = dict[str, dict[str, Tensor]]


def checkpoint(training: Training) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A training as tensors and numbers."""
    named = dict(training.encoder.named_parameters())
    held = _tensors(weights(training.encoder), training.best, named, training.optimiser)
    return held, {"step": training.step, "looks": [list(look) for look in training.looks]}


def restore(training: Training, tensors: Tensors, told: Mapping[str, Any]) -> None:
    """Put a training, in place, where a checkpoint left it.

    Args:
        training: of an encoder of the same form, of which no step is done.
        tensors: of `checkpoint`.
        told: of `checkpoint`.

    Raises:
        InputError: the checkpoint is of another encoder, or damaged.
    """
    encoder, named = training.encoder, dict(training.encoder.named_parameters())
    parts, wrong = _parts(tensors, weights(encoder), named)
    step, looks = told.get("step"), _rows(told.get("looks"), len(Look._fields))
    wrong += [
        name
        for name, fine in {"step": type(step) is int, "looks": looks is not None}.items()
        if not fine
    ]
    _refuse(wrong, "another encoder")
    encoder.load_state_dict(parts["weight"])
    training.best = {name: tensor.clone() for name, tensor in parts["best"].items()}
    training.step, training.looks = int(step or 0), [Look(*one) for one in looks or ()]
    _recall(training.optimiser, named, parts)


def fit_checkpoint(
    fitting: Fitting, epochs: Sequence[Epoch]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A fit as tensors and numbers.

    Args:
        fitting: as it stands.
        epochs: what all epochs reported.
    """
    held = _tensors(fitting.parameters, fitting.best.values, fitting.parameters, fitting.optimiser)
    judgement = fitting.best.judgement if fitting.best.values else None
    told = {"number": fitting.number, "best": fitting.best.number, "judgement": judgement}
    return held, {**told, "epochs": [list(epoch) for epoch in epochs]}


def fit_restore(fitting: Fitting, tensors: Tensors, told: Mapping[str, Any]) -> list[Epoch]:
    """Put a fit, in place, where a checkpoint left it; returns what its epochs reported.

    Args:
        fitting: of the same parameters, of which no epoch is done.
        tensors: of `fit_checkpoint`.
        told: of `fit_checkpoint`.

    Raises:
        InputError: the checkpoint is of other parameters, or damaged.
    """
    named, judgement = fitting.parameters, told.get("judgement")
    parts, wrong = _parts(tensors, named, named, best=judgement is not None)
    number, best = told.get("number"), told.get("best")
    epochs = _rows(told.get("epochs"), len(Epoch._fields))
    fine = {
        "number": type(number) is int and type(best) is int,
        "judgement": judgement is None or isinstance(judgement, float),
        "epochs": epochs is not None and len(epochs) == number,
    }
    _refuse([*wrong, *(name for name, good in fine.items() if not good)], "other parameters")
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(parts["weight"][name])
    _recall(fitting.optimiser, named, parts)
    values = {name: tensor.clone() for name, tensor in parts["best"].items()}
    fitting.number = int(number or 0)
    fitting.best = Best(-math.inf if judgement is None else judgement, int(best or 0), values)
    return [Epoch(*one) for one in epochs or ()]


def _tensors(
    now: Tensors,
    best: Tensors,
    named: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
) -> dict[str, Tensor]:
    """Weights, the best ones, and what Adam remembers, under the names of a file."""
    held = {f"weight.{name}": tensor.detach().clone() for name, tensor in now.items()}
    held |= {f"best.{name}": tensor.clone() for name, tensor in best.items()}
    for name, parameter in named.items():
        known = optimiser.state.get(parameter)
        if known:
            held |= {
                f"{ours}.{name}": torch.as_tensor(known[theirs]).detach().clone()
                for ours, theirs in ADAM.items()
            }
    return held


def _parts(
    tensors: Tensors, wanted: Tensors, named: Mapping[str, nn.Parameter], best: bool = True
) -> tuple[Parts, list[str]]:
    """The tensors of a file by part, and the parts that are not as they should be.

    Args:
        tensors: of the file.
        wanted: weights of the shapes that they should have.
        named: what is learned of them.
        best: whether there should be best weights.
    """
    parts: Parts = {part: {} for part in ("weight", "best", *ADAM)}
    for key, tensor in tensors.items():
        part, _, name = key.partition(".")
        parts.setdefault(part, {})[name] = tensor
    wrong = [part for part in parts if part not in ("weight", "best", *ADAM)]
    for part, there in {"weight": True, "best": best}.items():
        forms = {name: (tensor.shape, tensor.dtype) for name, tensor in parts[part].items()}
        should = {name: (tensor.shape, tensor.dtype) for name, tensor in wanted.items()}
        if forms != (should if there else {}):
            wrong.append(part)
    for part in ADAM:
        known = {k for k, t in parts[part].items() if k in named and _fits(part, t, named[k])}
        if known != set(parts[part]) or known != set(parts["mean"]):
            wrong.append(part)
    return parts, wrong


def _rows(given: Any, length: int) -> list[list[Any]] | None:
    """Lists of so many values, or None where it is none."""
    if isinstance(given, list) and all(isinstance(o, list) and len(o) == length for o in given):
        return given
    return None


def _refuse(wrong: Sequence[str], other: str) -> None:
    """Raise InputError where something is wrong."""
    if wrong:
        raise InputError(
            f"the checkpoint is of {other}, or damaged ({', '.join(dict.fromkeys(wrong))} differ); "
            "train into another directory"
        )


def _recall(
    optimiser: torch.optim.Optimizer, named: Mapping[str, nn.Parameter], parts: Parts
) -> None:
    """Give Adam back what it remembered."""
    for name, parameter in named.items():
        if name in parts["mean"]:
            optimiser.state[parameter] = {
                theirs: parts[ours][name].clone() for ours, theirs in ADAM.items()
            }


def _fits(part: str, tensor: Tensor, parameter: Tensor) -> bool:
    """Whether what Adam remembers has the shape that it should have."""
    return tensor.shape == (() if part == "count" else parameter.shape)
