r"""Local analyses: each group of latents, or each pixel, listens to what is near.

`grouped`     one analysis per group of latents g, with precision c[g, channel] / R: what is far
              from the group is down-weighted, and what is beyond reach is masked (R-localization)
`localized`   the same, with coefficients from places and a radius (`tapers`)
`letkf`       `localized` around the `etkf` with the symmetric square root
`sl_eakf`     the other way: the serial filter (`ensrf`), where the regression of each latent on
              each channel is multiplied by a coefficient (B-localization)
Between pixels there is `releo_da.assimilation.neighbours`.

All local analyses of a pixel are rows of the pixel axis of one call, ``[pixel * group, ...]``: the
scheme inside stays unaware. Of a state that holds earlier ensembles beside it (`enks`), each block
has the places of the first; noise as control has none, and is refused. H is evaluated on whole
states only, so schemes that observe more than once may be localized too; their local results are
put together before H sees them.

Why the symmetric root: the square roots of neighbouring groups have to fit together, and the
symmetric one depends continuously on S whatever the number of channels (`square_root`), at the cost
of eigenvectors of size min(N, C). The triangular factor of the plain `etkf` is as exact within one
group, but turns the members of each group differently.

Cost: the scheme's, times the number of groups.

Reference: Hunt, Kostelich and Szunyogh (2007), Efficient data assimilation for spatiotemporal
chaos: a local ensemble transform Kalman filter, Physica D 230, 112-126; Anderson (2003), Mon. Wea.
Rev. 131, 634-642; Bishop, Whitaker and Lei (2017), Mon. Wea. Rev. 145, 4575-4592 on what the first
kind can not do.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from releo_da.assimilation.background import refuse_appended
from releo_da.assimilation.ensrf import serial_update
from releo_da.assimilation.etkf import etkf
from releo_da.assimilation.screening import remembered
from releo_da.assimilation.tapers import Places, Taper, coefficients, distances, known
from releo_da.types import Analysis, InputError, Noise, Observe, Scheme


def grouped(scheme: Scheme, reach: Tensor, groups: Tensor) -> Scheme:
    """One analysis per group of latents, each with its own tapered precision.

    Every group meets the same draws of ``noise``. ``memory`` is passed through: a scheme that keeps
    one belongs outside of the localization.

    Args:
        scheme: used for every group.
        reach: ``[group, channel]``, coefficients in [0, 1].
        groups: ``[latent]``, the group of each latent.

    Raises:
        InputError: in use: coefficients for another number of channels or latents, or noise as
            control in a window.
    """
    count = reach.shape[0]

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        predicted = observe(prior)
        weights = _fitting(reach, precision)
        own = groups.repeat(_blocks(prior, len(groups), memory))
        local = _repeat(prior, count)

        def local_observe(ensemble: Tensor) -> Tensor:
            return _repeat(observe(_assemble(ensemble, own, count)), count)

        def local_noise(shape: Sequence[int]) -> Tensor:
            return _repeat(noise((shape[0] // count, *shape[1:])), count)

        known = remembered(local_observe, local, _repeat(predicted, count))
        tapered = (precision[:, None] * weights).flatten(0, 1)
        result = scheme(local, known, _repeat(y, count), tapered, local_noise, {})
        used = (result.precision.unflatten(0, (-1, count)) > 0).any(1)
        return Analysis(
            _assemble(result.ensemble, own, count),
            predicted,
            torch.where(used, precision, 0.0),
            memory,
        )

    return analyse


def _fitting(reach: Tensor, precision: Tensor) -> Tensor:
    """Coefficients for the channels of an acquisition; a request has none."""
    channels = precision.shape[-1]
    if channels not in (0, reach.shape[-1]):
        raise InputError(
            f"localization: coefficients for {reach.shape[-1]} channels, but the "
            f"acquisition has {channels}; give the places of its channels"
        )
    return reach[:, :channels].to(precision)


def _blocks(prior: Tensor, latents: int, memory: dict[str, Tensor]) -> int:
    """How many ensembles of ``latents`` lie side by side in a state."""
    refuse_appended(memory, "localization")
    if prior.shape[-1] % latents:
        raise InputError(
            f"localization: places for {latents} latents, but the state has {prior.shape[-1]}; "
            "give the places of its latents"
        )
    return prior.shape[-1] // latents


def _repeat(x: Tensor, count: int) -> Tensor:
    """``[pixel, ...]`` to ``[pixel * group, ...]``, the same for every group."""
    return x[:, None].expand(-1, count, *x.shape[1:]).flatten(0, 1)


def _assemble(ensemble: Tensor, groups: Tensor, count: int) -> Tensor:
    """The state made of each group's own latents, ``[pixel, member, latent]``."""
    apart = ensemble.unflatten(0, (-1, count))
    own = groups.to(ensemble.device)[None, None, None].expand(len(apart), 1, *ensemble.shape[1:])
    return apart.gather(1, own)[:, 0]


def localized(
    scheme: Scheme,
    places: Places | None = None,
    radius: float = 4.0,
    taper: Taper = "gaspari_cohn",
    batch: int = 2,
) -> Scheme:
    """Groups of ``batch`` adjacent latents; a group's distance is the mean of its latents'.

    Latents without neighbours along the axis (`Places.single`) are groups of their own.

    Args:
        scheme: used for every group.
        places: of latents and channels.
        radius: how far observations reach, in the unit of the places (see `tapers`).
        taper: function of the distance.
        batch: latents of a group; more are cheaper and coarser.

    Raises:
        InputError: no places, ``batch`` below 1 or ``radius`` not positive.
    """
    if batch < 1:
        raise InputError(f"localization: batch must be at least 1, got {batch}")
    places = known(places, "localized")
    apart = distances(places.latents, places.channels, places.period)
    adjacent = len(apart) - places.single
    parts = [part.mean(0) for part in apart[:adjacent].split(batch)]
    mean = torch.stack([*parts, *apart[adjacent:]])
    latent = torch.arange(len(apart), device=apart.device)
    groups = torch.where(latent < adjacent, latent // batch, latent - adjacent + len(parts))
    return grouped(scheme, coefficients(mean, radius, taper), groups)


def letkf(
    places: Places | None = None, radius: float = 4.0, taper: Taper = "gaspari_cohn", batch: int = 2
) -> Scheme:
    """Local ensemble transform Kalman filter (Hunt et al. 2007); options of `localized`.

    Raises:
        InputError: no places, ``batch`` below 1 or ``radius`` not positive.
    """
    return localized(partial(etkf, root="symmetric"), places, radius, taper, batch)


def sl_eakf(
    places: Places | None = None, radius: float = 6.0, taper: Taper = "gaspari_cohn"
) -> Scheme:
    """Serial filter with localized regressions (Anderson 2003).

    Args:
        places: of latents and channels.
        radius: how far observations reach, in the unit of the places (see `tapers`).
        taper: function of the distance.

    Raises:
        InputError: no places, or ``radius`` is not positive; in use as `grouped`.
    """
    places = known(places, "sl_eakf")
    everything = torch.cat([places.latents, places.channels])
    reach = coefficients(distances(places.channels, everything, places.period), radius, taper)
    latents = len(places.latents)

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        predicted = observe(prior)
        among = _fitting(reach[:, latents:], precision)[: precision.shape[-1]]
        one = reach[: len(among), :latents].to(among)
        both = torch.cat([one.repeat(1, _blocks(prior, latents, memory)), among], -1)
        ensemble = serial_update(prior, predicted, y, precision, both)
        return Analysis(ensemble, predicted, precision, memory)

    return analyse
