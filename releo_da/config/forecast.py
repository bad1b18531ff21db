"""`releo-da forecast`: from the files of a run to `forecast.nc`, `climatology.nc` and the figures.

The dynamics know a season, a rate of return to it and noise, and nothing of what people do: after
harvest a forecast greens up because the season does. So the files say what they assume, and the
climatology that the forecast returns to is written and drawn beside it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from releo_da.config.assemble import assemble
from releo_da.config.copies import check_table, copied
from releo_da.config.document import load
from releo_da.config.finished import LOG, parsed, text_of
from releo_da.config.hindcast import SEED
from releo_da.config.options import Options
from releo_da.config.report import CLIMATOLOGY, FORECAST, LEDGER, report
from releo_da.config.run_files import weights_of
from releo_da.config.sections import days, products, section
from releo_da.config.sensor_paths import kept_sensor
from releo_da.cycling.ledger import Ledger
from releo_da.io.lock import locked
from releo_da.io.state_rows import StateHead, reading_state, state_head
from releo_da.io.times import isoformat
from releo_da.runs.forecast import Found, climatology, dates, forecast
from releo_da.runs.outputs import writing_outputs
from releo_da.runs.store import last_state, pixels_of
from releo_da.types import InputError

ASSUMED = (
    "No observation is used after the first date. Every variable returns to its {season} season, "
    "the climatology, at its {season} rate. Sowing, harvest, mowing and the weather to come are "
    "not known: a field that was harvested greens up again where the season does."
)
"""What a forecast of the mean-reverting dynamics takes for granted."""


def state_of(root: Path) -> StateHead:
    """The last state of a hindcast or of a cycling run, without its ensemble.

    Raises:
        InputError: the directory holds neither, or the state is damaged.
    """
    if (root / LEDGER).is_file():
        with Ledger(root / LEDGER) as ledger:
            state = last_state(root, ledger)
        if state is None:
            raise InputError(f"{root}: the run has no state yet; run `releo-da cycle` first")
        return state
    if not (root / "state.safetensors").is_file():
        raise InputError(f"{root}: holds no state; give the directory of a finished run")
    return state_head(root / "state.safetensors")


def channels_of(root: Path) -> dict[str, tuple[str, ...]]:
    """For each sensor of a run, the channels of its acquisitions, from its log.

    Raises:
        InputError: the log does not say.
    """
    path = root / "log.jsonl"
    lines = text_of(path, LOG).splitlines()
    said = [parsed(path, line) for line in lines if '"channels"' in line]
    found = [record.get("channels") for record in said if record.get("kind") == "channels"]
    if not found or not isinstance(found[-1], dict):
        raise InputError(f"{root}: its log names no channels; make the run again")
    return {kept_sensor(root, sensor): tuple(names) for sensor, names in found[-1].items()}


def command(root: Path, until: date, options: Options) -> Path:
    """Forecast from a run's last state; returns the path of the report.

    Raises:
        InputError: there is no finished run, or it stands after the last day.
    """
    if options.out is not None:
        raise InputError("--out: a forecast is written into the directory of its run; leave it out")
    write_forecast(root, until, options)
    try:
        with locked(root):
            return report(root)
    except BlockingIOError:
        return root / "report.html"  # a service is at work and draws the forecast with its next


def write_forecast(root: Path, until: date, options: Options) -> None:
    """Write forecast and climatology into the directory of a run; raises as `command`."""
    state = state_of(root)
    last = days(until)
    if last <= state.time:
        raise InputError(
            f"--until {until}: the run stands at {isoformat(state.time)}; give a later day"
        )
    document = load(root / "config.yaml", options.settings)
    device = options.torch_device()
    model = assemble(document, channels_of(root), device=device).model
    pixels = pixels_of(root, state)
    output = section(document, "products", products)
    times = dates(state.time, last, output.every_days)
    check_table(document, output, pixels.sizes["pixel"], len(times), len(model.described))
    seed = document.values.get("seed", SEED)
    expected = climatology(model, pixels, state.pixels, state.shape[1], times, seed, device)
    assumed = ASSUMED.format(season="default" if weights_of(document) is None else "fitted")

    def write(name: str, found: Found, title: str) -> None:
        attributes = {
            "title": title,
            "forecast_reference_time": isoformat(state.time),
            "comment": assumed,
            "estimate": name.removesuffix(".nc"),
        }
        with writing_outputs(root / name, times, pixels, model.described, attributes) as keep:
            for rows, values in found:
                keep(state.pixels[rows].numpy(), values)

    def ahead() -> Found:
        with reading_state(state.path) as held:
            yield from forecast(model, held.take, pixels, times, seed, device)

    write(FORECAST, ahead(), "forecast of land-surface variables from the last state of a run")
    write(CLIMATOLOGY, expected, "what the forecaster expects without any observation")
    copied(root / FORECAST, output)
