r"""The fixed-lag ensemble Kalman smoother: what an observation says about the cycles before it.

The ensembles of the last ``lag`` cycles are more latents of the state: with X_k the background and
X_{k-1}, .., X_{k-lag} what was analysed before, member by member,

    [X_k, X_{k-1}, .., X_{k-lag}]   ->   analysis of all by the observations at k    [N, (lag+1) L]

where H sees the first block only. Any scheme does that by regression on its members, without a
model run backwards. Then the blocks move on by one. The last has seen ``lag`` more acquisitions
than a filter's analysis; `collected` gathers these from the steps of a run, as
``smooth: {name: enks}`` does.

Wrap what turns members into it, ``enks(rotated(inflated(etkf)))``: a rotation outside would act on
the newest block alone and part it from the others. Inflation and relaxation inside act on the
newest block only (`releo_da.assimilation.inflation.own`), so that a block is inflated once, in its
own cycle, and not ``lag`` times more. `adaptive`, and inflation inside of a localization, do not
know of the blocks: put them outside. Smoothing rests on the sampled correlations in time: errors of
a small ensemble grow with the lag.

The blocks ride in ``memory["lagged"]``, ``[pixel, member, (lag + 1) * latent]``, the newest first,
filled with the first background before there are ``lag`` cycles. Cost per pixel: a scheme's with
(lag + 1) L latents; the factor of C x C does not grow.

Reference: Evensen and van Leeuwen (2000), An ensemble Kalman smoother for nonlinear dynamics, Mon.
Wea. Rev. 128, 1852-1867; Evensen (2003), Ocean Dynamics 53, 343-367, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from releo_da.assimilation.background import refuse_appended
from releo_da.assimilation.inflation import EARLIER
from releo_da.assimilation.smoother import Transition
from releo_da.types import Analysis, InputError, Noise, Observe, Scheme, Step

LAGGED = "lagged"
"""Key of the memory that holds the ensembles of earlier cycles."""


def lagged(memory: dict[str, Tensor], latents: int) -> Tensor:
    """Ensembles of this cycle and those before, newest first, ``[lag + 1, pixel, member, latent]``.

    Raises:
        InputError: the memory has none.
    """
    if LAGGED not in memory:
        raise InputError(
            "enks: no ensembles of earlier cycles were kept; add {name: enks, lag: 4} to analyse "
            "(or smooth with {name: rts})"
        )
    return memory[LAGGED].unflatten(-1, (-1, latents)).movedim(2, 0)


def collected(steps: Iterable[Step], transition: Transition | None = None) -> list[Tensor]:
    """Smoothed ensembles of a run whose scheme was wrapped by `enks`.

    Of each step only the block that is about to leave is kept, so that steps which come one by one
    need no memory for their blocks, however long the lag.

    Args:
        steps: of one run, in time order.
        transition: not used; the members know.

    Returns:
        For each step ``[pixel, member, latent]``, as ``lag`` steps later left it; the last ones as
        the last step did.

    Raises:
        InputError: the scheme was not wrapped.
    """
    smoothed: list[Tensor] = []
    blocks: Sequence[Tensor] = ()
    k = -1
    for k, step in enumerate(steps):
        oldest, latents = blocks[-1:], step.analysis.ensemble.shape[-1]
        blocks = lagged(step.analysis.memory, latents).unbind()
        if k >= len(blocks):
            smoothed += [block.clone() for block in oldest]
    return smoothed + [blocks[k - date].clone() for date in range(len(smoothed), k + 1)]


def enks(scheme: Scheme, lag: int = 4) -> Scheme:
    """Let each analysis also correct the ensembles of the last ``lag`` cycles.

    Args:
        scheme: used on the state with the earlier ensembles beside it.
        lag: number of cycles.

    Raises:
        InputError: ``lag`` is below 1; in use: a window with noise among the latents.
    """
    if lag < 1:
        raise InputError(f"enks: lag must be at least 1 cycle, got {lag}")

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        refuse_appended(memory, "enks")
        latents = prior.shape[-1]
        held = memory.get(LAGGED)
        earlier = prior.repeat(1, 1, lag) if held is None else held[..., : lag * latents]
        both = torch.cat([prior, earlier], -1)

        def newest(ensemble: Tensor) -> Tensor:
            return observe(prior if ensemble is both else ensemble[..., :latents])

        rest = {name: kept for name, kept in memory.items() if name != LAGGED}
        result = scheme(both, newest, y, precision, noise, {**rest, EARLIER: earlier})
        rest = {name: kept for name, kept in result.memory.items() if name != EARLIER}
        kept = {**rest, LAGGED: result.ensemble}
        return result._replace(ensemble=result.ensemble[..., :latents], memory=kept)

    return analyse
