"""Runs that assimilate products of leaf area: alone, by a file of their own, and with bands."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

Run = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]

PRODUCT = """
source: leaf area of a product
channels:
  LAI: {variable: lai, range: [0, 10], noise: {additive: 0.3, multiplicative: 0.1}}
"""


def product(folder: Path) -> dict[str, Any]:
    """The field measurements as a product with an error for each value, and its source."""
    table = pd.read_csv(folder / "field.csv")
    table["lon"], table["lat"] = 1.0 + 0.01 * table.point, 43.0
    table["sd"] = 0.2 + 0.05 * table.LAI
    table.to_csv(folder / "product.csv", index=False)
    return {
        "reader": "table",
        "path": "product.csv",
        "time": "date",
        "overpass": "10:50",
        "pixel": "point",
        "position": {"lon": "lon", "lat": "lat"},
        "sensor": "estimates",
        "channels": {"lai": "LAI"},
        "error": {"from": "sd"},
    }


def leaf_area_of(root: Path) -> xr.DataArray:
    with xr.open_dataset(root / "analysis.nc") as found:
        return found["lai"].load()


def test_leaf_area_alone_is_assimilated(workplace: Workplace, releo: Run) -> None:
    """With the noise of a sensor file; outputs are the state's, and nothing needs a band."""

    def configure(values: dict[str, Any]) -> None:
        source = product(Path.cwd()) | {"sensor": "own.yaml", "channels": {"LAI": "LAI"}}
        del source["error"]
        values |= {"source": [source], "products": {"variables": ["lai", "fapar"]}}
        del values["score"]["in_situ"]

    workplace()  # writes the table that the product is made of
    Path("own.yaml").write_text(PRODUCT)
    config = workplace(configure=configure)
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet")
    assert status == 0, err
    scores = json.loads(Path("run/scores.json").read_text())
    assert set(scores["background"]) == {"LAI"}
    assert scores["background"]["LAI"]["n"] == 16
    assert scores["innovations"] and "errors" in next(iter(scores["innovations"].values()))
    found = leaf_area_of(Path("run"))
    assert found.max() > 2.0 and found.min() < 1.0  # it follows the season of the product
    status, _, err = releo("train", config, "--out", "fit", "--quiet", "--set", "train.epochs=1")
    assert status == 0, err
    weights = "forecast.weights=fit/weights.safetensors"
    status, _, err = releo("hindcast", config, "--out", "two", "--quiet", "--set", weights)
    assert status == 0, err


def test_products_join_reflectances(workplace: Workplace, releo: Run) -> None:
    """Where both are seen leaf area is better known than from bands alone."""

    def configure(values: dict[str, Any]) -> None:
        del values["score"]["in_situ"], values["score"]["withhold"]
        values["products"] = {"variables": ["lai", "ndvi"], "every_days": 5}

    def both(values: dict[str, Any]) -> None:
        configure(values)
        values["source"].append(product(Path.cwd()))

    config = workplace(configure=configure)
    assert releo("hindcast", config, "--out", "one", "--quiet")[0] == 0
    status, _, err = releo("hindcast", workplace(configure=both), "--out", "both", "--quiet")
    assert status == 0, err
    scores = json.loads(Path("both/scores.json").read_text())
    assert set(scores["background"]) == {"B03", "B04", "B08", "B11", "ndvi", "lai"}
    with xr.open_dataset("one/analysis.nc") as alone, xr.open_dataset("both/analysis.nc") as joined:
        assert float(joined["lai_spread"].mean()) < float(alone["lai_spread"].mean())


def test_what_it_cannot_give_is_named(workplace: Workplace, releo: Run) -> None:
    def configure(values: dict[str, Any]) -> None:
        values["source"] = [product(Path.cwd())]

    workplace()
    config = workplace(configure=configure)
    for change, said in {
        "products.variables=[ndvi]": "ndvi cannot be formed of the channels of this run",
        "source.0.channels={LAI: LAI}": "sensor estimates has no channel 'LAI'",
        "source.0.error={from: sdd}": "there is no column 'sdd'; did you mean 'sd'",
    }.items():
        status, _, err = releo("hindcast", config, "--out", "bad", "--quiet", "--set", change)
        assert status == 2 and said in err, (change, err)
