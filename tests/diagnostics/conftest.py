"""A small run: what the files of a run directory hold, made without a run."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from releo_da.diagnostics.scores import crps_ensemble, interval
from releo_da.diagnostics.verification import Record, verification

CHANNELS = ("B04", "B08", "ndvi")
MEMBERS = 31


def numbers(observed: np.ndarray, ensemble: np.ndarray) -> np.ndarray:
    """Fields of a record from an ensemble ``[pixel, channel, member]``."""
    quantiles = interval(ensemble, (0.05, 0.25, 0.5, 0.75, 0.95))
    rank = (ensemble < observed[..., None]).sum(-1)
    crps = [crps_ensemble(observed, ensemble, fair) for fair in (False, True)]
    fields = [observed, ensemble.mean(-1), ensemble.std(-1, ddof=1), *crps, rank, *quantiles]
    return np.where(np.isnan(observed)[..., None], np.nan, np.stack(fields, -1))


@pytest.fixture(scope="session")
def record_numbers() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return numbers


@pytest.fixture(scope="session")
def run_verification() -> xr.Dataset:
    """Six pixels, eight dates, two sensors, three cases, a few values refused."""
    rng = np.random.default_rng(1)
    records = []
    for date in range(8):
        y = rng.random((6, 3))
        y[date % 6] = np.nan
        for case in ("background", "analysis", "forecast_10"):
            x = y[..., None] + 0.1 * rng.standard_normal((6, 3, 1))
            x = x + 0.1 * rng.standard_normal((6, 3, MEMBERS))
            refused = rng.random((6, 2)) < 0.1 if case == "background" else None
            records.append(Record(case, date, CHANNELS, numbers(y, x), refused))
        held = np.where(np.arange(6)[:, None] == (date + 1) % 6, y, np.nan)
        x = held[..., None] + 0.2 * rng.standard_normal((6, 3, MEMBERS))
        records.append(Record("smoothed", date, CHANNELS, numbers(held, x)))
    names = ["sentinel2b", "sentinel2a"] * 4
    return verification(17000 + 20.0 * np.arange(8), names, 10 * np.arange(6), records, MEMBERS)


def product(mean: xr.DataArray) -> dict[str, xr.DataArray]:
    """A variable with its spread and quantiles, named as in analysis.nc."""
    levels = xr.DataArray([0.05, 0.25, 0.5, 0.75, 0.95], dims="quantile")
    quantiles = mean * (0.6 + 0.8 * levels)
    name = str(mean.name)
    unit = {"units": "m2 m-2", "long_name": "leaf area index"}
    return {
        name: mean.assign_attrs(unit),
        f"{name}_spread": 0.2 * mean,
        f"{name}_quantile": quantiles.transpose("quantile", ...),
    }


def analysis(coords: dict[str, np.ndarray]) -> xr.Dataset:
    """LAI and NDVI along time and the given axes of space."""
    times = (17000 + 5 * np.arange(30)).astype("datetime64[D]").astype("datetime64[ns]")
    shape = (30, *(len(axis) for axis in coords.values()))
    values = 1 + np.random.default_rng(2).random(shape).cumsum(0) / 10
    along = {"time": times, **coords}
    found: dict[str, xr.DataArray] = {}
    for name, scale in (("lai", 1.0), ("ndvi", 0.2)):
        found |= product(xr.DataArray(scale * values, along, list(along), name=name))
    found["crs"] = xr.DataArray(0)
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    return xr.Dataset(found).assign_coords(quantile=levels)


@pytest.fixture(scope="session")
def point_analysis() -> xr.Dataset:
    return analysis({"point": 10 * np.arange(6)})


@pytest.fixture(scope="session")
def grid_analysis() -> xr.Dataset:
    found = analysis({"y": 5000.0 - 10 * np.arange(7), "x": 300.0 + 10 * np.arange(5)})
    found["x"].attrs["units"] = "m"
    edge = (found.y > 4940) & (found.x > 300)
    return found.assign({n: a.where(edge) for n, a in found.items() if "x" in a.dims})


def scored(value: float) -> dict[str, float]:
    return {
        "rmse": value, "bias": -value / 10, "mae": value / 2, "median_abs": value / 3,
        "crps": value / 2.1, "spread": value, "coverage_90": 0.9, "n": 100,
    }  # fmt: skip


@pytest.fixture(scope="session")
def run_scores() -> dict:
    """scores.json of a hindcast with channels, an index, horizons and field measurements."""
    names = ("B02", "B03", "B04", "ndvi")
    return {
        "background": {name: scored(0.03) for name in names},
        "smoothed": {name: scored(0.101) for name in names},
        "forecast": {"5": {"ndvi": scored(0.14)}, "10": {"ndvi": scored(0.17)}},
        "baselines": {
            "linear": {"smoothed": {name: scored(0.104) for name in names}},
            "ou_kalman": {
                "smoothed": {name: scored(0.1) for name in names},
                "forecast": {"5": {"ndvi": scored(0.15)}, "10": {"ndvi": scored(0.16)}},
            },
        },
        "in_situ": {
            "lai": {
                "analysis": {"rmse": 0.9, "bias": 0.4, "r2": 0.5, "crps": None, "n": 76},
                "constant": {"rmse": 1.0, "bias": 0.0, "r2": None, "n": 76},
            }
        },
        "innovations": {
            "sentinel2a": {
                "values": 12,
                "reduced_chi2": 1.1,
                "dfs": 0.7,
                "errors": {"B04": {"assumed": 0.02, "estimated": 0.03, "bias": 0.001, "n": 12}},
            }
        },
        "rejected": {"B02": 31},
        "diverged": 0,
        "seeds": [7],
    }
