"""The loop: twin experiments, hindcasts and operational runs all turn it.

    for each acquisition:   background = forecast(state)         p(x_t | y_1..t-1)
                            analysis   = analyse(background)     p(x_t | y_1..t)

Everything inside is a tensor ``[pixel, member, ...]`` on one device. The loop yields a `Step` per
acquisition and keeps nothing: what is stored, scored or drawn is the reader's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import torch

from releo_da.cycling.draws import Draws
from releo_da.cycling.memory import lent, returned
from releo_da.cycling.recovery import Prior, kept, renewed
from releo_da.cycling.windows import Windowed, turns
from releo_da.types import Acquisition, InputError, Noise, State, Step, System


def assimilate(background: State, acquisition: Acquisition, system: System, noise: Noise) -> Step:
    """Update a background state with one acquisition taken at the same time.

    Raises:
        InputError: see `check`.
    """
    check(acquisition)
    observe = partial(system.observe, acquisition=acquisition)
    analysis = system.analyse(
        background.ensemble,
        observe,
        acquisition.values,
        acquisition.precision,
        noise,
        lent(background.memory, [acquisition]),
    )
    memory = returned(background.memory, analysis.memory, [acquisition])
    state = background._replace(ensemble=analysis.ensemble, memory=memory)
    return Step(acquisition, background, state, analysis.predicted, analysis.precision)


def check(acquisition: Acquisition) -> None:
    """Refuse values and errors that would put NaN into a state, where asking does not wait.

    On an accelerator the host would have to wait for the answer; readers look there before.

    Raises:
        InputError: a value is not finite, or an error is not positive.
    """
    if acquisition.error.device.type != "cpu":
        return
    for name, wrong in {
        "value": ~torch.isfinite(acquisition.values),
        "error": ~(acquisition.error > 0),
    }.items():
        if bool(wrong.any()):
            row, channel = wrong.nonzero()[0].tolist()
            held = acquisition.values if name == "value" else acquisition.error
            raise InputError(
                f"{acquisition.product or acquisition.sensor}, day {acquisition.time:g}: the "
                f"{name} of channel {channel} in row {row} is {float(held[row, channel])}; give "
                "finite values and positive errors, infinite for what was not seen"
            )


def _checked(acquisition: Acquisition) -> Acquisition:
    check(acquisition)
    return acquisition


def cycle(
    state: State,
    acquisitions: Iterable[Acquisition],
    system: System,
    draws: Draws,
    prior: Prior | None = None,
) -> Iterator[Step]:
    """Fold a state over acquisitions in time order, one `Step` per acquisition.

    A scheme with a window (`releo_da.cycling.windows`) takes several at once.

    Args:
        state: at or before the first acquisition.
        acquisitions: in time order.
        system: forecast, observe and analyse.
        draws: of all random numbers.
        prior: with it no pixel stays without finite numbers (`releo_da.cycling.recovery`); without
            it such a pixel remains as it is, to be counted.
    """
    if isinstance(system.analyse, Windowed):
        checked = map(_checked, acquisitions)
        for turn in turns(state, checked, system, draws, system.analyse):
            yield from turn.steps
        return
    for acquisition in acquisitions:
        background = system.forecast(state, acquisition.time, draws(acquisition.time, "forecast"))
        if prior is None:
            drawn = None
        else:
            background, drawn = renewed(background, prior, draws(acquisition.time, "recovery"))
        step = assimilate(background, acquisition, system, draws(acquisition.time, "analysis"))
        if drawn is not None:
            step = kept(step, drawn)
        yield step
        state = step.analysis
