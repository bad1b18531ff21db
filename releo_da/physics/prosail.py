"""PROSAIL: leaf, soil and canopy composed, from named variables to reflectance.

    spectrum = SAIL(PROSPECT(n, cab, car, ant, cbrown, cw, cm), soil(psoil, rsoil),
                    lai, leaf angles, hspot, geometry)

Variables go by name, never by position; leaf angles are `ala` (Campbell) or `lidfa` and `lidfb`
(Verhoef), whichever is named. Inputs are brought to ``[g, m]``, g geometries times m
members under each, so that what depends on geometry alone is worked out once per geometry. They are
cut into blocks for what has no wavelength, and blocks into chunks that fit a core's cache for what
has. Elementwise operations are fastest along a long contiguous axis, so in a chunk the wavelength
stands first when there are few and last when there are many. How a batch is cut does not change a
result by a single bit as long as geometries times members make a multiple of 32 (`LANES`).

Cost on one core: a few microseconds for a spectrum at 40 wavelengths. See `layer` and
`prospect` for the equations and their references.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from releo_da.types import InputError

from .layer import scatter
from .leaf_angles import angle_names
from .optics import Optics
from .prospect import LEAST_DEPTH, Leaf, absorption, pile
from .sail import Canopy, ground, seen
from .soil import soil_names, surface
from .structure import Structure, structure

LEAF = ("n", "cab", "car", "ant", "cbrown", "cw", "cm")
VARIABLES = (*LEAF, "lai", "ala", "hspot", "psoil", "rsoil")
"""The variables of `prosail` with Campbell's leaf angles and no soil moisture."""

CHUNK = 3 << 14
"""Numbers in one temporary tensor of the core on a CPU: 192 KiB of float32, a few fit in L2."""

BLOCK = 1 << 12
"""Spectra whose architecture, which has no wavelength, is worked out at once on a CPU."""

LANES = 32
"""Vectorised loops take this many numbers at once (at most) and finish with scalar functions, which
may round differently. Cuts at multiples of it keep results the same to the last bit."""

Angle = Tensor | float
Scene = tuple[Leaf, Tensor, Structure]


class Batch(NamedTuple):
    """Inputs as ``[g, m]``, geometry as ``[g]``, and the shape they had together."""

    variables: dict[str, Tensor]
    geometry: tuple[Tensor, Tensor, Tensor]
    shape: torch.Size


def variable_names(given: Collection[str]) -> tuple[str, ...]:
    """The variables that `prosail` takes from those given.

    Returns:
        Names in the order of leaf, canopy, soil.

    Raises:
        InputError: a variable is missing, or leaf angles are given in two ways.
    """
    names = (*LEAF, "lai", *angle_names(given), "hspot", *soil_names(given))
    missing = [name for name in names if name not in given]
    if missing:
        raise InputError(f"prosail needs the variables {', '.join(names)}; missing: {missing}")
    return names


def _batch(variables: Mapping[str, Tensor], tts: Angle, tto: Angle, psi: Angle) -> Batch:
    """Brings variables and geometry to their common form."""
    names = variable_names(variables)
    values = [variables[name] for name in names]
    like = values[0]
    angles = [torch.as_tensor(a, dtype=like.dtype, device=like.device) for a in (tts, tto, psi)]
    shape = torch.broadcast_shapes(*(v.shape for v in (*values, *angles)))
    members = all(a.dim() == 0 or a.shape[-1] == 1 for a in angles)
    m = shape[-1] if shape and members else 1
    outer = (*shape[:-1], 1) if shape and members else shape
    g = math.prod(outer)
    return Batch(
        {k: v.expand(shape).reshape(g, m) for k, v in zip(names, values, strict=True)},
        tuple(a.expand(outer).reshape(g) for a in angles),  # type: ignore[arg-type]
        shape,
    )


def _chunk(v: Mapping[str, Tensor], frame: Structure, optics: Optics, axis: int) -> Scene:
    """Leaf, soil and architecture of spectra ``[b]``, with the wavelength on the axis given."""
    n, *contents = (v[name] for name in LEAF)
    scaled, specific = torch.stack(contents) / n, absorption(optics)
    depth = specific.T @ scaled if axis == 0 else scaled.T @ specific
    optics = Optics(*(t.unsqueeze(1 - axis) for t in optics))
    frame = Structure(*(t.unsqueeze(axis) for t in frame))
    soil = surface({name: v[name].unsqueeze(axis) for name in soil_names(v)}, optics)
    leaf = pile(depth + LEAST_DEPTH[n.dtype], n.unsqueeze(axis), optics)
    return leaf, soil, frame


def _pieces(length: int, most: int, unit: int) -> list[slice]:
    """Cuts 0..length into similar multiples of ``unit`` of about ``most``; the last may be less."""
    count = max(1, -(-length // most))
    step = max(unit, -(-length // (count * unit)) * unit)
    return [slice(a, a + step) for a in range(0, max(1, length), step)]


def _join(parts: Iterator[tuple[Tensor, ...]], count: int, axis: int) -> list[Tensor]:
    """Puts each field's pieces together along an axis of the length ``count``.

    Where no gradient is recorded, pieces go straight into their place, so that the memory needed is
    that of the result. A recorded graph holds every piece anyway.
    """
    first = next(parts)
    if first[0].shape[axis] == count:
        return list(first)
    if any(field.requires_grad for field in first):
        return [torch.cat(pieces, axis) for pieces in zip(first, *parts, strict=True)]
    shapes = [[*field.shape] for field in first]
    for shape in shapes:
        shape[axis] = count
    whole = [field.new_empty(shape) for field, shape in zip(first, shapes, strict=True)]
    start = 0
    for part in chain((first,), parts):
        length = part[0].shape[axis]
        for field, piece in zip(whole, part, strict=True):
            field.narrow(axis, start, length).copy_(piece)
        start += length
    return whole


def evaluate(
    finish: Callable[[Leaf, Tensor, Structure], tuple[Tensor, ...]],
    variables: Mapping[str, Tensor],
    angles: tuple[Angle, Angle, Angle],
    optics: Optics,
    weights: Tensor | None = None,
) -> list[Tensor]:
    """Applies a function of leaf, soil and architecture to every chunk and joins the results.

    Args:
        finish: from leaf, soil reflectance and architecture, which broadcast against each other, to
            fields that have both spectra and wavelengths.
        variables: as for `prosail`.
        angles: tts, tto, psi as for `prosail`.
        optics: coefficient tables ``[w]``.
        weights: ``[c, w]``; sums over wavelengths are taken chunk by chunk.

    Returns:
        Each field, ``[..., w]``, or ``[..., c]`` with weights.

    Raises:
        InputError: a variable is missing, or leaf angles are given in two ways.
    """
    batch = _batch(variables, *angles)
    g, m = batch.variables["n"].shape
    wavelengths = optics.wavelength.numel()
    larger = 1 if optics.wavelength.device.type == "cpu" else 1 << 8
    room = max(1, CHUNK * larger // wavelengths)
    axis = 0 if room > wavelengths else 1

    def chunks() -> Iterator[tuple[Tensor, ...]]:
        # Blocks of whole geometries, or of members of one: either way they stay in flat order.
        for rows in _pieces(g, max(1, BLOCK * larger // max(m, 1)), LANES // math.gcd(m, LANES)):
            geometry = [a[rows] for a in batch.geometry]
            for columns in _pieces(m, BLOCK * larger, LANES):
                block = {name: value[rows, columns] for name, value in batch.variables.items()}
                frame = structure(block, *geometry)
                flat = {name: value.reshape(-1) for name, value in block.items()}
                frame = Structure(*(field.reshape(-1) for field in frame))
                for cut in _pieces(flat["n"].numel(), room, LANES):
                    part = {name: value[cut] for name, value in flat.items()}
                    inside = Structure(*(field[cut] for field in frame))
                    fields = finish(*_chunk(part, inside, optics, axis))
                    if weights is not None:
                        fields = tuple(weights @ f if axis == 0 else f @ weights.T for f in fields)
                    yield fields

    last = wavelengths if weights is None else len(weights)
    shape = (last, *batch.shape) if axis == 0 else (*batch.shape, last)
    joined = [field.reshape(shape) for field in _join(chunks(), g * m, 1 - axis)]
    return [field.movedim(0, -1) if axis == 0 else field for field in joined]


def prosail(
    variables: Mapping[str, Tensor],
    tts: Angle,
    tto: Angle,
    psi: Angle,
    optics: Optics,
    weights: Tensor | None = None,
) -> Tensor:
    """Bidirectional reflectance factor of a canopy on soil.

    Args:
        variables: tensors by name, broadcastable to ``[...]``: n (-), cab, car, ant (ug/cm2),
            cbrown (-), cw (cm), cm (g/cm2), lai (m2/m2), ala (degrees) or lidfa and lidfb (-),
            hspot (-), psoil (dry fraction, 0-1), rsoil (-), and soil_moisture (m3 m-3) where the
            soil carries water. Others are ignored.
        tts: sun zenith in degrees, below 90, broadcastable to ``[...]``; angles that do not vary
            along the last axis (``[pixel, 1]`` against ``[pixel, member]``) cost the least.
        tto: view zenith in degrees, below 90.
        psi: relative azimuth in degrees, 0-180.
        optics: coefficient tables ``[w]`` of `load_optics`, of the variables' dtype and device.
        weights: ``[c, w]``, for instance spectral responses: returns weighted sums of spectra
            without ever holding the spectra of more than a chunk.

    Returns:
        Reflectance, ``[..., w]`` (a view whose memory may hold the wavelength first), or
        ``[..., c]`` with weights.

    Raises:
        InputError: a variable is missing, or leaf angles are given in two ways.
    """

    def finish(leaf: Leaf, soil: Tensor, frame: Structure) -> tuple[Tensor]:
        return (seen(scatter(leaf, frame), soil, frame),)

    (sdr,) = evaluate(finish, variables, (tts, tto, psi), optics, weights)
    return sdr


def canopy(
    variables: Mapping[str, Tensor], tts: Angle, tto: Angle, psi: Angle, optics: Optics
) -> Canopy:
    """All reflectance factors, and the light that reaches the soil.

    Takes and raises what `prosail` does.

    Returns:
        `Canopy` with fields ``[..., w]``.
    """

    def finish(leaf: Leaf, soil: Tensor, frame: Structure) -> Canopy:
        return ground(scatter(leaf, frame), soil, frame)

    return Canopy(*evaluate(finish, variables, (tts, tto, psi), optics))
