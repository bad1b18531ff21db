"""The section ``source.twin`` of satellites over a landscape: a truth, and what looks at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from releo_da.config.document import Document
from releo_da.config.forecasters import FORECASTERS
from releo_da.config.natures import NATURES
from releo_da.config.registry import made, placed
from releo_da.config.sections import as_date, days
from releo_da.config.sensor_paths import with_paths
from releo_da.config.twin_errors import clouds
from releo_da.config.twin_errors import instrument as instrument_errors
from releo_da.config.twin_satellites import Satellite, satellite
from releo_da.nature.clouds import Clouds
from releo_da.nature.instrument import Instrument
from releo_da.state.bias import bias_name
from releo_da.types import InputError

Said = TypeVar("Said")

PERFECT = {"calibration": 0.0, "spectral": 0.0, "atmosphere": 0.0, "haze": 0.0}
"""An instrument with the catalogue's noise and no other error."""

SATELLITES = ({"sensor": "sentinel2a"}, {"sensor": "sentinel2b"})
"""What looks at the truth unless it is told."""

LANDSCAPE, POINTS = (48, 48), 256
"""Pixels of a land, and of a truth that is drawn from a forecaster, unless they are told."""


@dataclass(frozen=True)
class Twin:
    """What a twin experiment simulates."""

    satellites: tuple[Satellite, ...]
    shape: tuple[int, ...]
    place: tuple[float, float]
    clouds: Clouds | None
    independent: float
    instrument: Instrument | None
    seed: int | None
    truth: Mapping[str, Any] | str | None
    nature: Mapping[str, Any] | str | None
    spacing: float


def twin_source(
    satellites: Sequence[dict[str, Any]] = SATELLITES,
    pixels: int | Sequence[int] | None = None,
    place: Sequence[float] = (1.4, 43.6),
    cloud: float | dict[str, Any] | None = None,
    instrument: dict[str, Any] | None = None,
    seed: int | None = None,
    truth: dict[str, Any] | str | None = None,
    nature: dict[str, Any] | str | None = None,
    spacing: float = 10.0,
) -> Twin:
    """A truth and the satellites that look at it.

    Args:
        satellites: list of ``{sensor: .., channels: [..], bias: {..}, orbit: .., days_later: ..}``,
            or with passes at fixed intervals ``{sensor: .., first: .., every_days: .., hour: ..,
            view_zenith: .., view_azimuth: ..}``; Sentinel-2A and 2B unless given.
        pixels: number of points, or ``[rows, columns]`` of a grid; ``[48, 48]`` of a land, else 256
            points, unless given.
        place: longitude and latitude (degrees), for the sun and the passes.
        cloud: clouds that cluster in time and space, ``{cover: .., undetected: .., edges: ..,
            days: .., lengths: ..}``; or a number, the probability that a pixel is hidden from a
            pass whatever its neighbours are. By default clouds over a land, else 0.5.
        instrument: errors that no run knows of, ``{noise: .., calibration: .., spectral: ..,
            atmosphere: .., haze: ..}``. By default those of its function over a land; without a
            land there are none, and the noise is that of the run's own R.
        seed: of truth, clouds and noise; one more than the run's unless given.
        truth: a forecaster that the truth is a draw of; the one of the run unless given.
        nature: a land that is true: ``wofost``, ``aquacrop`` or ``phenology`` with its options.
        spacing: metres between the pixels of a grid. Points of a land lie in a row, 100 times that
            apart; others at random, one on each square of that side on average.
    """
    if not 0.0 < spacing < float("inf"):
        raise InputError(f"spacing is {spacing}; give a positive number of metres")
    if not satellites:
        raise InputError("satellites: the list is empty; give at least one satellite")
    if nature is not None and truth is not None:
        raise InputError("nature and truth both say what is true; remove one")
    if pixels is None:
        pixels = LANDSCAPE if nature is not None else POINTS
    shape = (pixels,) if isinstance(pixels, int) else tuple(pixels)
    if len(shape) not in (1, 2) or min(shape) < 1:
        raise InputError(f"pixels is {pixels}; give a number of points, or [rows, columns]")
    if len(place) != 2 or not (abs(place[0]) <= 180.0 and abs(place[1]) <= 90.0):
        raise InputError(
            f"place is {list(place)}; give [longitude, latitude] in degrees, longitude from -180 "
            "to 180 and latitude from -90 to 90"
        )
    if seed is not None and seed < 0:
        raise InputError(f"seed is {seed}; give 0 or a positive number")
    bound = tuple(
        made(satellite, entry, f"source.twin.satellites[{k}]") for k, entry in enumerate(satellites)
    )
    sky, probability = _sky(cloud, nature is not None)
    errors = _errors(instrument, nature is not None, sky is not None)
    where = (place[0], place[1])
    return Twin(bound, shape, where, sky, probability, errors, seed, truth, nature, spacing)


def _sky(cloud: float | dict[str, Any] | None, land: bool) -> tuple[Clouds | None, float]:
    """Clouds, or none and the probability of independent ones."""
    if isinstance(cloud, Mapping) or (cloud is None and land):
        sky: Clouds = made(clouds, cloud or {}, "source.twin.cloud")
        return sky, 0.0
    probability = 0.5 if cloud is None else cloud
    if not 0.0 <= probability < 1.0:
        raise InputError(f"cloud is {cloud}; give a probability from 0 to below 1")
    return None, probability


def _errors(told: dict[str, Any] | None, land: bool, clouded: bool) -> Instrument | None:
    """What instruments do wrong; None for the noise of the run's own R."""
    if told is None and not land and not clouded:
        return None
    given = PERFECT if told is None and not land else told or {}
    errors: Instrument = made(instrument_errors, given, "source.twin.instrument")
    return errors


def is_twin(document: Document) -> bool:
    """Whether acquisitions are simulated."""
    source = document.values.get("source")
    return isinstance(source, Mapping) and "twin" in source


def source_of(document: Document) -> Twin:
    """The section ``source.twin``, checked.

    Raises:
        InputError: there is none, or it is wrong.
    """
    source = document.require("source")
    if not isinstance(source, Mapping) or set(source) != {"twin"}:
        raise InputError(
            f"{document.path}: source: a twin experiment needs {{twin: ...}} and nothing else; "
            "use `releo-da hindcast` for files"
        )
    options = source["twin"]
    if isinstance(options, Mapping) and options.get("truth") is not None:
        FORECASTERS.find(options["truth"], "source.twin.truth")
    if isinstance(options, Mapping) and options.get("nature") is not None:
        NATURES.find(options["nature"], "source.twin.nature")
    if isinstance(options, Mapping) and isinstance(options.get("satellites"), list):
        satellites = options["satellites"]
        named = [with_paths(document, s) if isinstance(s, Mapping) else s for s in satellites]
        options = {**options, "satellites": named}
    found: Twin = placed(lambda: made(twin_source, options, "source.twin"), str(document.path))
    return found


def period_of(document: Document) -> tuple[float, float]:
    """Start and end of the period (days since 1970-01-01).

    Raises:
        InputError: the configuration has no period.
    """
    first, last = document.require("period")
    return days(as_date(first, "period")), days(as_date(last, "period"), end=True)


def channels_of(made: Twin) -> dict[str, tuple[str, ...]]:
    """For each sensor, its channels.

    Raises:
        InputError: two satellites share a sensor but not its channels.
    """
    return _of_sensors((s.sensor, s.channels) for s in made.satellites)


def offsets(made: Twin) -> dict[str, tuple[float, ...]]:
    """For each sensor whose truth has a bias, that of each channel.

    Raises:
        InputError: two satellites share a sensor but not its bias.
    """
    found = _of_sensors(((s.sensor, s.bias) for s in made.satellites), "bias")
    return {sensor: values for sensor, values in found.items() if any(values)}


def true_biases(made: Twin) -> dict[str, float]:
    """The biases of the truth, by the names of bias latents (`releo_da.state.bias`)."""
    return {
        bias_name(sensor, channel): value
        for sensor, values in offsets(made).items()
        for channel, value in zip(channels_of(made)[sensor], values, strict=True)
    }


def _of_sensors(
    told: Iterable[tuple[str, tuple[Said, ...]]], what: str = "channels"
) -> dict[str, tuple[Said, ...]]:
    """What the satellites say of their sensors, where those of one sensor say the same."""
    found: dict[str, tuple[Said, ...]] = {}
    for sensor, said in told:
        if found.setdefault(sensor, said) != said:
            raise InputError(
                f"source.twin.satellites: {sensor} comes with other {what} in another entry; "
                "give the same to both"
            )
    return found
