"""Every forecaster is put through the laws of `releo_da.dynamics.laws`, and breaks none of them.

To add one, add a `Moved` to `CASES`. What it allows itself for a date in between is declared there:
0 where the equation is solved exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from releo_da.dynamics.hybrid import Hybrid
from releo_da.dynamics.laws import LAWS, Law, in_two_steps, numbers
from releo_da.dynamics.linear import linear
from releo_da.dynamics.lorenz63 import lorenz63
from releo_da.dynamics.lorenz96 import lorenz96
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.dynamics.neural import Neural
from releo_da.state.layout import Layout
from releo_da.types import Forecaster, Noise, State
from tests.dynamics.test_hybrid import FIRST, NAMES, PIXELS, weather
from tests.dynamics.test_neural import taught

START = FIRST + 400.2

Carry = Callable[[dict[str, Tensor]], dict[str, Tensor]]


@dataclass(frozen=True)
class Moved:
    """A forecaster, a state of it, and where it is carried to.

    Attributes:
        make: the forecaster.
        state: of it.
        later: a time after the state's.
        between: one between them.
        error: by which a date in between may change the end.
        bounded: whether members come back from anywhere, in years that a toy model has not.
    """

    make: Callable[[], Forecaster]
    state: Callable[[Forecaster], State]
    later: float
    between: float
    error: float = 0.0
    bounded: bool = True


def land(make: Callable[[], MeanReverting | Hybrid | Neural], error: float = 0.0) -> Moved:
    """A forecaster of land surfaces, from its own start."""

    def state(forecaster: Forecaster) -> State:
        assert isinstance(forecaster, MeanReverting | Hybrid | Neural)
        noise = numbers(torch.arange(3), torch.zeros(0, dtype=torch.float64))()
        with torch.no_grad():
            return forecaster.initial(START, PIXELS, 6, noise)

    return Moved(make, state, START + 17.9, START + 6.3, error)


def toy(make: Callable[[], Forecaster], size: int, bounded: bool = True) -> Moved:
    """A toy model, from numbers about its origin."""

    def state(forecaster: Forecaster) -> State:
        noise = numbers(torch.arange(2), torch.zeros(0, dtype=torch.float64))()
        return State(0.0, noise((2, 4, size)), torch.arange(2))

    return Moved(make, state, 0.5, 0.2, bounded=bounded)


def mean_reverting(velocities: bool, rough: bool, own: bool) -> MeanReverting:
    placed = ("lai",) if own else ()
    return MeanReverting(Layout(NAMES, {}, velocities, (665.0,), rough, placed, len(placed)))


def hybrid() -> Hybrid:
    return Hybrid(mean_reverting(True, False, False), weather(), 2.0)


def neural(
    size: float, slow: tuple[str, ...] = (), memory: int = 0, calendar: bool = True
) -> Neural:
    return taught(Neural(hybrid(), weather(), slow, memory=memory, calendar=calendar), size)


CASES = {
    "matern32": land(lambda: mean_reverting(True, False, False)),
    "ou": land(lambda: mean_reverting(False, False, False)),
    "matern32+ou": land(lambda: mean_reverting(True, True, True)),
    "hybrid": land(hybrid),
    "neural": land(lambda: neural(0.0)),
    "neural, taught": land(lambda: neural(0.1, ("timing", "vigour"), 2), error=0.5),
    "neural, without a calendar": land(lambda: neural(0.1, (), 2, calendar=False), error=0.5),
    "lorenz63": toy(lorenz63, 3, bounded=False),
    "lorenz96": toy(lambda: lorenz96(8), 8, bounded=False),
    "linear": toy(lambda: linear([[0.9, 0.1], [-0.1, 0.9]], dt=0.1, noise_variance=0.1), 2),
}


DEMANDED = {
    f"{name}-{law}": (moved, LAWS[law])
    for name, moved in CASES.items()
    for law in LAWS
    if moved.bounded or law != "stays_finite"
}


@pytest.mark.parametrize(("moved", "law"), DEMANDED.values(), ids=[*DEMANDED])
def test_a_law(moved: Moved, law: Law) -> None:
    forecaster = moved.make()
    if isinstance(forecaster, nn.Module):
        forecaster.requires_grad_(False)
    law(forecaster, moved.state(forecaster), moved.later)


@pytest.mark.parametrize("moved", CASES.values(), ids=[*CASES])
def test_a_date_in_between(moved: Moved) -> None:
    forecaster = moved.make()
    in_two_steps(forecaster, moved.state(forecaster), moved.later, moved.between, moved.error)


class Wrong(nn.Module):
    """A walk that breaks one law."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, state: State, time: float, noise: Noise) -> State:
        x = state.ensemble
        if time < state.time and self.how != "no_way_back":
            raise ValueError("back in time")
        if time == state.time and self.how != "no_time":
            return state
        moved = {
            "inputs_stay": lambda: x.add_(noise(x.shape)),
            "noise_alone": lambda: x + torch.randn_like(x),
            "pixels_apart": lambda: x - x.mean(0) + noise(x.shape),
            "members_alike": lambda: x + noise(x.shape).cumsum(1),
            "gradients_pass": lambda: x.detach() + noise(x.shape),
            "stays_finite": lambda: x * torch.exp(x.square() * (time - state.time)),
        }.get(self.how, lambda: x + noise(x.shape))()
        return state._replace(time=time, ensemble=moved)


@pytest.mark.parametrize("name", LAWS)
def test_a_law_that_is_broken_says_so(name: str) -> None:
    def state() -> State:
        noise = numbers(torch.arange(3), torch.zeros(0, dtype=torch.float64))()
        return State(18000.0, noise((3, 4, 2)), torch.arange(3))

    def holds(forecaster: Forecaster) -> None:
        for law in LAWS.values():
            law(forecaster, state(), 18012.5)

    holds(Wrong("nothing"))
    with pytest.raises(AssertionError):
        LAWS[name](Wrong(name), state(), 18012.5)

    def leaps(state: State, time: float, noise: Noise) -> State:
        moved: Tensor = state.ensemble + (time - state.time) ** 2
        return state._replace(time=time, ensemble=moved)

    with pytest.raises(AssertionError, match="a date in between changes the end by"):
        in_two_steps(leaps, state(), 18012.5, 18003.0)


@pytest.mark.parametrize(
    ("carry", "said"),
    [
        (lambda m: {name: held.clone() for name, held in m.items()}, None),
        (lambda m: {}, "not carried on"),
        (lambda m: {**m, "mine": torch.zeros(2)}, "not carried on"),
        (lambda m: {name: held + 1.0 for name, held in m.items()}, "other numbers"),
        (lambda m: {name: held.add_(1.0) for name, held in m.items()}, "other numbers"),
        (lambda m: {name: held.float() for name, held in m.items()}, "other numbers"),
    ],
    ids=["copies", "dropped", "added to", "changed", "changed in place", "of another type"],
)
def test_memory_is_carried_on_by_what_it_holds(carry: Carry, said: str | None) -> None:
    """Copies will do; whatever else is told by the law, and by nothing of torch."""

    def moved(state: State, time: float, noise: Noise) -> State:
        x = state.ensemble + noise(state.ensemble.shape)
        return state._replace(time=time, ensemble=x, memory=carry(state.memory))

    start = State(0.0, torch.zeros(2, 4, 3, dtype=torch.float64), torch.arange(2))
    told = nullcontext() if said is None else pytest.raises(AssertionError, match=said)
    with told:
        LAWS["inputs_stay"](moved, start, 1.0)
