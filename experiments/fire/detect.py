"""When a fire is found, and how often one is found that is none: `python detect.py FOLDER`.

FOLDER holds the hindcasts `s30`, `l30` and `both` of README.md. What is monitored are innovations
of the filter, errors of forecasts of 30 and 60 days and more, and, as a rival, residuals of
harmonic regression; each by the probability of a change and by runs of anomalies. Rows are printed,
and written to FOLDER/fire.json; the figure goes beside this file.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from scipy import stats

from releo_da.diagnostics.change import changes
from releo_da.diagnostics.quiet import innovations_of, reference
from releo_da.diagnostics.scores import Array
from releo_da.io import write_json
from releo_da.io.times import to_days

mpl.use("Agg")
HERE = Path(__file__).resolve().parent
CHANNELS = {
    "hls_s30": ["B02", "B03", "B04", "B8A", "B11", "B12"],
    "hls_l30": ["B02", "B03", "B04", "B05", "B06", "B07"],
}
RUNS = {"s30": ["hls_s30"], "l30": ["hls_l30"], "both": ["hls_s30", "hls_l30"]}
REFERENCE = "2018-01-01", "2021-12-31"
COUNTED = "2022-01-01", "2024-03-15"
"""Where false alarms are counted; the fire is after the last day, and seen on 23 March."""
SEPARATE = 120.0
"""Days within which alarms are one."""
YEAR = 365.25
Innovations = dict[str, Array]


class Monitor(NamedTuple):
    """A statistic per acquisition, and the level that its rule names."""

    times: Array
    value: Array
    level: float


def day(date: str) -> float:
    """Days since 1970-01-01."""
    return float(to_days(np.datetime64(date)))


def between(times: Array, period: tuple[str, str]) -> Array:
    """Whether dates lie in a period, both days included."""
    return (times >= day(period[0])) & (times < day(period[1]) + 1.0)


def harmonic(said: xr.Dataset, sensors: list[str]) -> Innovations:
    """Residuals of a mean and three harmonics, per sensor and channel, fitted on the past alone.

    Each year is predicted from all years before it, two at least, so that the rival goes on
    learning as a filter does. Of twelve regressions (with and without a trend, one to three
    harmonics, three years or all) this one predicts the reference best.
    """
    times = to_days(said.time.values)
    year = said.time.dt.year.values
    found = {}
    for sensor in sensors:
        seen = said.sensor.values == sensor
        y = said.observed.isel(pixel=0).sel(channel=CHANNELS[sensor]).values
        y = np.where(seen[:, None], y, np.nan)
        residual = np.full_like(y, np.nan)
        for one in range(year.min() + 2, year.max() + 1):
            fit = (year < one) & np.isfinite(y).all(-1)
            residual[year == one] = (y - fitted(times, y, fit))[year == one]
        found[sensor] = residual[:, None]
    return found


def fitted(times: Array, y: Array, fit: Array) -> Array:
    """The regression at all dates; fitted again without what is furthest off, clouds mostly."""
    angle = 2.0 * np.pi * times / YEAR
    waves = [f(k * angle) for k in (1, 2, 3) for f in (np.sin, np.cos)]
    x = np.column_stack([np.ones_like(times), *waves])
    for limit in (3.0, np.inf):
        weights, *_ = np.linalg.lstsq(x[fit], y[fit], rcond=None)
        far = abs(y - x @ weights) / np.std((y - x @ weights)[fit], 0)
        fit = fit & (far < limit).all(-1)
    return x @ weights


def probable(u: Innovations, times: Array) -> Monitor:
    """Log odds of a change, by what is expected of a pixel; alarm at P > 0.99."""
    found = changes(u, times, between(times, REFERENCE), rate=0.02, days=SEPARATE)
    p = found.probability[:, 0]
    seen = np.any([np.isfinite(v).all(-1)[:, 0] for v in u.values()], 0)
    odds = np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(1.0 - p, 1e-300))
    return Monitor(times[seen], odds[seen], float(np.log(99.0)))


def consecutive(u: Innovations, times: Array, number: int, quantile: float) -> Monitor:
    """Smallest chi2 of the last acquisitions; alarm where all exceed its quantile."""
    quiet = between(times, REFERENCE)
    squares = np.full(len(times), np.nan)
    for one in u.values():
        usual = reference(one[quiet])
        v = (one[:, 0] - usual.centre) @ usual.whiten
        squares = np.where(np.isfinite(v).all(-1), (v**2).sum(-1), squares)
    seen = np.isfinite(squares)
    runs = np.lib.stride_tricks.sliding_window_view(squares[seen], number).min(-1)
    value = np.concatenate([np.zeros(number - 1), runs])
    return Monitor(times[seen], value, float(stats.chi2.ppf(quantile, 6)))


def alarms(monitor: Monitor, level: float, period: tuple[str, str]) -> int:
    """Alarms of a period; those within `SEPARATE` days are one."""
    raised = monitor.times[(monitor.value > level) & between(monitor.times, period)]
    count, until = 0, -np.inf
    for time in raised:
        count += time > until
        until = max(until, time + SEPARATE) if time > until else until
    return count


def rate(count: int) -> str:
    """Alarms per year of the counted period and their exact 95 % interval (Poisson)."""
    years = (day(COUNTED[1]) + 1.0 - day(COUNTED[0])) / YEAR
    low = stats.chi2.ppf(0.025, 2 * count) / 2 / years if count else 0.0
    high = stats.chi2.ppf(0.975, 2 * count + 2) / 2 / years
    return f"{count / years:.2f} [{low:.2f}, {high:.2f}]"


def delay(monitor: Monitor, level: float) -> str:
    """Days from the last clear view before the fire, and clear acquisitions, to the alarm."""
    after = monitor.times > day(COUNTED[1]) + 1.0
    if monitor.value[~after][-1] > level:
        return "raised before"
    times, value = monitor.times[after], monitor.value[after]
    found = np.flatnonzero(value > level)
    if not len(found):
        return "not found"
    return f"{times[found[0]] - day(COUNTED[1]):.0f} d, {found[0] + 1} acq."


def monitors(said: xr.Dataset, sensors: list[str]) -> dict[tuple[str, str], Monitor]:
    """Everything that is compared, by what is monitored and by which rule."""
    times = to_days(said.time.values)
    channels = {sensor: CHANNELS[sensor] for sensor in sensors}
    watched = {
        "innovations": innovations_of(said, "background", channels),
        "errors of forecasts, 30 d": innovations_of(said, "forecast_30", channels),
        "errors of forecasts, 60 d": innovations_of(said, "forecast_60", channels),
        "harmonic residuals": harmonic(said, sensors),
    }
    found = {}
    for name, u in watched.items():
        found[name, "P > 0.99"] = probable(u, times)
        found[name, "chi2, 99 %, 3 in a row"] = consecutive(u, times, 3, 0.99)
        found[name, "chi2, 99 %, 6 in a row"] = consecutive(u, times, 6, 0.99)
    return found


def main(folder: Path) -> None:
    """All rows and the figure."""
    rows, drawn = [], {}
    for run, sensors in RUNS.items():
        said = xr.open_dataset(folder / run / "verification.nc")
        for (name, rule), monitor in monitors(said, sensors).items():
            quiet = monitor.value[between(monitor.times, COUNTED)].max()
            rows.append(
                {
                    "sensors": run,
                    "monitored": name,
                    "rule": rule,
                    "false alarms a year": rate(alarms(monitor, monitor.level, COUNTED)),
                    "delay": delay(monitor, monitor.level),
                    "delay, level just above the quiet years": delay(monitor, quiet),
                }
            )
            if rule == "P > 0.99":
                drawn[run, name] = monitor
    keys = list(rows[0])
    print("| " + " | ".join(keys) + " |\n" + "| --- " * len(keys) + "|")
    print("\n".join("| " + " | ".join(str(r[k]) for k in keys) + " |" for r in rows))
    write_json(folder / "fire.json", {"rows": rows})
    draw(drawn)


def draw(drawn: dict[tuple[str, str], Monitor]) -> None:
    """Log odds of a change through the counted years and after the fire."""
    figure, axes = plt.subplots(len(RUNS), 1, figsize=(8.0, 6.0), sharex=True, layout="constrained")
    for axis, run in zip(axes, RUNS, strict=True):
        for (other, name), monitor in drawn.items():
            if other == run and name != "errors of forecasts, 60 d":
                late = monitor.times >= day(COUNTED[0])
                when = monitor.times[late].astype("datetime64[D]")
                axis.plot(when, monitor.value[late] / np.log(10.0), lw=1.2, label=name)
        axis.axhline(np.log10(99.0), color="0.5", lw=0.8, ls="--")
        axis.axvline(np.datetime64("2024-03-19"), color="tab:red", lw=0.8)
        axis.set(title=run, ylabel="log10 odds of a change", ylim=(-6.0, 15.0))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", frameon=False, ncols=3)
    figure.savefig(HERE / "fire_odds.png", dpi=110)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
