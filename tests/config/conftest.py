"""A small series of points that the tests simulate, with the configuration of its run."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
import yaml

from releo_da.cli import main
from releo_da.config import side_by_side
from releo_da.observation.prosail import ProsailOperator
from releo_da.state.variables import variables
from releo_da.types import Acquisition
from tests.sketched import painted, sketched

__all__ = ["painted", "sketched"]

BANDS = ("B03", "B04", "B08", "B11")
POINTS, DATES = 4, 14
DAYS = np.datetime64("2020-04-03T10:50") + np.arange(DATES) * np.timedelta64(6, "D")


def leaf_area() -> np.ndarray:
    """A season at each point, ``[point, date]``."""
    day = np.arange(DATES) * 6.0
    peak = np.linspace(2.0, 5.0, POINTS)[:, None]
    return 0.2 + peak * np.exp(-0.5 * ((day - 40.0) / 18.0) ** 2)


def simulated(seed: int = 0) -> xr.Dataset:
    """Reflectances ``[point, time, band]`` with noise; a cloud now and then, date 5 all cloud."""
    lai = torch.tensor(leaf_area()).T[..., None]  # [date as pixel, point as member, 1]
    table = {name: torch.full_like(lai, v.mean) for name, v in variables().items()}
    table |= {"lai": lai, "psoil": torch.full_like(lai, 0.6), "cab": 30.0 + 6.0 * lai}
    names = list(table)
    angles = torch.tensor([[38.0, 6.0, 70.0]]).double().expand(DATES, 3)
    nothing = angles[:, :0]
    operator = ProsailOperator(
        lambda z: {name: z[..., k] for k, name in enumerate(names)},
        lambda z: z[..., :0],
        {"sentinel2a": BANDS},
    )
    ensemble = torch.cat([table[name] for name in names], -1)
    clean = operator(ensemble, Acquisition(0.0, "sentinel2a", nothing, nothing, angles))
    rng = np.random.default_rng(seed)
    values = clean.numpy().transpose(1, 0, 2) + rng.normal(0.0, 0.008, (POINTS, DATES, len(BANDS)))
    cloud = (rng.uniform(size=(POINTS, DATES)) < 0.15).astype(np.uint8)
    cloud[:, 5] = 1
    cloud[:, [0, DATES - 1]] = 0
    return xr.Dataset(
        {
            "reflectance": (("point", "time", "band"), np.clip(values, 0.005, 1.0)),
            "cloud": (("point", "time"), cloud),
        },
        {
            "time": DAYS,
            "band": list(BANDS),
            "platform": ("time", ["S2A", "S2B"] * (DATES // 2)),
            "sun_zenith": ("time", np.full(DATES, 38.0)),
            "x": ("point", 1.0 + 0.01 * np.arange(POINTS)),
            "y": ("point", np.full(POINTS, 43.0)),
        },
        {"crs": "EPSG:4326"},
    )


def configuration() -> dict[str, Any]:
    """A hindcast of it with everything on."""
    return {
        "seed": 1,
        "members": 16,
        "period": ["2020-04-01", "2020-06-30"],
        "source": [
            {
                "reader": "points",
                "path": "series.nc",
                "sensor": {"from": "platform", "S2A": "sentinel2a", "S2B": "sentinel2b"},
                "values": "reflectance",
                "dims": {"pixel": "point", "time": "time", "channel": "band"},
                "channels": {name: name for name in BANDS},
                "clear": {"cloud": [0]},
                "angles": {"sun_zenith": "sun_zenith"},
            }
        ],
        "state": {"name": "prosail", "prior": "atbd"},
        "forecast": {"name": "mean_reverting"},
        "observe": {"name": "prosail", "quadrature_error": 1e-3},
        "analyse": [{"name": "etkf"}, {"name": "relaxed", "factor": 0.3}, {"name": "screened"}],
        "smooth": {"name": "rts"},
        "score": {
            "withhold": {"every": 3, "offset": 1},
            "horizons": [6, 20],
            "in_situ": {
                "path": "field.csv", "variable": "lai", "column": "LAI", "pixel": "point",
                "time": "date", "within_days": 8,
            },
        },
        "products": {"variables": ["lai", "ndvi"], "every_days": 20},
    }  # fmt: skip


def field_table() -> str:
    """Leaf area as measured at every point on four dates."""
    rows = ["point,date,LAI"]
    for k in (2, 6, 8, 11):
        for point in range(POINTS):
            rows.append(f"{point},{str(DAYS[k])[:10]},{leaf_area()[point, k]:.2f}")
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="session")
def series() -> xr.Dataset:
    return simulated()


@pytest.fixture
def workplace(
    tmp_path: Path, series: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Writes the series, the field table and the configuration, each changed as told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELEO_DATA", str(tmp_path / "data"))

    def write(
        change: Callable[[xr.Dataset], xr.Dataset] = lambda d: d,
        configure: Callable[[dict[str, Any]], Any] = lambda c: None,
    ) -> Path:
        change(series.copy(deep=True)).to_netcdf(tmp_path / "series.nc")
        (tmp_path / "field.csv").write_text(field_table())
        values = configuration()
        configure(values)
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
        return tmp_path / "c.yaml"

    return write


class AtOnce:
    """An executor without processes, which take as long to start as a small study to run."""

    def __init__(self, workers: int, mp_context: object) -> None:
        assert workers > 0

    def __enter__(self) -> AtOnce:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is left to close."""

    def map(self, work: Callable[..., Any], units: Iterable[Any]) -> Iterator[Any]:
        """Work and units as a process would get them, and results as it would give them."""
        for unit in units:
            done, given = pickle.loads(pickle.dumps((work, unit)))
            yield pickle.loads(pickle.dumps(done(given)))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of work one after the other, here; test_side_by_side.py has processes."""
    monkeypatch.setattr(side_by_side, "ProcessPoolExecutor", AtOnce)


@pytest.fixture
def releo(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line in this process: exit status, output, errors."""

    def run(*line: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(part) for part in line])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
