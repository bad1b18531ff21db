"""What cannot be assimilated is refused by name, or changes nothing: no NaN enters a state."""

import pytest
import torch

from releo_da.assimilation import etkf, screened
from releo_da.cycling.cycle import cycle
from releo_da.cycling.windows import windowed
from releo_da.types import InputError
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


def test_a_broken_member_stays_in_its_pixel_and_is_seen_in_the_state() -> None:
    made = Linear()
    state = made.prior(5)
    whole = list(cycle(state, made.acquisitions, made.system(etkf), draws))[-1].analysis
    state.ensemble[1, 2, 0] = torch.nan
    broken = list(cycle(state, made.acquisitions, made.system(etkf), draws))[-1].analysis
    assert torch.equal(broken.ensemble[0], whole.ensemble[0])
    assert not torch.isfinite(broken.ensemble[1]).any()
