r"""One window: several acquisitions analysed at once, at the time where the window starts.

With M the forecaster from the start t_0 to the acquisitions' times t_1 .. t_K, a window is nothing
but a longer operator with longer observations,

    H_w(x_0) = [H_1(M_1(x_0)), .., H_K(M_K(x_0))]       [pixel, member, sum of channels]

so every scheme serves: `etkf` becomes an asynchronous filter, `ienks` and `variational` the
smoothers that they are made for. The analysis lies at the start; carrying it through the window
gives the analyses at the acquisitions. Model error within the window:

    none      the window's own forecasts have none (strong constraint); the background at its start
              and the final pass through the window have the forecaster's noise as ever
    control   the noise is estimated with the state (weak constraint, `controlled`)

Cost: the scheme's, with forecasts through the window in its operator.

Reference: Hunt et al. (2004), Four-dimensional ensemble Kalman filtering, Tellus A 56, 273-277;
Bocquet and Sakov (2014), Q. J. R. Meteorol. Soc. 140, 1521-1535.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.background import APPENDED
from releo_da.cycling.controlled import Controlled
from releo_da.cycling.draws import Draws
from releo_da.cycling.memory import lent, returned
from releo_da.types import Acquisition, Analysis, Noise, Observe, State, System

ModelError = Literal["none", "control"]
"""What the noise of forecasts within a window is."""


class Window(NamedTuple):
    """A window as a scheme meets it.

    Attributes:
        prior: ``[pixel, member, latent]``, with ``control`` the noise beside the latents.
        observe: to the channels of all acquisitions side by side.
        y: values, ``[pixel, channel]``.
        precision: likewise.
        through: states at the acquisitions of an ensemble at the start.
    """

    prior: Tensor
    observe: Observe
    y: Tensor
    precision: Tensor
    through: Callable[[Tensor], list[State]]


def window(
    state: State,
    acquisitions: Sequence[Acquisition],
    system: System,
    draws: Draws,
    model_error: ModelError = "none",
) -> Window:
    """The acquisitions of a window as one longer observation of the state at its start.

    Args:
        state: background at the start.
        acquisitions: in time order, none before the start.
        system: forecast and observe are used.
        draws: of appended noise (``window``).
        model_error: see the module.
    """
    y = torch.cat([a.values for a in acquisitions], -1)
    precision = torch.cat([a.precision for a in acquisitions], -1)
    if model_error == "control":
        made = Controlled(state, acquisitions, system)
        prior = made.appended(draws(state.time, "window"))
        return Window(prior, made.observe, y, precision, made.through)

    def through(ensemble: Tensor) -> list[State]:
        start = state._replace(ensemble=ensemble)
        return carried(start, acquisitions, system, lambda time: silent(ensemble))

    def observe(ensemble: Tensor) -> Tensor:
        states = through(ensemble)
        seen = [system.observe(s.ensemble, a) for s, a in zip(states, acquisitions, strict=True)]
        return torch.cat(seen, -1)

    return Window(state.ensemble, observe, y, precision, through)


def silent(like: Tensor) -> Noise:
    """Noise that is 0: a model without error."""
    return lambda shape: like.new_zeros(tuple(shape))


def carried(
    state: State,
    acquisitions: Sequence[Acquisition],
    system: System,
    noises: Callable[[float], Noise],
) -> list[State]:
    """The state at each acquisition, forecast from one to the next."""
    states = []
    for a in acquisitions:
        state = system.forecast(state, a.time, noises(a.time))
        states.append(state)
    return states


def analyse_window(
    state: State,
    acquisitions: Sequence[Acquisition],
    system: System,
    draws: Draws,
    model_error: ModelError = "none",
) -> tuple[Analysis, list[State]]:
    """Analysis at the start of a window, and the states it leads to at the acquisitions.

    Args:
        state: background at the start.
        acquisitions: in time order, none before the start.
        system: its scheme meets all acquisitions as one.
        draws: of all random numbers.
        model_error: see the module.

    Returns:
        The analysis, whose ensemble has the appended noise where there is any, and the states.
    """
    made = window(state, acquisitions, system, draws, model_error)
    extra = made.prior[:, 0, state.ensemble.shape[-1] :]
    memory = lent(state.memory, acquisitions)
    if extra.shape[-1]:
        memory = {**memory, APPENDED: extra}
    noise = draws(acquisitions[-1].time, "analysis")
    found = system.analyse(made.prior, made.observe, made.y, made.precision, noise, memory)
    rest = {name: held for name, held in found.memory.items() if name != APPENDED}
    kept = returned(state.memory, rest, acquisitions)
    if model_error == "none":
        after = state._replace(ensemble=found.ensemble)
        states = carried(after, acquisitions, system, lambda t: draws(t, "forecast"))
    else:
        states = made.through(found.ensemble)
    return found._replace(memory=kept), [s._replace(memory=kept) for s in states]
