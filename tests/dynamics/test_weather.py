"""Weather between dates: sums over days against integrals done by hand and by scipy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from releo_da.dynamics.weather import at_pixels, degree_days, mean_between, total_between
from releo_da.types import InputError, Weather

IDS = torch.tensor([40, 11])
DATES = st.tuples(st.floats(100.0, 129.9), st.floats(100.0, 129.9)).map(sorted)


def weather(seed: int = 0) -> Weather:
    """Thirty days from day 100 at three sites; pixel 40 lies half-way between the last two."""
    rng = np.random.default_rng(seed)
    return Weather(
        100,
        ("precipitation", "temperature"),
        torch.from_numpy(rng.uniform(-5.0, 30.0, (30, 3, 2))),
        torch.tensor([11, 40]),
        torch.tensor([[0, 1], [1, 2]]),
        torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=torch.float64),
    )


@given(seed=st.integers(0, 2**32 - 1), dates=DATES)
@settings(max_examples=25, deadline=None)
def test_sums_are_integrals_of_daily_steps(seed: int, dates: list[float]) -> None:
    record, (start, end) = weather(seed), dates
    steps = record.values[:, 1:, 1].mean(1).numpy()
    days = [d for d in range(101, 130) if start < d < end]

    def integral(of: object) -> float:
        edges = [start, *days, end]
        parts = zip(edges[:-1], edges[1:], strict=True)
        return sum(quad(of, a, b)[0] for a, b in parts)  # type: ignore[arg-type]

    total = total_between(record, "temperature", IDS, start, end)
    assert float(total[0]) == pytest.approx(
        integral(lambda t: steps[min(int(t), 129) - 100]), abs=1e-6
    )
    warm = degree_days(record, IDS, start, end, base=5.0, upper=20.0)
    wanted = integral(lambda t: min(max(steps[min(int(t), 129) - 100], 5.0), 20.0) - 5.0)
    assert float(warm[0]) == pytest.approx(wanted, abs=1e-6)
    if end - start > 1e-6:
        mean = mean_between(record, "temperature", IDS, start, end)
        torch.testing.assert_close(mean, total / (end - start), rtol=1e-6, atol=1e-6)


def test_adjoining_intervals_add_up_and_pixels_may_have_their_own() -> None:
    record = weather()
    whole = degree_days(record, IDS, 101.25, 117.75)
    parts = degree_days(record, IDS, 101.25, 108.5) + degree_days(record, IDS, 108.5, 117.75)
    torch.testing.assert_close(whole, parts)
    starts = torch.tensor([101.25, 105.0], dtype=torch.float64)
    each = degree_days(record, IDS, starts, 117.75)
    torch.testing.assert_close(each[0], whole[0])
    torch.testing.assert_close(each[1], degree_days(record, IDS, 105.0, 117.75)[1])


def test_an_instant_has_the_mean_of_its_day_and_no_sum() -> None:
    record = weather()
    mean = mean_between(record, "temperature", IDS, 103.5, 103.5)
    torch.testing.assert_close(mean, at_pixels(record, "temperature", IDS, 103, 103)[0])
    assert total_between(record, "temperature", IDS, 103.5, 103.5).tolist() == [0.0, 0.0]
    assert degree_days(record, IDS, 103.0, 103.0).tolist() == [0.0, 0.0]


def test_the_whole_record_can_be_asked_for() -> None:
    record = weather()
    total = total_between(record, "precipitation", torch.tensor([11]), 100.0, 130.0)
    torch.testing.assert_close(total[0], record.values[:, 0, 0].sum())


@pytest.mark.parametrize(
    ("element", "ids", "start", "end", "message"),
    [
        ("wind", IDS, 101.0, 102.0, "no wind, only precipitation, temperature"),
        ("temperature", torch.tensor([11, 12]), 101.0, 102.0, "not bound to pixel 12"),
        ("temperature", IDS, 99.0, 102.0, "covers 1970-04-11 to 1970-05-10 and 1970-04-10 to"),
        ("temperature", IDS, 110.0, 130.5, "to 1970-05-11 is asked for"),
        ("temperature", IDS, 110.0, 109.0, "ends before it starts"),
    ],
)
def test_what_is_not_there_is_named(
    element: str, ids: torch.Tensor, start: float, end: float, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        mean_between(weather(), element, ids, start, end)
