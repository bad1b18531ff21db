"""A fit as tensors and numbers: whole, and refused where it is not that of these parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from releo_da.learning.checkpoints import fit_checkpoint, fit_restore
from releo_da.learning.fitting import Best, Epoch, Fitting, begun
from releo_da.types import InputError

Tensors = dict[str, Tensor]


def fitting(size: int = 2) -> Fitting:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return begun({"forecaster": nn.Linear(size, 2), "error": nn.Linear(1, 1)}, anchors=False)


def stepped(one: Fitting) -> None:
    """A step of Adam along a gradient of the parameters' own making."""
    one.optimiser.zero_grad()
    torch.stack([(p - 1.0).square().sum() for p in one.parameters.values()]).sum().backward()
    one.optimiser.step()


def stood() -> tuple[Fitting, list[Epoch]]:
    """A fit of two epochs, of which the first was judged best."""
    one = fitting()
    for group in one.optimiser.param_groups:
        group["lr"] = 0.1
    stepped(one)
    values = {name: p.detach().clone() for name, p in one.parameters.items()}
    stepped(one)
    one.number, one.best = 2, Best(-3.5, 1, values)
    return one, [Epoch(0, -9.0, 0.1, 7, -4.0, 3), Epoch(1, -8.0, 0.2, 7, -3.5, 3)]


def test_what_comes_back_takes_the_same_step() -> None:
    one, epochs = stood()
    tensors, told = fit_checkpoint(one, epochs)
    other = fitting()
    assert fit_restore(other, tensors, json.loads(json.dumps(told))) == epochs
    assert (other.number, other.best.number, other.best.judgement) == (2, 1, -3.5)
    for name, value in one.best.values.items():
        assert torch.equal(other.best.values[name], value)
    for each in (one, other):
        for group in each.optimiser.param_groups:
            group["lr"] = 0.05
        stepped(each)
    for name, parameter in one.parameters.items():
        assert torch.equal(parameter, other.parameters[name])


def test_a_fit_that_nothing_judges_has_no_best() -> None:
    one, _ = stood()
    one.best, epochs = Best(), [Epoch(k, 0.0, 0.0, 1) for k in range(2)]
    tensors, told = fit_checkpoint(one, epochs)
    other = fitting()
    assert fit_restore(other, tensors, told) == epochs
    assert other.best == Best() and not [name for name in tensors if name.startswith("best")]


WRONG: dict[str, tuple[Callable[[Tensors], Any], dict[str, Any], str]] = {
    "a parameter missing": (lambda t: t.pop("weight.error.bias"), {}, "weight"),
    "one of another shape": (
        lambda t: t.update({"best.error.bias": torch.zeros(3)}), {}, "best",
    ),
    "one of another type": (
        lambda t: t.update({"weight.error.bias": torch.zeros(1).double()}), {}, "weight",
    ),
    "a part unknown": (lambda t: t.update({"more.error.bias": torch.zeros(1)}), {}, "more"),
    "half of what Adam knows": (lambda t: t.pop("square.error.bias"), {}, "mean|square"),
    "no number": (lambda t: None, {"number": "2"}, "number"),
    "too few epochs": (lambda t: None, {"epochs": []}, "epochs"),
    "epochs of another form": (lambda t: None, {"epochs": [[0], [1]]}, "epochs"),
    "no judgement of what is best": (lambda t: None, {"judgement": None}, "best"),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_not_of_these_parameters_is_refused_and_changes_nothing(fault: str) -> None:
    change, numbers, named = WRONG[fault]
    tensors, told = fit_checkpoint(*stood())
    change(tensors)
    other = fitting()
    before = {name: p.detach().clone() for name, p in other.parameters.items()}
    with pytest.raises(InputError, match=rf"of other parameters, or damaged \(.*({named})"):
        fit_restore(other, tensors, {**told, **numbers})
    assert other.number == 0
    for name, parameter in other.parameters.items():
        assert torch.equal(parameter, before[name])
    with pytest.raises(InputError, match="weight, best, mean, square"):
        fit_restore(fitting(3), *fit_checkpoint(*stood()))
