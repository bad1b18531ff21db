r"""One analysis per pixel that also sees what the pixels near it saw.

The channels of the nearest pixels stand beside a pixel's own, with precision c / R for a
coefficient c of their distance (R-localization, as in `localization`):

    y* = [y_0, y_1, .., y_k],    1/R* = [1/R_0, c_1/R_1, .., c_k/R_k]      [pixel, (k+1) C]

Member i of all pixels is taken for one field, so what a neighbour's value says here is the sampled
covariance of the two pixels. Pixels of a call mix with those of their own ``memory["block"]``, and
with no other: a run gives the blocks of 256 ids that its random numbers come in, so that results
depend neither on how many blocks run together nor on what lies beyond.

Cost: the scheme's with (k+1) C channels. H is evaluated once per pixel and its values are gathered;
distances of all pairs of a call, P^2 numbers, are found at each use.

Reference: Hunt, Kostelich and Szunyogh (2007), Efficient data assimilation for spatiotemporal
chaos: a local ensemble transform Kalman filter, Physica D 230, 112-126.
"""

from __future__ import annotations

import torch
from torch import Tensor

from releo_da.assimilation.screening import remembered
from releo_da.assimilation.tapers import Taper, coefficients, distances
from releo_da.types import PER_SENSOR, Analysis, InputError, Noise, Observe, Scheme

PLACE, BLOCK = "place", "block"
"""Keys of the memory: ``[pixel, dimension]`` and ``[pixel]``; one block where there is no such."""


def neighbours(
    scheme: Scheme, radius: float, most: int = 9, taper: Taper = "gaspari_cohn"
) -> Scheme:
    """Let every pixel also see what the pixels near it saw, with tapered precision.

    Pixels are found by ``memory["place"]``, ``[pixel, dimension]``, among those of the call that
    have the same ``memory["block"]``: in a run, the block of 256 ids. A neighbour informs through
    the spatial correlation of the ensemble: member i of all pixels must be one field, as with
    ``forecast: {correlated: {length: ...}}``. Errors of neighbours count as independent.
    Prefer a scheme that does not depend on the order of channels (``root: symmetric``).

    Args:
        scheme: used for every pixel with the channels of its neighbours side by side.
        radius: how far observations reach (see `tapers`), in metres where a coordinate system is
            known, else in the unit of the places: rows and columns of a grid without one.
        most: pixels that one pixel listens to, itself included.
        taper: function of the distance.

    Raises:
        InputError: ``most`` is below 1 or ``radius`` not positive; in use: no places, or a scheme
            inside that learns of the channels of a sensor (`tuned`).
    """
    if most < 1:
        raise InputError(f"neighbours: most must be at least 1 (the pixel itself), got {most}")
    coefficients(torch.zeros(1), radius, taper)  # refuses a radius that is none

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        if PLACE not in memory:
            raise InputError(
                "neighbours: the state does not say where its pixels lie (memory 'place'), and "
                "inside of a localization none does; use a source with coordinates, or leave "
                "'neighbours' out"
            )
        near, found = nearest_pixels(memory[PLACE], radius, most, taper, memory.get(BLOCK))
        weights = found.to(y)
        channels, predicted = y.shape[-1], observe(prior)

        def gathered(seen: Tensor) -> Tensor:
            return seen[near].movedim(1, 2).flatten(2)  # [pixel, member, neighbour * channel]

        known = remembered(lambda x: gathered(observe(x)), prior, gathered(predicted))
        tapered = (precision[near] * weights[..., None]).flatten(1)
        own = {name: held for name, held in memory.items() if name.endswith(PER_SENSOR)}
        rest = {name: held for name, held in memory.items() if name not in own}
        result = scheme(prior, known, y[near].flatten(1), tapered, noise, rest)
        refuse_learning(result.memory)
        used = torch.where(result.precision[:, :channels] > 0, precision, 0.0)
        return Analysis(result.ensemble, predicted, used, {**result.memory, **own})

    return analyse


def refuse_learning(memory: dict[str, Tensor]) -> None:
    """Refuse what a scheme has learned of channels that are partly those of other pixels.

    Raises:
        InputError: the memory has a part of the sensor.
    """
    if any(name.endswith(PER_SENSOR) for name in memory):
        raise InputError(
            "neighbours: 'tuned' inside would learn of channels of other pixels; write it outside, "
            "after 'neighbours'"
        )


def nearest_pixels(
    place: Tensor,
    radius: float,
    most: int,
    taper: Taper = "gaspari_cohn",
    block: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The nearest pixels of each pixel, itself first, and their coefficients.

    Args:
        place: ``[pixel, dimension]``.
        radius: see `tapers`.
        most: largest number of neighbours, the pixel included.
        taper: function of the distance.
        block: ``[pixel]``, pixels of another one are out of reach; all are of one unless given.

    Returns:
        Positions and coefficients, ``[pixel, most]`` each; coefficient 0 is out of reach. Equal
        distances keep the order of the pixels; with fewer pixels than ``most`` the last repeats.
    """
    apart = distances(place, place)
    if block is not None:
        apart = apart.masked_fill(block[:, None] != block, torch.inf)
    apart.fill_diagonal_(-1.0)  # itself first, also among pixels of one place
    order = apart.argsort(dim=-1, stable=True)[:, :most]
    found = coefficients(apart.gather(1, order).clamp(min=0.0), radius, taper)
    missing = most - order.shape[1]
    order = torch.cat([order, order[:, -1:].expand(-1, missing)], 1)
    return order, torch.cat([found, found.new_zeros(len(found), missing)], 1)
