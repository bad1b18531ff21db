"""The forecasters of land surfaces, by name."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from releo_da.config.document import Document
from releo_da.config.registry import Registry
from releo_da.dynamics.hybrid import Hybrid
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.state.layout import RESIDUAL, Layout
from releo_da.types import InputError, Weather

WEATHER = "weather"
"""A forecaster with an argument of this name is given the weather of the run."""


def mean_reverting(
    layout: Layout,
    kernel: Literal["matern32", "ou", "matern32+ou"] = "matern32",
    harmonics: int = 2,
    days: float = 20.0,
    residual_days: float = 150.0,
    residual_sd: float = 0.015,
    own: Sequence[str] = (),
    own_harmonics: int = 2,
    own_years: float = 30.0,
) -> MeanReverting:
    """A seasonal mean, a process about it, slow residuals.

    Args:
        layout: the latent axis.
        kernel: ``matern32`` (position and velocity), ``ou`` (first order), or their sum.
        harmonics: of the seasonal mean.
        days: e-folding time of the variables where no fitted weights give it.
        residual_days: e-folding time of the residuals, likewise.
        residual_sd: deviation of the residuals (reflectance), likewise.
        own: variables of which each place has a season of its own, learned there year by year;
            ``residual`` stands for the residuals of all channels.
        own_harmonics: of that season, 0 for a level only.
        own_years: how long it is remembered, e-folding time in years.

    Raises:
        InputError: ``own`` names what is not estimated, or a number is out of range.
    """
    known = (*layout.names, RESIDUAL)
    for name in own:
        if name not in known:
            raise InputError(
                f"forecast.own: {name!r} is not estimated; choose from {', '.join(known)}"
            )
    if own_harmonics < 0 or not own_years > 0:
        raise InputError(
            f"forecast: own_harmonics is {own_harmonics} and own_years {own_years}; give 0 or more "
            "harmonics, and a positive number of years"
        )
    chosen = tuple(name for name in dict.fromkeys(own) if name != RESIDUAL)
    shaped = replace(
        layout,
        velocities=kernel != "ou",
        rough=kernel == "matern32+ou",
        own=chosen,
        own_harmonics=own_harmonics if own else 0,
        own_residual=RESIDUAL in own,
    )
    return MeanReverting(shaped, harmonics, days, residual_days, residual_sd, own_years)


def hybrid(
    layout: Layout,
    weather: Weather | None = None,
    strength: float = 1.0,
    kernel: Literal["matern32", "ou", "matern32+ou"] = "matern32",
    harmonics: int = 2,
    days: float = 20.0,
    residual_days: float = 150.0,
    residual_sd: float = 0.015,
    own: Sequence[str] = (),
    own_harmonics: int = 2,
    own_years: float = 30.0,
) -> Hybrid:
    """That of `mean_reverting`, moved by growth, senescence and soil water in unusual weather.

    Args:
        layout: the latent axis.
        weather: of the run; without it the season alone.
        strength: factor of all effects of weather; 0 switches them off.
        kernel: as of ``mean_reverting``, and so all that follow.
        harmonics: of the seasonal mean.
        days: e-folding time of the variables.
        residual_days: e-folding time of the residuals.
        residual_sd: deviation of the residuals (reflectance).
        own: variables of which each place has a season of its own.
        own_harmonics: of that season.
        own_years: how long it is remembered.

    Raises:
        InputError: as of ``mean_reverting``; the strength is negative; or the weather has no
            temperature or is too short.
    """
    if not strength >= 0.0:
        raise InputError(f"strength is {strength}; give 0 for no effect of weather, or more")
    season = mean_reverting(
        layout, kernel, harmonics, days, residual_days, residual_sd, own, own_harmonics, own_years
    )
    return Hybrid(season, weather, strength)


FORECASTERS = Registry(
    "forecaster",
    {"mean_reverting": mean_reverting, "hybrid": hybrid},
    supplied=("layout", WEATHER),
)


def forecaster_entry(document: Document) -> object:
    """The configuration entry of the forecaster without what is not its own."""
    spec = document.values.get("forecast", "mean_reverting")
    if not isinstance(spec, dict):
        return spec
    return {key: value for key, value in spec.items() if key not in ("weights", "correlated")}


def uses_weather(document: Document, registry: Registry = FORECASTERS) -> bool:
    """Whether the forecaster of a configuration has an argument for weather.

    Raises:
        InputError: it is unknown.
    """
    function, _ = registry.find(forecaster_entry(document), "forecast")
    return WEATHER in inspect.signature(function).parameters
