"""What an encoder says of every pixel at the dates of the products, block by block.

    acquisitions --tokens--> encoder --> posterior of the state   mean, spread, quantiles
                                     --> embedding, evidence
    posterior at the dates of acquisitions --observe--> misfit, out of the domain or not

There is no filter and no loop: every date is asked for by itself, from all acquisitions of the
series, earlier and later ones. State variables have exact statistics (quadrature, quantiles of the
coordinates); variables that follow from several have those of draws. The numbers of the draws
belong to the pixel and are those of all dates, so that chance is no change in time, and every
function is given the same number of pixels. So results depend neither on chunks nor on which other
pixels there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from releo_da.diagnostics.scores import Array
from releo_da.io.products import Layer
from releo_da.representation.domain import Domain, misfit
from releo_da.representation.encoder import Encoder, in_blocks, rows_of
from releo_da.representation.posterior import Decode, Posterior
from releo_da.representation.tokens import Bands, tokens_of
from releo_da.runs.compare import QUANTILES
from releo_da.runs.joined import statistics
from releo_da.runs.model import Model, on
from releo_da.runs.timeline import requests
from releo_da.types import Acquisition

EMBEDDING, EVIDENCE, MISFIT, OUTSIDE = "embedding", "evidence", "misfit", "out_of_domain"
"""Names of what is written beside the output variables."""

STAGE = "embed"
"""Of the random numbers of draws."""


@dataclass(frozen=True)
class Embedding:
    """What is asked of every block, the same for all.

    Attributes:
        encoder: with its weights.
        domain: misfits of series held back from training; None where the weights have none.
        error: completes the errors of an acquisition to those that the encoder was trained with.
        bands: wavelengths and widths of the channels of every sensor.
        decode: physical values of the encoder's coordinates.
        model: the joined system, whose operator, error and output variables are used.
        latents: number of latents of its ensembles; the coordinates are the first.
        times: dates of the products (days), ascending.
        window: days from a date within which the misfit of acquisitions counts.
        members: draws per pixel and date.
        seed: of the draws.
    """

    encoder: Encoder
    domain: Domain | None
    error: Callable[[Acquisition], Acquisition]
    bands: Bands
    decode: Decode
    model: Model
    latents: int
    times: tuple[float, ...]
    window: float
    members: int
    seed: int


def layers_of(asked: Embedding) -> dict[str, Layer]:
    """What is written beside the output variables: names, units and meanings."""
    width = asked.encoder.sizes["width"]
    near = f"acquisitions within {asked.window:g} days"
    found = {
        EMBEDDING: Layer(
            {"units": "1", "long_name": "embedding of the series by the encoder"},
            "dimension",
            width,
        ),
        EVIDENCE: Layer(
            {
                "units": "1",
                "long_name": "weight of acquisitions over that of the prior, 0 without any",
                "valid_min": np.float32(0.0),
                "valid_max": np.float32(1.0),
            }
        ),
        MISFIT: Layer(
            {
                "units": "1",
                "long_name": f"largest misfit of {near}, in units of the observation error",
            }
        ),
    }
    if asked.domain is not None:
        share = 100 * asked.domain.levels[-1]
        found[OUTSIDE] = Layer(
            {
                "units": "1",
                "long_name": f"whether the misfit exceeds that of {share:g} % of the series held "
                "back from training",
                "flag_values": np.array([0.0, 1.0], np.float32),
                "flag_meanings": "inside outside",
                "threshold": np.float32(asked.domain.misfits[-1]),
                "comment": "The threshold comes with the weights of the encoder, as the quantile "
                f"{asked.domain.levels[-1]:g} of the misfits of single acquisitions of the series "
                "held back from training.",
            }
        )
    return found


def embedded(
    asked: Embedding, part: Sequence[Acquisition], pixels: Tensor, statics: Tensor
) -> dict[str, Array]:
    """What the encoder says of a block.

    Args:
        asked: what is wanted.
        part: the series at the pixels of the block, on the device of the run.
        pixels: ``[pixel]`` global ids.
        statics: ``[pixel, S]`` (`releo_da.representation.statics`).

    Returns:
        Output variables ``[statistic, time, pixel]`` and layers ``[size, time, pixel]`` by name,
        float32.
    """
    part = [asked.error(a) for a in part]
    tokens = tokens_of(part, asked.bands)
    times = torch.tensor(asked.times, dtype=torch.float64)
    with torch.no_grad():
        said = in_blocks(asked.encoder, tokens, times, statics)
        found = _variables(asked, said.posterior, part, pixels)
        dates = sorted({a.time for a in part})
        then = in_blocks(asked.encoder, tokens, torch.tensor(dates, dtype=torch.float64), statics)
        worst = _worst(asked, then.posterior.mean, dates, part)
    found[EMBEDDING] = said.embedding.permute(2, 1, 0).float().cpu().numpy()
    found[EVIDENCE] = said.evidence.T[None].float().cpu().numpy()
    found[MISFIT] = worst[None].float().cpu().numpy()
    if asked.domain is not None:
        outside = asked.domain.outside(worst).to(worst)
        flags = torch.where(worst.isnan(), worst, outside)
        found[OUTSIDE] = flags[None].float().cpu().numpy()
    return found


def _variables(
    asked: Embedding, posterior: Posterior, part: Sequence[Acquisition], pixels: Tensor
) -> dict[str, Array]:
    """Statistics of the output variables, ``[statistic, time, pixel]``."""
    names = asked.encoder.names
    mean, spread = posterior.moments(asked.decode)
    exact = torch.stack([mean, spread, *posterior.quantiles(QUANTILES, asked.decode)])
    exact = exact.permute(3, 0, 2, 1)  # [variable, statistic, time, pixel]
    drawn: dict[str, list[Array]] = {}
    draws = asked.model.draws(asked.seed, pixels, posterior.mean)
    noise = draws(0.0, STAGE)((len(pixels), asked.members, len(names)))
    noise = noise - noise.mean(1, keepdim=True)
    noise = noise * (asked.members / (asked.members - 1)) ** 0.5
    for k, request in enumerate(requests(asked.times, part)):
        z = Posterior(posterior.mean[:, k], posterior.factor[:, k]).sample(noise)
        ensemble, angles = _whole(z, asked.latents), request.angles
        each = [asked.model.derive(ensemble[r], angles[r]) for r in rows_of(len(pixels), z.device)]
        for name in each[0]:
            values = torch.cat([one[name] for one in each])[: len(pixels)]
            drawn.setdefault(name, []).append(values.float().cpu().numpy())
    found = {name: statistics(np.stack(values)) for name, values in drawn.items()}
    known = {name: exact[k].float().cpu().numpy() for k, name in enumerate(names) if name in found}
    return {**found, **known}


def _worst(
    asked: Embedding, means: Tensor, dates: Sequence[float], part: Sequence[Acquisition]
) -> Tensor:
    """Largest misfit of the acquisitions near each date, ``[time, pixel]``; NaN without any.

    Args:
        asked: what is wanted.
        means: ``[pixel, date, V]``, means of the posterior at the dates of acquisitions.
        dates: these dates.
        part: the acquisitions, their errors complete.
    """
    times = torch.tensor(asked.times, dtype=torch.float64, device=means.device)
    worst = means.new_full((len(asked.times), len(means)), -torch.inf)
    for acquisition in part:
        z = means[:, dates.index(acquisition.time)]
        predicted = _observed(asked, z, acquisition)
        r = torch.where(acquisition.seen.any(-1), misfit(predicted, acquisition), -torch.inf)
        near = (times - acquisition.time).abs() <= asked.window
        worst = torch.where(near[:, None], torch.maximum(worst, r), worst)
    return torch.where(worst.isfinite(), worst, torch.nan)


def _observed(asked: Embedding, z: Tensor, acquisition: Acquisition) -> Tensor:
    """H of coordinates ``[pixel, V]``, ``[pixel, channel]``."""
    ensemble = _whole(z[:, None], asked.latents)
    each = [
        asked.model.observe(ensemble[rows], on(acquisition, z.device, rows))
        for rows in rows_of(len(z), z.device)
    ]
    return torch.cat(each)[: len(z), 0]


def _whole(z: Tensor, latents: int) -> Tensor:
    """Coordinates as an ensemble of the state; velocities, residuals and biases are 0."""
    return torch.nn.functional.pad(z, (0, latents - z.shape[-1]))
