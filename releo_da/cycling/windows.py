r"""The loop in windows: several acquisitions at once, then on by some of them.

A window holds ``lag`` acquisitions and moves on by ``shift``; an acquisition is assimilated once,
when it enters (single data assimilation):

    lag = shift = K    windows end to end, the usual 4D-Var
    shift = 1          the fixed-lag IEnKS: each analysis lies ``lag`` acquisitions back
    lag = shift = 1    the iterative filter (IEnKF), at the time of the acquisition before

A scheme with a window is a `Windowed`; `releo_da.cycling.cycle.cycle` turns in windows where it
finds one, and yields a step per acquisition as ever. In a configuration it is the outermost layer:
``analyse: [{name: ienks}, {name: inflated}, {name: window, lag: 2}]``, so what is inside, inflation
too, acts at the start of each window.

Reference: Bocquet and Sakov (2014), An iterative ensemble Kalman smoother, Q. J. R. Meteorol. Soc.
140, 1521-1535 (lag, shift, single data assimilation).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from torch import Tensor

from releo_da.cycling.draws import Draws
from releo_da.cycling.window import ModelError, analyse_window, carried
from releo_da.types import (
    Acquisition,
    Analysis,
    InputError,
    Noise,
    Observe,
    Scheme,
    State,
    Step,
    System,
)


@dataclass(frozen=True)
class Windowed:
    """A scheme that meets several acquisitions as one.

    Attributes:
        scheme: what analyses a window.
        lag: acquisitions from the start of a window to its end.
        shift: acquisitions that enter with each window, and leave once it is full.
        model_error: see `releo_da.cycling.window`.
    """

    scheme: Scheme
    lag: int = 1
    shift: int = 1
    model_error: ModelError = "none"

    def __call__(
        self,
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        """Refuse to analyse one acquisition by itself.

        Raises:
            InputError: always.
        """
        raise InputError(
            "window: acquisitions are analysed one at a time here, as they arrive; "
            "leave window out of analyse, or use twin or hindcast"
        )


def windowed(
    scheme: Scheme, lag: int = 1, shift: int | None = None, model_error: ModelError = "none"
) -> Windowed:
    """Analyse several acquisitions at once, at the time where their window starts.

    Args:
        scheme: meets a whole window as one observation.
        lag: acquisitions from the start of a window to its end.
        shift: acquisitions that enter with each window; ``lag``, windows end to end, unless given.
        model_error: ``none`` within a window, or ``control``: estimated with the state.

    Raises:
        InputError: not 1 <= shift <= lag, or ``control`` with windows that overlap.
    """
    shift = lag if shift is None else shift
    if not 1 <= shift <= lag:
        raise InputError(f"window: shift must lie in 1..lag, got shift {shift} and lag {lag}")
    if model_error == "control" and shift != lag:
        raise InputError(
            "window: noise as control needs windows end to end; give shift the value of lag, "
            f"{lag}, or model_error: none"
        )
    return Windowed(scheme, lag, shift, model_error)


class Turn(NamedTuple):
    """One window: the analysis at its start, and what it means at the acquisitions.

    Attributes:
        start: the analysed state at the start, smoothed by all acquisitions of the window so far.
        steps: background and analysis at each acquisition that entered, as `cycle` gives them.
    """

    start: State
    steps: list[Step]


def turns(
    state: State, acquisitions: Iterable[Acquisition], system: System, draws: Draws, by: Windowed
) -> Iterator[Turn]:
    """Fold a state over acquisitions in windows, one `Turn` for every ``shift`` of them.

    Args:
        state: at the start of the first window.
        acquisitions: in time order.
        system: forecast and observe are used.
        draws: of all random numbers.
        by: scheme, lag, shift and model error.
    """
    system = system._replace(analyse=by.scheme)
    held: list[Acquisition] = []
    after: list[State] = []
    arriving, latents = iter(acquisitions), state.ensemble.shape[-1]
    while entering := list(islice(arriving, by.shift)):
        if len(held) + len(entering) > by.lag:  # starts where the last that leaves was
            state, held = after[by.shift - 1], held[by.shift :]
        held += entering
        before = carried(state, held, system, lambda t: draws(t, "forecast"))
        only = _entering(held, len(entering))
        found, after = analyse_window(state, only, system, draws, by.model_error)
        state = state._replace(ensemble=found.ensemble[..., :latents], memory=found.memory)
        yield Turn(state, _steps(only, len(entering), before, after, found, system))


def _entering(held: Sequence[Acquisition], number: int) -> list[Acquisition]:
    """A window whose older acquisitions are stops on the way, without channels."""
    older, new = held[: len(held) - number], held[len(held) - number :]
    stops = [a._replace(values=a.values[:, :0], error=a.error[:, :0], sensor="") for a in older]
    return [*stops, *new]


def _steps(
    only: Sequence[Acquisition],
    number: int,
    before: Sequence[State],
    after: Sequence[State],
    found: Analysis,
    system: System,
) -> list[Step]:
    """A `Step` for each acquisition that entered."""
    precision = found.precision.split([a.values.shape[-1] for a in only], -1)
    steps = []
    for k in range(len(only) - number, len(only)):
        predicted = system.observe(before[k].ensemble, only[k])
        steps.append(Step(only[k], before[k], after[k], predicted, precision[k]))
    return steps
