r"""What every forecaster has to obey, as functions: for ours, and for one of your own.

The loop takes a forecaster for what `releo_da.types.Forecaster` says, and relies on more than a
signature can say. Each law is called with a forecaster, a state and a later time, and raises an
`AssertionError` that names what does not hold:

    no_time            forecast(x, t(x))        is x, to the last bit
    no_way_back        a time before the state's is a ValueError
    inputs_stay        the state that was given is not changed; ids, memory, shape and type are kept
    noise_alone        the same numbers of `noise` give the same ensemble, to the last bit
    pixels_apart       a pixel moves as if it were alone
    members_alike      members in another order, with their numbers, come in that order
    gradients_pass     the gradient reaches the ensemble and is finite
    stays_finite       years without a look, from far out, leave numbers

    from releo_da.dynamics.laws import LAWS
    for law in LAWS.values():
        law(forecaster, state, later)

`in_two_steps` is declared, not demanded: that a date asked for in between does not change the mean.
It is exact where the equation is solved exactly, and off by the step where it is integrated.
Noise of a law is drawn per pixel, member and call: some of the pixels get their part of it.
Cost: a dozen forecasts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.testing import assert_close

from releo_da.types import Forecaster, Noise, State

Law = Callable[[Forecaster, State, float], None]

SEED, CALLS = 7, 64
"""Of the numbers, and calls of `noise` that have numbers of their own."""

ROUNDING = 64.0
"""Units of the last digit by which results may differ that are computed in another order."""

FAR, YEARS = 6.0, 3.0
"""Deviations by which members are moved out, and years that they are then left alone."""


def numbers(ids: Tensor, like: Tensor, members: Sequence[int] | None = None) -> Callable[[], Noise]:
    """Sources of the same numbers: each call of one draws for all ids and takes its own.

    Args:
        ids: ``[pixel]`` small numbers, which rows of what is drawn are taken.
        like: a tensor whose dtype and device they take.
        members: order in which members get theirs; that of the ensemble unless given.
    """

    def source() -> Noise:
        calls = iter(range(10**9))

        def noise(shape: Sequence[int]) -> Tensor:
            generator = torch.Generator().manual_seed(SEED + next(calls))
            whole = (int(ids.max()) + 1, *shape[1:])
            drawn = torch.randn(whole, generator=generator, dtype=torch.float64)[ids.cpu()]
            drawn = drawn if members is None else drawn[:, list(members)]
            return drawn.to(like)

        return noise

    return source


def no_time(forecaster: Forecaster, state: State, later: float) -> None:
    """A time equal to the state's changes nothing."""
    noise = numbers(_rows(state), state.ensemble)
    found = forecaster(state, state.time, noise())
    assert torch.equal(found.ensemble, state.ensemble), "no time passed and the ensemble moved"
    assert found.time == state.time, "no time passed and the time of the state is another"


def no_way_back(forecaster: Forecaster, state: State, later: float) -> None:
    """A time before the state's is refused."""
    noise = numbers(_rows(state), state.ensemble)
    after = forecaster(state, later, noise())
    try:
        forecaster(after, state.time, noise())
    except ValueError:
        return
    raise AssertionError("a forecast back in time is no ValueError")


def inputs_stay(forecaster: Forecaster, state: State, later: float) -> None:
    """What is given is not changed; what comes back is a state of the same pixels, later."""
    before = state.ensemble.clone()
    held = torch.arange(len(before), dtype=before.dtype)
    state = state._replace(memory={"held": held.clone()})
    found = forecaster(state, later, numbers(_rows(state), before)())
    assert torch.equal(state.ensemble, before), "the ensemble that was given is another"
    assert found.time == later, f"the state is at {found.time}, not at {later}"
    assert torch.equal(found.pixels, state.pixels), "the ids of the pixels are others"
    assert {*found.memory} == {"held"}, "the memory of schemes is not carried on"
    carried = found.memory["held"]
    same = carried.dtype == held.dtype and torch.equal(carried, held)
    assert same, "the memory of schemes comes back with other numbers"
    shape, kind = found.ensemble.shape, found.ensemble.dtype
    assert shape == before.shape, f"the ensemble is {list(shape)}, was {list(before.shape)}"
    assert kind == before.dtype, f"the ensemble is {kind}, was {before.dtype}"


def noise_alone(forecaster: Forecaster, state: State, later: float) -> None:
    """All that is random comes from ``noise``."""
    noise = numbers(_rows(state), state.ensemble)
    one, other = (forecaster(state, later, noise()).ensemble for _ in range(2))
    assert torch.equal(one, other), "the same numbers gave another ensemble"


def pixels_apart(forecaster: Forecaster, state: State, later: float) -> None:
    """A pixel moves as it does beside all others."""
    rows = _rows(state)
    whole = forecaster(state, later, numbers(rows, state.ensemble)()).ensemble
    for some in (rows[-1:], rows.flip(0)):
        part = state._replace(ensemble=state.ensemble[some], pixels=state.pixels[some])
        found = forecaster(part, later, numbers(some, state.ensemble)()).ensemble
        _same(found, whole[some], "pixels beside others move otherwise")


def members_alike(forecaster: Forecaster, state: State, later: float) -> None:
    """Members are exchangeable."""
    order = torch.arange(state.ensemble.shape[1]).flip(0)
    whole = forecaster(state, later, numbers(_rows(state), state.ensemble)()).ensemble
    turned = state._replace(ensemble=state.ensemble[:, order])
    noise = numbers(_rows(state), state.ensemble, order.tolist())
    _same(forecaster(turned, later, noise()).ensemble, whole[:, order], "members are not alike")


def gradients_pass(forecaster: Forecaster, state: State, later: float) -> None:
    """The ensemble can be differentiated by the one before it."""
    start = state.ensemble.clone().requires_grad_()
    noise = numbers(_rows(state), state.ensemble)
    end = forecaster(state._replace(ensemble=start), later, noise()).ensemble
    assert end.requires_grad, "no gradient passes the forecast"
    (slope,) = torch.autograd.grad(end.square().sum(), start)
    assert bool(slope.isfinite().all()), "a gradient is not finite"
    assert bool(slope.any()), "all gradients are 0"


def stays_finite(forecaster: Forecaster, state: State, later: float) -> None:
    """Members far out do not run away."""
    far = FAR * state.ensemble.sign() * state.ensemble.std((0, 1))
    lost = state._replace(ensemble=state.ensemble + far)
    number = round(365.0 * YEARS / (later - state.time)) or 1
    noise = numbers(_rows(state), state.ensemble)
    with torch.no_grad():
        end = forecaster(lost, state.time + number * (later - state.time), noise()).ensemble
    assert bool(end.isfinite().all()), f"after {YEARS:g} years a number is not finite"


def in_two_steps(
    forecaster: Forecaster, state: State, later: float, between: float, error: float = 0.0
) -> None:
    """Without noise a date in between changes nothing, or no more than ``error``.

    Args:
        forecaster: of which this is declared.
        state: at a time before.
        later: the time it is carried to.
        between: a time before that.
        error: what the forecaster allows itself, in the unit of the latents.
    """

    def still(shape: Sequence[int]) -> Tensor:
        return state.ensemble.new_zeros(tuple(shape))

    whole = forecaster(state, later, still).ensemble
    parts = forecaster(forecaster(state, between, still), later, still).ensemble
    scale = float(whole.detach().abs().max())
    allowed = error + ROUNDING * torch.finfo(whole.dtype).eps * max(scale, 1.0)
    off = float((whole - parts).detach().abs().max())
    assert off <= allowed, f"a date in between changes the end by {off:.3g}"


LAWS: dict[str, Law] = {
    law.__name__: law
    for law in (
        no_time, no_way_back, inputs_stay, noise_alone, pixels_apart, members_alike,
        gradients_pass, stays_finite,
    )
}  # fmt: skip
"""The laws by name."""


def _rows(state: State) -> Tensor:
    return torch.arange(len(state.ensemble))


def _same(found: Tensor, wanted: Tensor, message: str) -> None:
    """Equal up to rounding."""
    unit = ROUNDING * torch.finfo(wanted.dtype).eps
    assert_close(found, wanted, rtol=unit, atol=unit * 10.0, msg=lambda text: f"{message}: {text}")
