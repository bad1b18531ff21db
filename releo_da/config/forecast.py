"""`releo-da forecast`: from the files of a run to `forecast.nc`, `climatology.nc` and the figures.

The dynamics know a season, a rate of return to it and noise, and nothing of what people do: after
harvest a forecast greens up because the season does. So the files say what they assume, and the
climatology that the forecast returns to is written and drawn beside it.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import xarray as xr

from releo_da.config.assemble import assemble
from releo_da.config.copies import check_table, copied
from releo_da.config.cycling import LEDGER
from releo_da.config.document import load
from releo_da.config.hindcast import SEED
from releo_da.config.options import Options
from releo_da.config.report import CLIMATOLOGY, FORECAST, report
from releo_da.config.run_files import weights_of
from releo_da.config.sections import days, products, section
from releo_da.config.sensor_paths import kept_sensor
from releo_da.cycling.ledger import Ledger
from releo_da.io import products_dataset, read_state, write_products
from releo_da.io.lock import locked
from releo_da.io.map_file import writing_map
from releo_da.io.times import isoformat
from releo_da.runs.compare import QUANTILES
from releo_da.runs.forecast import Found, climatology, dates, forecast, whole
from releo_da.runs.model import Model
from releo_da.runs.store import last_state, pixels_of
from releo_da.types import InputError, State

ASSUMED = (
    "No observation is used after the first date. Every variable returns to its {season} season, "
    "the climatology, at its {season} rate. Sowing, harvest, mowing and the weather to come are "
    "not known: a field that was harvested greens up again where the season does."
)
"""What a forecast of the mean-reverting dynamics takes for granted."""


def state_of(root: Path) -> State:
    """The last state of a hindcast or of a cycling run.

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
    return read_state(root / "state.safetensors")


def channels_of(root: Path) -> dict[str, tuple[str, ...]]:
    """For each sensor of a run, the channels of its acquisitions, from its log.

    Raises:
        InputError: the log does not say.
    """
    lines = (root / "log.jsonl").read_text(encoding="utf-8").splitlines()
    said = [json.loads(line) for line in lines if '"channels"' in line]
    found = [record["channels"] for record in said if record["kind"] == "channels"]
    if not found:
        raise InputError(f"{root}: its log names no channels; make the run again")
    return {kept_sensor(root, sensor): tuple(names) for sensor, names in found[-1].items()}


def command(root: Path, until: date, options: Options) -> Path:
    """Forecast from a run's last state; returns the path of the report.

    Raises:
        InputError: there is no finished run, or it stands after the last day.
    """
    if options.out is not None:
        raise InputError("--out: a forecast is written into the directory of its run; leave it out")
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
    found = forecast(model, state, pixels, times, seed, device)
    members = state.ensemble.shape[1]
    expected = climatology(model, pixels, state.pixels, members, times, seed, device)
    assumed = ASSUMED.format(season="default" if weights_of(document) is None else "fitted")
    for name, what, title in (
        (FORECAST, found, "forecast of land-surface variables from the last state of a run"),
        (CLIMATOLOGY, expected, "what the forecaster expects without any observation"),
    ):
        attributes = {
            "title": title,
            "forecast_reference_time": isoformat(state.time),
            "comment": assumed,
            "estimate": name.removesuffix(".nc"),
        }
        _write(root / name, what, model, times, pixels, attributes)
    copied(root / FORECAST, output)
    try:
        with locked(root):
            return report(root)
    except BlockingIOError:
        return root / "report.html"  # a service is at work and draws the forecast with its next


def _write(
    path: Path,
    found: Found,
    model: Model,
    times: list[float],
    pixels: xr.Dataset,
    attributes: dict[str, str],
) -> None:
    """Write output variables; of a map as they come, so that its size does not matter."""
    if pixels.attrs["kind"] == "point":
        dataset = products_dataset(times, pixels, whole(found, model), attributes)
        write_products(path, dataset)
        return
    ids = pixels["id"].values
    with writing_map(path, times, pixels, model.described, QUANTILES, attributes) as write:
        for rows, values in found:
            write(ids[rows.numpy()], values)
