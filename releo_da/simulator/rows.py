"""Rows of canopies to rows of reflectances, block by block.

    variables and angles [row]  ->  spectra [row, w]  ->  channels [row, channel] = spectra @ R'

The band average is exact: every wavelength at which a channel responds is evaluated, in float64. A
block of rows holds its spectra for a moment only, so memory grows with the result and not with the
spectra: a million rows of thirteen channels take 100 MB. The canopy model cuts a block further, to
what fits a core's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from releo_da.io.names import nearest
from releo_da.observation.derived import DERIVED, quantities
from releo_da.observation.quadrature import band_quadrature
from releo_da.physics.optics import LeafModel, load_optics
from releo_da.physics.prosail import canopy, prosail
from releo_da.physics.soil_spectra import SoilSpectra, published_soil, read_soil
from releo_da.sensors import FIRST_NM, LAST_NM, Sensor, load_sensor
from releo_da.sensors.indices import (
    INDICES,
    Index,
    combine,
    find_index,
    index_names,
    is_index,
    of_channels,
)
from releo_da.simulator.validity import ANGLES, KNOWN, PLAIN, Place, check_result
from releo_da.types import InputError

BLOCK = 2048
"""Rows whose spectra are held at once; a spectrum of float64 takes 17 kB."""

Factor = Literal["sdr", "bhr", "dhr", "hdr"]

FACTORS: dict[Factor, str] = {
    "sdr": "bidirectional reflectance factor",
    "bhr": "bihemispherical reflectance (white-sky albedo)",
    "dhr": "directional-hemispherical reflectance (black-sky albedo)",
    "hdr": "hemispherical-directional reflectance factor",
}
"""Which light comes and which is seen (`releo_da.physics.sail.Canopy`), in words."""

Columns = Mapping[str, NDArray[np.float64]]


class Plan(NamedTuple):
    """What is simulated.

    Attributes:
        sensor: whose channels they are, or None for the spectrum.
        names: columns of the result: channels or wavelengths, then derived variables.
        derived: the derived variables among them.
        leaf: the leaf model.
        soil: the soil spectra.
        factor: the reflectance factor.
        compute: variables and angles, each ``[row]`` or of one value, to ``[row, column]``.
    """

    sensor: Sensor | None
    names: tuple[str, ...]
    derived: tuple[str, ...]
    leaf: LeafModel
    soil: SoilSpectra
    factor: Factor
    compute: Callable[[Mapping[str, Tensor]], Tensor]


def plan(
    sensor: str | None,
    derived: Sequence[str] = (),
    leaf: LeafModel = PLAIN,
    soil: Path | str | None = None,
    factor: Factor = "sdr",
) -> Plan:
    """Prepares a simulation.

    Args:
        sensor: name in the catalogue, or path of a file; None gives the spectrum, 400 ... 2500 nm.
        derived: names of derived variables and of indices; one that is repeated counts once.
        leaf: ``prospect_d``, or ``prospect_5``, which knows no anthocyanins.
        soil: CSV file of soil spectra instead of the published ones
            (`releo_da.physics.soil_spectra.read_soil`).
        factor: of `FACTORS`; channels and indices are of it.

    Raises:
        InputError: an unknown sensor, leaf model, factor or variable, a soil file that is wrong, or
            an index that the channels do not allow.
    """
    if factor not in FACTORS:
        raise InputError(f"simulate: factor '{factor}' is unknown; choose {', '.join(FACTORS)}")
    spectra_of_soil = published_soil() if soil is None else read_soil(soil)
    at = partial(load_optics, dtype=torch.float64, leaf=leaf, soil=spectra_of_soil)
    instrument = None if sensor is None else load_sensor(sensor)
    derived = _once(derived)
    indices = {name: _positions(name, instrument) for name in derived if is_index(name)}
    plain = [name for name in derived if name in DERIVED]
    if instrument is None:
        channels = tuple(str(w) for w in range(FIRST_NM, LAST_NM + 1))
        optics, rule = at(), None
    else:
        channels, rule = instrument.channels, band_quadrature(instrument, tolerance=0)
        optics = at(rule.wavelengths)

    def compute(columns: Mapping[str, Tensor]) -> Tensor:
        columns = {"ant": torch.zeros(1, dtype=torch.float64), **columns}
        tts, tto, psi = (columns[name] for name in ANGLES)
        if factor == "sdr":
            spectra = prosail(columns, tts, tto, psi, optics)
        else:
            spectra = getattr(canopy(columns, tts, tto, psi, optics), factor)
        seen = spectra if rule is None else combine(spectra @ rule.weights.T, rule.parts)
        found = quantities(plain, columns, tts, at)
        for name, index in indices.items():
            found[name] = of_channels(seen, index)
        return torch.cat([seen, *(found[name][:, None] for name in derived)], 1)

    names = (*channels, *derived)
    return Plan(instrument, names, derived, leaf, spectra_of_soil, factor, compute)


@torch.no_grad()
def simulated(
    made: Plan, columns: Columns, rows: int, place: Place
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Results of each block of rows, ``[row, column]``, and where they belong.

    Args:
        made: what is simulated.
        columns: variables and angles, checked, each ``[row]`` or of one value for all rows.
        rows: their number.
        place: begins a message about a row.

    Raises:
        InputError: a row has no finite reflectance.
    """
    for start in range(0, rows, BLOCK):
        part = slice(start, min(start + BLOCK, rows))
        block = {
            name: torch.as_tensor(values if values.size == 1 else values[part]).reshape(-1)
            for name, values in columns.items()
        }
        # One row at least has the length of the block, also where all values are constants.
        block["lai"] = block["lai"].expand(part.stop - start)
        values = made.compute(block).numpy()
        check_result(values, start, place)
        yield part, values


def _once(derived: Sequence[str]) -> tuple[str, ...]:
    """Names of derived variables, each once."""
    if isinstance(derived, str):
        raise InputError(f"simulate: derived is '{derived}'; give a list of names, ['{derived}']")
    for name in derived:
        if name not in DERIVED and not is_index(name):
            fault = "given, not derived" if name in KNOWN else "no derived variable"
            raise InputError(
                f"simulate: '{name}' is {fault}{nearest(name, (*DERIVED, *INDICES))} Choose from "
                f"{', '.join((*DERIVED, *INDICES))}, or nd_HIGH_LOW of two channels"
            )
    return tuple(dict.fromkeys(derived))


def _positions(name: str, sensor: Sensor | None) -> Index:
    """Channels of an index."""
    if sensor is None:
        raise InputError(f"simulate: {name} is formed of channels; name a sensor")
    found = find_index(name, sensor)
    if found is None:
        raise InputError(
            f"simulate: {name} cannot be formed of the channels of {sensor.name}; "
            f"it allows {', '.join(index_names(sensor)) or 'none of the table'}, "
            "and nd_HIGH_LOW of any two"
        )
    return found
