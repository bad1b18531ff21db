r"""Steps that end on the same days of the calendar, whatever dates are asked for.

Between two times lie the days that are multiples of ``step`` since 1970-01-01:

    state.time ---> k step ---> (k + 1) step ---> ... ---> time
                                     \-> another time

Whoever asks for several times from one state has all whole steps in common; what ends at a time
in between goes on from the last of these days with the noise that the whole step has too. So each
time gets what it would have got alone, with the noise that is the same from its beginning. Cost: a
step for each of these days, and one for each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from releo_da.types import Noise

OneStep = Callable[[Tensor, float, float, Tensor], Tensor]
"""``stepped(ensemble, start, end, drawn)``: the ensemble after a step, with its noise."""

NEAR = 1e-9
"""Share of a step by which a time may miss one of these days."""


def steps(start: float, end: float, step: float) -> Iterator[tuple[float, float]]:
    """The parts of an interval between multiples of ``step``, in order."""
    place = start
    number = math.floor(start / step + NEAR) + 1
    while number * step < end - NEAR * step:
        yield place, number * step
        place, number = number * step, number + 1
    yield place, end


def carried(
    ensemble: Tensor,
    start: float,
    times: Sequence[float],
    step: float,
    stepped: OneStep,
    noise: Noise,
) -> list[Tensor]:
    """An ensemble at several later times, whole steps taken once for all of them.

    Args:
        ensemble: ``[pixel, member, latent]`` at the start.
        start: days since 1970-01-01.
        times: in order, none before the start.
        step: longest step (days).
        stepped: one step.
        noise: asked once per step, of the shape of the ensemble.

    Returns:
        For each time, the ensemble there.
    """
    found: list[Tensor] = []
    drawn: Tensor | None = None
    for time in times:
        moved = ensemble
        for first, last in steps(start, time, step) if time > start else ():
            if drawn is None:
                drawn = noise(ensemble.shape)
            moved = stepped(ensemble, first, last, drawn)
            if abs(last - round(last / step) * step) <= NEAR * step:
                ensemble, start, drawn = moved, last, None
        found.append(moved)
    return found
