"""Band quadrature: a channel's band average from the canopy model at a few wavelengths.

A channel sees r_c = sum_w response[c, w] rho[w], 2101 wavelengths 1 nm apart. Canopy spectra are
smooth, so a handful of them is enough:

    r_c ~ sum_k weights[c, k] rho[nodes_k],   weights >= 0,   sum_k weights[c, k] = 1
                [channel, K]        [K]

which makes the observation operator some hundred times cheaper (K is 19 to 22 for the ten land
channels of Sentinel-2 at the default tolerance). Weights that are non-negative and sum to one keep
a flat spectrum and the bounds of reflectance exact. Nodes and weights come from spectra of the
canopy model itself, P [draw, 2101], of both populations of `canopies`. For channel c let
D = P - (P response_c) 1', the deviation of each wavelength from the band average; then 1'w = 1
turns the error into D w and

    min over w of w' G w,   1'w = 1,   G = D'D / draw     has     w = G^-1 1 / (1' G^-1 1),

solved on the chosen nodes only; a node that would get a negative weight is left out. Nodes lie
where the channel responds, so that no channel rests on correlations with another part of the
spectrum. They are chosen by greedy additions, each followed by exchanges of single nodes until
none lowers the error (Fedorov exchange); additions stop when the rms error on spectra that were
not used in the fit is within the tolerance for each population. Narrow channels go first and a wide
one starts with the nodes that lie in it already, since the canopy model is evaluated once at all
nodes: B08 of Sentinel-2A lives on those of B07 and B8A.

The stated error is the larger rms of the two populations; a bright or dry canopy alone may see ten
times as much or more.

Cost: two seconds for the spectra and a tenth for each sensor, once in a process.
Reference: Fedorov (1972), Theory of Optimal Experiments, chapter 3 (the exchange algorithm).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.observation.canopies import RANGES, of_the_prior, spectra, uniform
from releo_da.physics.optics import load_optics
from releo_da.sensors import FIRST_NM, Sensor
from releo_da.sensors.indices import combine
from releo_da.sensors.sensor import Parts
from releo_da.types import InputError

FINEST = 1e-5
"""Smallest tolerance: the canopy model itself is no more exact than this in single precision."""

POPULATIONS = ("ranges", "prior")
FIT_DRAWS, CHECK_DRAWS = 384, 768  # of each population
RIDGE = 1e-9  # relative; neighbouring wavelengths are nearly collinear


class Quadrature(NamedTuple):
    """Nodes shared by the bands of a sensor, and the weights of each band on them.

    Attributes:
        wavelengths: K nodes in nm, ascending.
        weights: ``[band, K]`` float64, non-negative, rows sum to 1.
        parts: per channel its bands, by position; a channel is a band or an index of two.
        error: ``[channel]`` float64, rms difference in reflectance (or index) from the full
            response over spectra that were not used in the fit, of the worse population.
    """

    wavelengths: tuple[int, ...]
    weights: Tensor
    parts: Parts
    error: Tensor


def band_quadrature(
    sensor: Sensor, channels: Sequence[str] | None = None, tolerance: float = 3e-4
) -> Quadrature:
    """The rule with few nodes whose rms error is within `tolerance` in every band.

    Deterministic, and computed once in a process for each combination of arguments.

    Args:
        sensor: whose channels they are.
        channels: names in the order wanted; all channels of the sensor by default.
        tolerance: rms error in reflectance, at least 1e-5; 0 for every wavelength at which a band
            responds, with the response as weights and no error.

    Raises:
        InputError: a channel is unknown, none is given, or the tolerance is too small.
    """
    if tolerance != 0 and not tolerance >= FINEST:
        raise InputError(
            f"quadrature tolerance {tolerance:g} is too small; use {FINEST:g} or more, or 0 for "
            "every wavelength at which a band responds"
        )
    names = sensor.channels if channels is None else tuple(channels)
    if not names:
        raise InputError(f"no channel of sensor {sensor.name} is chosen; name at least one")
    return _rule(sensor, *sensor.behind(names), float(tolerance))


@lru_cache
def drawn(population: str, number: int, seed: int) -> Tensor:
    """Canopy reflectance ``[number, 2101]`` float64 of draws of ``ranges`` or of the ``prior``."""
    generator = torch.Generator().manual_seed(seed)
    inputs = (
        of_the_prior(number, generator)
        if population == "prior"
        else uniform(number, RANGES, generator)
    )
    return spectra(inputs, load_optics(dtype=torch.float64))


@lru_cache
def _rule(sensor: Sensor, rows: tuple[int, ...], parts: Parts, tolerance: float) -> Quadrature:
    """The rule for the bands at `rows` of the sensor's band axis, and for channels of these."""
    response = sensor.response[list(rows)]
    if tolerance == 0:
        weights, error = response, response.new_zeros(len(parts))
    else:
        fit, check = (
            torch.stack([drawn(name, number, seed) for name in POPULATIONS])
            for seed, number in enumerate((FIT_DRAWS, CHECK_DRAWS))
        )
        weights = _fitted(response, fit.flatten(0, 1), check, tolerance)
        seen, exact = (combine(check @ share.T, parts) for share in (weights, response))
        error = (seen - exact).square().mean(1).sqrt().amax(0)
    nodes = weights.any(0).nonzero().flatten()
    return Quadrature(tuple((nodes + FIRST_NM).tolist()), weights[:, nodes], parts, error)


def _fitted(response: Tensor, fit: Tensor, check: Tensor, tolerance: float) -> Tensor:
    """Weights ``[band, 2101]``, zero but at the nodes, of bands taken from narrow to wide."""
    support = response > 0
    chosen = torch.zeros(response.shape[1], dtype=torch.bool)
    weights = torch.zeros_like(response)
    for row in support.sum(1).argsort(stable=True).tolist():
        inside = support[row].nonzero().flatten()
        band = response[row]
        nodes, share = _choose(
            fit[:, inside] - (fit @ band)[:, None],
            check[..., inside] - (check @ band)[..., None],
            chosen[inside].nonzero().flatten(),
            tolerance,
        )
        weights[row, inside[nodes]] = share
        chosen = weights.sum(0) > 0
    return weights


def _choose(fit: Tensor, check: Tensor, taken: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Nodes and weights of one channel: those `taken` already, and as few more as are needed.

    Args:
        fit: ``[draw, wavelength]`` deviations from the band average that weights are fitted to.
        check: the same of other spectra, ``[population, draw, wavelength]``; the tolerance holds
            for each population.
        taken: positions on the wavelength axis that cost nothing.
        tolerance: rms error to reach.

    Returns:
        positions on the wavelength axis ``[node]`` and weights ``[node]``.
    """
    gram = fit.T @ fit / len(fit)
    everywhere = torch.arange(len(gram))[:, None]
    nodes = taken
    while True:
        if len(nodes):
            weights = _weights(gram, nodes[None])[0]
            if (check[..., nodes] @ weights).square().mean(1).sqrt().max() <= tolerance:
                return nodes, weights
        options = torch.cat([nodes.expand(len(gram), -1), everywhere], 1)
        nodes = _exchange(gram, _best(gram, options), len(taken))


def _exchange(gram: Tensor, nodes: Tensor, fixed: int) -> Tensor:
    """Move single nodes, all but the first `fixed`, until no move lowers the error by 0.1 %."""
    error = _error(gram, nodes[None])[0]
    while True:
        for i in range(fixed, len(nodes)):
            options = nodes.repeat(len(gram), 1)
            options[:, i] = torch.arange(len(gram))
            nodes = _best(gram, options)
        previous, error = error, _error(gram, nodes[None])[0]
        if error >= 0.999 * previous:
            return nodes


def _best(gram: Tensor, options: Tensor) -> Tensor:
    """The set of nodes with the least error among ``[option, node]``."""
    return options[_error(gram, options).argmin()]


def _error(gram: Tensor, options: Tensor) -> Tensor:
    """Mean square error ``[option]`` of the best weights on each set of nodes."""
    weights = _weights(gram, options)
    return torch.einsum("oi,oij,oj->o", weights, _block(gram, options), weights)


def _weights(gram: Tensor, options: Tensor) -> Tensor:
    """Non-negative weights ``[option, node]`` that sum to one, for each set of nodes.

    Solves on all nodes of a set and drops the most negative one until none is left.
    """
    eye = torch.eye(options.shape[1], dtype=gram.dtype)
    # The constant keeps a channel of one wavelength, whose deviations are all 0, solvable.
    ridge = RIDGE * gram.diagonal().mean() + 1e-30
    blocks = _block(gram, options) + ridge * eye
    kept = torch.ones(options.shape, dtype=torch.bool)
    while True:
        system = torch.where(kept[:, :, None] & kept[:, None, :], blocks, eye)
        weights = torch.linalg.solve(system, kept.to(gram.dtype))
        weights = weights / weights.sum(1, keepdim=True)
        negative = (weights < 0).any(1)
        if not negative.any():
            return weights
        kept[negative, weights.argmin(1)[negative]] = False


def _block(gram: Tensor, options: Tensor) -> Tensor:
    """Rows and columns of each set of nodes, ``[option, node, node]``."""
    return gram[options[:, :, None], options[:, None, :]]
