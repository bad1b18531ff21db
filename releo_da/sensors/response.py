r"""Spectral responses on the grid of the canopy model: 400 ... 2500 nm every 1 nm, ``[2101]``.

A response is non-negative and sums to one, so that ``response @ rho`` is the band average of a
spectrum rho. Its centre is the response-weighted mean wavelength, its width the full width at half
maximum. Where an agency gives only these two, the response is taken as Gaussian,

    response(w)  ~  exp(-4 ln 2 ((w - centre) / width)^2),

and as 0 below `TAIL` of its peak. A table at other wavelengths is linear between its points: of a
table in steps of 1 nm or more the values at whole nanometres are taken, of a finer one the averages
over 1 nm, so that no narrow line is lost. What lies outside the grid is cut off; a band of which
more than `OUTSIDE` is cut off is refused, since its average would be another band's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from releo_da.types import InputError

FIRST_NM, LAST_NM = 400, 2500
OUTSIDE = 0.02
"""Largest share of a response that may lie outside the grid."""

TAIL = 1e-5
"""Smallest value of a Gaussian response relative to its peak; tables have five decimals."""

MICROMETRES = 100.0
"""Wavelengths below this are in um, others in nm: no band of either unit is on the other side."""


LEAST_WIDTH = 1.0
"""Smallest width in nm, the step of the grid; a width in um read as nm is below it."""


def grid() -> Tensor:
    """The wavelengths in nm, ``[2101]`` float64."""
    return torch.arange(FIRST_NM, LAST_NM + 1, dtype=torch.float64)


def normalised(response: Tensor) -> Tensor:
    """A response that sums to one; of values of any size, whose sum may be beyond float64."""
    response = response / response.max()
    return response / response.sum()


def gaussian(centre: float, width: float, where: str) -> Tensor:
    """Normalised Gaussian response ``[2101]`` float64.

    Args:
        centre: nm, or um where it is below `MICROMETRES`.
        width: full width at half maximum, in the unit of the centre.
        where: place in the file, for messages.

    Raises:
        InputError: the width is in another unit or below 1 nm, or more than 2 % of the response is
            outside 400-2500 nm.
    """
    if centre < MICROMETRES:
        if width > centre:
            raise InputError(
                f"{where}: a centre of {centre:g} is in um and a width of {width:g} is not; "
                "give both in nm, or both in um"
            )
        centre, width = 1000.0 * centre, 1000.0 * width
    if width < LEAST_WIDTH:
        raise InputError(
            f"{where}: a width of {width:g} nm looks like um; give the full width at half maximum "
            "in the unit of the centre, 1 nm or more"
        )
    scale = 2.0 * math.sqrt(math.log(2.0)) / width
    below = 0.5 * math.erfc(scale * (centre - FIRST_NM))
    above = 0.5 * math.erfc(scale * (LAST_NM - centre))
    _refuse_outside(below + above, where)
    exponent = -(scale * (grid() - centre)).square()
    # Relative to the nearest grid point, since a narrow line may have its peak between two.
    response = (exponent - exponent.max()).exp()
    return normalised(response.where(response >= TAIL, 0.0))


def from_table(
    wavelength: Sequence[float],
    values: Sequence[float],
    where: str,
    place: Callable[[int], str],
) -> Tensor:
    """Normalised response ``[2101]`` float64 of a table.

    Args:
        wavelength: ascending, all in nm or all in um.
        values: the response there, not negative, in any unit.
        where: place of the values in the file, for messages.
        place: place in the file of the wavelength at a position, for messages.

    Raises:
        InputError: the wavelengths do not ascend or mix units, the response is zero, or more than
            2 % of it is outside 400-2500 nm.
    """
    at = _nanometres(wavelength, place)
    if len(at) < 2:
        raise InputError(f"{where}: a table of {len(at)} wavelengths; give two or more")
    response = np.array(values, dtype=np.float64) / (max(values) or 1.0)
    whole = np.trapezoid(response, at)
    if not whole > 0:
        raise InputError(f"{where}: the response is zero; leave the channel out or correct it")
    nodes = grid().numpy()
    inside = np.union1d(at[(at > FIRST_NM) & (at < LAST_NM)], nodes[[0, -1]])
    covered = np.trapezoid(np.interp(inside, at, response, 0.0, 0.0), inside)
    _refuse_outside(1.0 - covered / whole, where)
    if np.diff(at).min() >= 1.0 - 1e-6:
        sampled = np.interp(nodes, at, response, 0.0, 0.0)
    else:
        edges = np.append(nodes - 0.5, nodes[-1] + 0.5)
        points = np.union1d(at, edges)
        between = np.interp(points, at, response, 0.0, 0.0)
        steps = 0.5 * (between[1:] + between[:-1]) * np.diff(points)
        area = np.concatenate([[0.0], np.cumsum(steps)])
        sampled = np.diff(area[np.searchsorted(points, edges)])
    return normalised(torch.from_numpy(sampled))


def _nanometres(wavelength: Sequence[float], place: Callable[[int], str]) -> np.ndarray:
    """Ascending wavelengths in nm, rounded so that 0.427 um is the grid point 427 nm."""
    at = np.array(wavelength, dtype=np.float64)
    small = at < MICROMETRES
    if small.any() and not small.all():
        odd = int(np.flatnonzero(small != small[0])[0])
        raise InputError(
            f"{place(odd)}: {at[odd]:g} and {at[0]:g} cannot both be in "
            f"{'um' if small[0] else 'nm'}; give all wavelengths in nm, or all in um"
        )
    falls = np.flatnonzero(np.diff(at) <= 0)
    if falls.size:
        k = int(falls[0]) + 1
        fault = "appears twice" if at[k] == at[k - 1] else f"comes after {at[k - 1]:g}"
        raise InputError(f"{place(k)}: {at[k]:g} {fault}; let the wavelengths ascend")
    return np.round(at * 1000.0, 6) if small.any() else at


def _refuse_outside(share: float, where: str) -> None:
    """Raise where more than `OUTSIDE` of a response lies outside the grid."""
    if share > OUTSIDE:
        raise InputError(
            f"{where}: {min(share, 1.0):.0%} of the response lies outside {FIRST_NM} to {LAST_NM} "
            "nm, which the canopy model does not cover; leave the channel out"
        )


def centre_of(response: Tensor) -> float:
    """Response-weighted mean wavelength in nm of a normalised response ``[2101]``."""
    return float(response @ grid().to(response))


def width_of(response: Tensor) -> float:
    """Distance in nm of the outermost crossings of half the maximum, linear between samples."""
    half = float(response.max()) / 2
    padded = torch.nn.functional.pad(response, (1, 1))
    above = torch.nonzero(padded >= half).flatten()
    left, right = int(above[0]), int(above[-1])
    inner, outer = padded[left], padded[left - 1]
    rise = float((inner - half) / (inner - outer))
    inner, outer = padded[right], padded[right + 1]
    fall = float((inner - half) / (inner - outer))
    return right - left + rise + fall
