"""`releo-da forecast`: from the files of a run to `forecast.nc`, `climatology.nc` and the figures.

The dynamics know a season, a rate of return to it and noise, and nothing of what people do: after
harvest a forecast greens up because the season does. So the files say what they assume, and the
climatology that the forecast returns to is written and drawn beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import xarray as xr

from releo_da.config.assemble import Assembly, assemble
from releo_da.config.auxiliary import UNDRIVEN
from releo_da.config.copies import check_table, copied, unwanted
from releo_da.config.cycle_settings import other_latents
from releo_da.config.document import Document, load
from releo_da.config.driven import WEATHER_FILE
from releo_da.config.finished import last_line, parsed
from releo_da.config.forecasters import uses_weather
from releo_da.config.hindcast import SEED
from releo_da.config.options import Options
from releo_da.config.report import CLIMATOLOGY, FORECAST, SCENARIO, report
from releo_da.config.scenario import (
    OPTION,
    covered_until,
    scenario_weather,
    weather_digest,
)
from releo_da.config.sections import days, products, section
from releo_da.config.sensor_paths import kept_sensor
from releo_da.config.weight_paths import weights_at
from releo_da.io import JsonLines
from releo_da.io.exports import remove
from releo_da.io.lock import locked
from releo_da.io.own_folder import own_folder
from releo_da.io.state_rows import StateHead
from releo_da.io.times import isoformat
from releo_da.io.weather_file import kept_weather
from releo_da.runs.forecast import Found, climatology, dates, forecast
from releo_da.runs.held_state import held_state
from releo_da.runs.outputs import writing_outputs
from releo_da.runs.turn import LAST_SEEN, since_seen
from releo_da.types import InputError, Weather

ASSUMED = (
    "No observation is used after the first date. Every variable returns to its {season} season, "
    "the climatology, at its {season} rate. Sowing, harvest, mowing and the weather to come are "
    "not known: a field that was harvested greens up again where the season does."
)
"""What a forecast of the mean-reverting dynamics takes for granted."""

CHANNELS = b'{"kind": "channels"'
"""How the record of a log begins that names the channels of each sensor."""

PLAIN = "forecast of land-surface variables from the last state of a run"
USUAL = "what the forecaster expects without any observation"

UNDER = " Weather: {weather}; in what it has unusual, variables depart from there."
"""What is added where the forecaster is moved by weather."""


def channels_of(root: Path) -> dict[str, tuple[str, ...]]:
    """For each sensor of a run, the channels of its acquisitions, from its log.

    Raises:
        InputError: the log does not say.
    """
    path = root / "log.jsonl"
    line = last_line(path, CHANNELS) if path.is_file() else None
    found = None if line is None else parsed(path, line.decode(errors="replace")).get("channels")
    if not isinstance(found, dict):
        raise InputError(f"{root}: its log names no channels; make the run again")
    return {kept_sensor(root, sensor): tuple(names) for sensor, names in found.items()}


def file_of(scenario: Path | None) -> str:
    """Name of the file that a forecast is written to, that of a scenario by its weather's name."""
    if scenario is None:
        return FORECAST
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", scenario.stem).strip("-")
    return f"{SCENARIO}{name or 'weather'}.nc"


def weather_for(
    document: Document,
    root: Path,
    scenario: Path | None,
    pixels: xr.Dataset,
    start: float,
    last: float,
) -> tuple[Weather | None, str]:
    """The weather of a forecast, that of the run or of a scenario, and what it is in words.

    Args:
        document: the configuration of the run.
        root: the run directory.
        scenario: file of weather after the day of the state, or None.
        pixels: the pixel axis.
        start: time of the state (days).
        last: last day of the forecast (days).

    Raises:
        InputError: a scenario is asked for and the forecaster uses no weather, or the run has none,
            or as `releo_da.config.scenario.scenario_weather`.
    """
    used = uses_weather(document)
    if scenario is not None and not used:
        raise InputError(
            f"{OPTION} {scenario}: the forecaster of {root} uses no weather; make the run with "
            "forecast: {name: hybrid}, or leave the option out"
        )
    if not used:
        return None, ""
    path = root / WEATHER_FILE
    if not path.is_file():
        if scenario is None:
            return None, "none is known, so it is the season's"
        raise InputError(
            f"{OPTION} {scenario}: {root} has no weather of its own, so that nothing says what is "
            "unusual; name weather in its source ('auxiliary') and make the run again"
        )
    record = kept_weather(path)
    if scenario is None:
        return record, f"that of the run to {covered_until(record)}, the season's after it"
    made = scenario_weather(document, scenario, record, pixels, start, last)
    return made, f"of {scenario.name} after {isoformat(start)[:10]}"


def command(root: Path, until: date, options: Options, scenario: Path | None = None) -> Path:
    """Forecast from a run's last state; returns the path of the report.

    Args:
        root: the run directory.
        until: last day.
        options: of the command.
        scenario: file of weather after the day of the state; the forecast is then written beside
            the plain one, and nothing of the run's own is.

    Raises:
        InputError: there is no finished run, it stands after the last day, or as `weather_for`.
    """
    if options.out is not None:
        raise InputError("--out: a forecast is written into the directory of its run; leave it out")
    found = write_forecast(root, until, options, scenario)
    tell(root, found, until)
    try:
        with locked(root):
            return report(root)
    except BlockingIOError:
        return root / "report.html"  # a service is at work and draws the forecast with its next


def check_latents(root: Path, assembly: Assembly, options: Options, state: StateHead) -> None:
    """Refuse to carry on a state with a forecaster of other latents.

    Args:
        root: the run directory.
        assembly: the system of its configuration with the overrides of the command.
        options: these overrides.
        state: from which the forecast begins.

    Raises:
        InputError: as said.
    """
    differ, now = "", assembly.latents
    if options.settings:
        made = assemble(load(root / "config.yaml"), channels_of(root))
        differ = other_latents(made.latents, now)
    if not differ and state.shape[2] != len(now):
        differ = f"they have {state.shape[2]} latents, the forecaster has {len(now)}"
    if differ:
        raise InputError(
            f"{root}: its states are of another kind than the forecaster or its weights: {differ}; "
            "leave out --set of 'forecast', 'state' and 'observe', or make the run with them"
        )


def tell(root: Path, records: Sequence[Mapping[str, Any]], until: date) -> None:
    """Write what was found of a forecast into the log of its run; nothing where nothing was."""
    if records:
        log = JsonLines(root / "log.jsonl")
        for record in records:
            log.write({**record, "command": "forecast", "until": until.isoformat()})


def write_forecast(
    root: Path, until: date, options: Options, scenario: Path | None = None
) -> list[dict[str, Any]]:
    """Write a forecast into the directory of a run; arguments and errors as of `command`.

    A service may be at work there: the state is held open, and files are made in a folder that no
    other process writes to.

    Returns:
        Records for the log, of what it does without and of what no fit has met.
    """
    with held_state(root) as (rows, pixels):
        state, last, seen = rows.head, days(until), rows.memory.get(LAST_SEEN)
        if last <= state.time:
            raise InputError(
                f"--until {until}: the run stands at {isoformat(state.time)}; give a later day"
            )
        document = load(root / "config.yaml", options.settings)
        device = options.torch_device()
        weather, under = weather_for(document, root, scenario, pixels, state.time, last)
        assembly = assemble(document, channels_of(root), device=device, weather=weather)
        check_latents(root, assembly, options, state)
        model = assembly.model
        output = section(document, "products", products)
        times = dates(state.time, last, output.every_days)
        check_table(document, output, pixels.sizes["pixel"], len(times), len(model.described))
        seed = document.values.get("seed", SEED)
        assumed = assumption(weights_at(document, "forecast.weights") is not None, under)

        def ahead() -> Found:
            yield from forecast(model, rows.take, pixels, times, seed, device)
            rows.verify()

        def write(path: Path, found: Found, title: str, **more: str) -> None:
            attributes = {
                "title": title,
                "forecast_reference_time": isoformat(state.time),
                "comment": assumed,
                "estimate": "climatology" if path.name == CLIMATOLOGY else "forecast",
                **more,
            }
            with writing_outputs(path, times, pixels, model.described, attributes) as keep:
                for some, values in found:
                    keep(state.pixels[some].numpy(), values)

        with own_folder(root, "forecast") as folder:
            if scenario is not None:
                digest = weather_digest(scenario)
                title = f"forecast under the weather of {scenario.name} (SHA-256 {digest[:12]})"
                write(folder / file_of(scenario), ahead(), title, weather_sha256=digest)
            else:
                write(folder / FORECAST, ahead(), PLAIN)
                usual = climatology(
                    model, pixels, state.pixels, state.shape[1], times, seed, device
                )
                write(folder / CLIMATOLOGY, usual, USUAL)
                copied(folder / FORECAST, output)
        if scenario is None:
            for one in unwanted(root / FORECAST, output):
                remove(one)
    lacking = [UNDRIVEN] if weather is None and uses_weather(document) else []
    return [*lacking, *model.not_met(lambda: since_seen(seen, state.time, last), pixels)]


def assumption(fitted: bool, under: str) -> str:
    """What a forecast takes for granted.

    Args:
        fitted: whether the season is, or that of the defaults.
        under: the weather in words, empty where it is not used.
    """
    said = ASSUMED.format(season="fitted" if fitted else "default")
    if under:
        said = said.replace(", mowing and the weather to come", " and mowing")
        said += UNDER.format(weather=under)
    return said
