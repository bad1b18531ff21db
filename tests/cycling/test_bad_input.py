"""What cannot be assimilated is refused by name, or changes nothing: no NaN enters a state."""

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import adaptive, etkf, screened
from releo_da.cycling.cycle import cycle
from releo_da.cycling.recovery import (
    FROM_BACKGROUND,
    FROM_PRIOR,
    UNTOUCHED,
    diverged,
    recoveries,
)
from releo_da.cycling.windows import windowed
from releo_da.types import InputError, Noise, State
from tests.cycling.linear import Linear, draws


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("values", float("nan"), "the value of channel 1 in row 0 is nan"),
        ("error", 0.0, "the error of channel 1 in row 0 is 0.0"),
        ("error", -0.5, "the error of channel 1 in row 0 is -0.5"),
        ("error", float("nan"), "the error of channel 1 in row 0 is nan"),
    ],
)
@pytest.mark.parametrize("scheme", [etkf, windowed(etkf, 2)], ids=["cycle", "window"])
def test_values_and_errors_that_are_none_are_refused(scheme, field, value, message) -> None:
    made = Linear()
    getattr(made.acquisitions[1], field)[0, 1] = value
    with pytest.raises(InputError, match=f"linear, day 3: {message}; give finite values"):
        list(cycle(made.prior(5), made.acquisitions, made.system(scheme), draws))


def test_nothing_seen_leaves_the_forecast_as_it_is() -> None:
    made = Linear(q=0.3)
    blind = [a._replace(error=torch.full_like(a.error, torch.inf)) for a in made.acquisitions]
    for step in cycle(made.prior(5), blind, made.system(screened(etkf)), draws):
        assert torch.equal(step.analysis.ensemble, step.background.ensemble)


def prior(time: float, pixels: Tensor, members: int, noise: Noise) -> State:
    return State(time, 7.0 + noise((len(pixels), members, 3)), pixels, {})


def test_a_broken_background_is_drawn_anew_and_analysed() -> None:
    """One member is lost; its pixel goes on from the prior, the other is what it always was."""
    made = Linear()
    state = made.prior(5)
    whole = list(cycle(state, made.acquisitions, made.system(etkf), draws, prior))
    assert all((step.recovered == UNTOUCHED).all() for step in whole)
    state.ensemble[1, 2, 0] = torch.nan
    steps = list(cycle(state, made.acquisitions, made.system(etkf), draws, prior))
    assert [step.recovered.tolist() for step in steps] == [[0, FROM_PRIOR], [0, 0], [0, 0]]
    fresh = prior(1.0, state.pixels, 5, draws(1.0, "recovery")).ensemble
    assert torch.equal(steps[0].background.ensemble[1], fresh[1])
    assert not torch.equal(steps[0].analysis.ensemble[1], fresh[1])
    for ours, theirs in zip(steps, whole, strict=True):
        assert torch.isfinite(ours.analysis.ensemble).all()
        assert torch.equal(ours.analysis.ensemble[0], theirs.analysis.ensemble[0])
    assert diverged(steps).tolist() == [False, True]
    assert recoveries(steps[0]) == {"prior": 1}


def test_a_broken_analysis_is_its_background() -> None:
    """A scheme fails at one pixel of day 3: nothing is used there, and it remembers what it did."""
    made, scheme = Linear(), screened(adaptive(etkf), patience=2)
    count = iter(range(9))

    def failing(state, observe, y, precision, noise, memory):
        found = scheme(state, observe, y, precision, noise, memory)
        if next(count) == 1:
            found.ensemble[0, 1, 1] = torch.inf
            found.memory["inflation"][0] = torch.nan
        return found

    steps = list(cycle(made.prior(5), made.acquisitions, made.system(failing), draws, prior))
    assert [step.recovered.tolist() for step in steps] == [[0, 0], [FROM_BACKGROUND, 0], [0, 0]]
    lost = steps[1]
    assert torch.equal(lost.analysis.ensemble[0], lost.background.ensemble[0])
    assert torch.equal(lost.analysis.memory["inflation"][0], lost.background.memory["inflation"][0])
    assert (lost.precision[0] == 0.0).all() and (lost.precision[1] > 0.0).all()
    assert recoveries(lost) == {"background": 1}
    for step in steps:
        held = (step.analysis.ensemble, *step.analysis.memory.values())
        assert all(torch.isfinite(part).all() for part in held)
    assert diverged(steps).tolist() == [True, False]


def test_without_a_prior_a_broken_member_stays_in_its_pixel_and_is_counted() -> None:
    made = Linear()
    state = made.prior(5)
    whole = list(cycle(state, made.acquisitions, made.system(etkf), draws))[-1].analysis
    state.ensemble[1, 2, 0] = torch.nan
    steps = list(cycle(state, made.acquisitions, made.system(etkf), draws))
    assert torch.equal(steps[-1].analysis.ensemble[0], whole.ensemble[0])
    assert steps[-1].recovered is None and not recoveries(steps[-1])
    assert diverged(steps).tolist() == [False, True]
