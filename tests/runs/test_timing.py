"""Rates and shares by a clock that the test winds."""

from __future__ import annotations

import pytest

from releo_da.runs import timing


class Winding:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


def test_rates_are_medians_of_interleaved_turns_without_the_first_two() -> None:
    clock, order = Winding(), []
    costs = {"a": iter([9.0, 9.0, 1.0, 1.0, 5.0]), "b": iter([0.1, 0.2, 2.0, 3.0, 2.5])}

    def work(name: str) -> None:
        order.append(name)
        clock.forward(next(costs[name]))

    found = timing.rates(
        {"a": (lambda: work("a"), 10), "b": (lambda: work("b"), 5)}, repeats=3, clock=clock
    )
    assert order == ["a", "b"] * 5
    assert found == pytest.approx({"a": 10.0, "b": 2.0})


def test_short_pieces_fill_a_turn() -> None:
    clock, calls = Winding(), []

    def work() -> None:
        calls.append(clock.now)
        clock.forward(0.01)

    found = timing.rates({"a": (work, 3)}, repeats=2, clock=clock)
    assert len(calls) == 1 + 1 + 2 * round(timing.TURN / 0.01)
    assert found["a"] == pytest.approx(300.0)


def test_shares_leave_out_what_is_spent_inside() -> None:
    winding = Winding()
    clock = timing.Clock(winding)

    def physics(x: int) -> int:
        winding.forward(6.0)
        return x + 1

    observe = clock.timed("observe", physics)

    def scheme() -> int:
        winding.forward(1.0)
        return observe(1) + observe(2)

    analyse = clock.timed("analyse", scheme)

    def everything() -> int:
        winding.forward(3.0)
        return analyse()

    assert clock.timed("bookkeeping", everything)() == 5
    assert clock.spent == {"observe": 12.0, "analyse": 1.0, "bookkeeping": 3.0}
    assert clock.shares() == {"observe": 0.75, "analyse": 0.0625, "bookkeeping": 0.1875}


def test_what_fails_is_counted_and_still_fails() -> None:
    winding = Winding()
    clock = timing.Clock(winding)

    def broken() -> None:
        winding.forward(2.0)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        clock.timed("part", broken)()
    assert clock.spent == {"part": 2.0}
