r"""A pixel whose numbers stop being finite goes on from the last thing that was known of it.

One member at infinity makes the mean and covariance of its pixel NaN, and with them every analysis
that follows. So at each step of the loop, pixel by pixel,

    background not finite    a new draw of the prior at that time, which is then analysed
    analysis not finite      the background that it was made from, as if nothing had been seen

and `Step.recovered` says where that happened: it is counted, logged, and never silent. What a
scheme remembers (`State.memory`) belongs to a pixel and goes back with it; what is not finite even
then is 0, which is how a memory starts.

On an accelerator nothing waits for the answer: the prior is drawn each time, at the cost of a
forecast's noise. Windows (`windows`) are not recovered; their runs count what is not finite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from releo_da.assimilation.linalg import settled
from releo_da.types import Noise, State, Step

Prior = Callable[[float, Tensor, int, Noise], State]
"""``prior(time, pixels, members, noise)``: the ensemble before any observation."""

UNTOUCHED, FROM_BACKGROUND, FROM_PRIOR = range(3)
"""Codes of `Step.recovered`: FROM_BACKGROUND wins where both happened."""


NAMES = {FROM_BACKGROUND: "background", FROM_PRIOR: "prior"}
"""What a pixel went on from, by code."""


def finite(state: State) -> Tensor:
    """True for pixels whose ensemble and memory are finite, ``[pixel]``."""
    parts = (state.ensemble, *state.memory.values())
    # A memory may be as short as one number per pixel.
    return torch.stack([torch.isfinite(x[..., None]).flatten(1).all(1) for x in parts]).all(0)


def renewed(background: State, prior: Prior, noise: Noise) -> tuple[State, Tensor]:
    """A background whose pixels are finite.

    Args:
        background: forecast to the time of an acquisition.
        prior: draws the ensemble before any observation.
        noise: of that draw.

    Returns:
        The background, and which pixels were drawn anew, ``[pixel]`` bool.
    """
    lost = ~finite(background)
    if settled(lost):
        return background, lost
    members = background.ensemble.shape[1]
    fresh = prior(background.time, background.pixels, members, noise)
    return _replaced(background, fresh.ensemble, fresh.memory, lost), lost


def kept(step: Step, drawn: Tensor) -> Step:
    """A step whose analysis is finite where its background is.

    Args:
        step: the analysis of a finite background.
        drawn: the pixels that `renewed` drew, ``[pixel]`` bool.
    """
    lost = ~finite(step.analysis)
    code = torch.where(lost, FROM_BACKGROUND, torch.where(drawn, FROM_PRIOR, UNTOUCHED))
    if settled(lost):
        return step._replace(recovered=code)
    background = step.background
    analysis = _replaced(step.analysis, background.ensemble, background.memory, lost)
    unused = torch.where(lost[:, None], 0.0, step.precision)
    return step._replace(analysis=analysis, precision=unused, recovered=code)


def recoveries(step: Step) -> Counter[str]:
    """How many pixels of a step went on from what, by name."""
    if step.recovered is None:
        return Counter()
    counts = torch.bincount(step.recovered, minlength=3).tolist()
    return Counter({name: counts[code] for code, name in NAMES.items() if counts[code]})


def diverged(steps: Sequence[Step]) -> Tensor:
    """True for pixels that stopped being finite at some step, recovered or not, ``[pixel]``."""
    found = ~finite(steps[-1].analysis)
    for step in steps:
        if step.recovered is not None:
            found = found | (step.recovered != UNTOUCHED)
    return found


def _replaced(state: State, ensemble: Tensor, memory: dict[str, Tensor], lost: Tensor) -> State:
    """A state with another ensemble and memory at some pixels."""

    def chosen(held: Tensor, other: Tensor | None) -> Tensor:
        where = lost.reshape(-1, *[1] * (held.dim() - 1))
        # Of a pixel that never remembered anything else, 0 stands for nothing.
        known = held if other is None or other.shape != held.shape else other.to(held)
        whole = torch.nan_to_num(known, 0.0, 0.0, 0.0)
        return torch.where(where, whole, held)

    found = {name: chosen(held, memory.get(name)) for name, held in state.memory.items()}
    return state._replace(ensemble=chosen(state.ensemble, ensemble), memory=found)
