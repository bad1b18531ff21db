"""What a user may get wrong: status 2 and one message that names the place and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

Run = Callable[..., tuple[int, str, str]]
Workplace = Callable[..., Path]


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Sets one key of the configuration, given as ``a.0.b``."""

    def configure(values: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        place: Any = values
        for key in parents:
            place = place[int(key) if key.isdigit() else key]
        place[last] = value

    return configure


WRONG: dict[str, tuple[Callable[[dict[str, Any]], None], list[str]]] = {
    "missing file": (
        change("source.0.path", "sreies.nc"),
        ["no file 'sreies.nc'", "looked for", "RELEO_DATA"],
    ),
    "missing field table": (change("score.in_situ.path", "feild.csv"), ["no file 'feild.csv'"]),
    "missing weights": (
        change("forecast.weights", "w.safetensors"),
        ["forecast.weights: no file 'w.safetensors'", "or make one with `releo-da train`"],
    ),
    "misspelt default": (
        change("forecast.initial", {"name": "encoder", "weights": "defalt"}),
        ["forecast.initial.weights: no file 'defalt'", "did you mean 'default'?"],
    ),
    "wrong dimension": (
        change("source.0.dims", {"pixel": "points", "time": "time", "channel": "band"}),
        ["dims", "points", "point"],
    ),
    "wrong channel in the file": (
        change("source.0.channels", {"B04": "B04", "B08": "B8"}),
        ["channels", "B8", "B08"],
    ),
    "wrong channel of the sensor": (
        change("source.0.channels", {"B04": "B04", "B8": "B08"}),
        ["B8", "sentinel2a", "B08"],
    ),
    "unknown sensor": (change("source.0.sensor", "sentinel2x"), ["sentinel2x", "sentinel2a"]),
    "unknown top-level key": (change("forcast", {}), ["unknown key 'forcast'", "forecast"]),
    "unknown option of a reader": (change("source.0.scael", 1e-4), ["source[0].scael", "scale"]),
    "unknown scheme": (change("analyse", [{"name": "etfk"}]), ["analyse[0].name", "etkf"]),
    "unknown option of a scheme": (
        change("analyse", [{"name": "etkf"}, {"name": "screened", "treshold": 4}]),
        ["analyse[1].treshold", "threshold"],
    ),
    "unknown output variable": (change("products.variables", ["lia"]), ["products", "lia", "lai"]),
    "unknown variable of a field table": (
        change("score.in_situ.variable", "gai"),
        ["score.in_situ", "'gai'", "lai"],
    ),
    "a measured variable that is no product": (
        change("score.in_situ.variable", "ccc"),
        ["score.in_situ", "'ccc'", "products.variables"],
    ),
    "unknown fixed variable": (change("state.fixed", {"lau": 1.0}), ["state", "'lau'", "lai"]),
    "fixed variable out of bounds": (change("state.fixed", {"n": 9}), ["state", "fixed.n", "2.5"]),
    "period without acquisitions": (
        change("period", ["2019-01-01", "2019-02-01"]),
        ["period", "2019-01-01", "2020-04-03"],
    ),
    "period that ends before it starts": (
        change("period", ["2020-06-01", "2020-05-01"]),
        ["the period is empty", "swap"],
    ),
    "one member": (change("members", 1), ["members", "2 or more"]),
    "withholding everything": (
        change("score.withhold", {"every": 1, "offset": 0}),
        ["withhold", "every"],
    ),
    "offset beyond the rule": (
        change("score.withhold", {"every": 3, "offset": 3}),
        ["withhold", "offset is 3", "0 to 2"],
    ),
    "horizon that is no number": (change("score.horizons", ["ten"]), ["score.horizons", "'ten'"]),
    "horizon in the past": (change("score.horizons", [10, -5]), ["horizons", "-5"]),
    "a bin of one number": (change("score.horizons", [[10]]), ["horizons", "[10.0]", "[10, 30]"]),
    "a bin without end": (change("score.horizons", [[0, float("inf")]]), ["horizons", "finite"]),
    "a horizon without end": (change("score.horizons", [float("inf")]), ["horizons", "inf"]),
    "bins that overlap": (
        change("score.horizons", [[0, 20], [10, 30]]),
        ["horizons", "[0.0, 20.0]", "overlap"],
    ),
    "a baseline that does not exist": (
        change("score.baselines", ["grue"]),
        ["score.baselines", "'grue'", "gru"],
    ),
    "a season of what is not estimated": (
        change("forecast.own", ["ant"]),
        ["forecast.own", "'ant'", "lai"],
    ),
    "a season without years": (change("forecast.own_years", 0), ["own_years", "positive"]),
    "output dates without interval": (change("products.every_days", 0), ["every_days", "positive"]),
    "a canopy model that leaves all open": (
        change("products.structural", 30.0),
        ["structural", "30", "logarithm"],
    ),
    "members in words": (change("members", "many"), ["members", "'many'"]),
    "quadrature that cannot be": (
        change("observe.quadrature_error", 1e-9),
        ["quadrature", "1e-05"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_remedy(
    case: str, workplace: Workplace, releo: Run
) -> None:
    configure, words = WRONG[case]
    status, out, err = releo("hindcast", workplace(configure=configure), "--out", "run")
    assert status == 2, err
    assert out == ""
    assert err.startswith("releo-da: ")
    assert err.count("\n") == 1, err  # one message
    assert "Traceback" not in err
    for word in words:
        assert word in err
    assert not (Path("run") / "scores.json").exists()


def test_a_repeated_key_is_refused_with_its_lines(workplace: Workplace, releo: Run) -> None:
    config = workplace()
    config.write_text(config.read_text() + "members: 20\n")
    status, _, err = releo("hindcast", config)
    assert status == 2
    assert "key 'members' appears twice (first on line 2)" in err


def test_a_missing_configuration_is_named(workplace: Workplace, releo: Run) -> None:
    workplace()
    status, _, err = releo("hindcast", "d.yaml")
    assert status == 2
    assert "d.yaml: no such configuration file" in err


def test_weights_of_another_configuration_are_refused(workplace: Workplace, releo: Run) -> None:
    config = workplace(configure=change("train", {"epochs": 1, "members": 8}))
    status, _, err = releo("train", config, "--out", "fit", "--quiet")
    assert status == 0, err

    def with_weights(values: dict[str, Any]) -> None:
        values["forecast"] = {"name": "mean_reverting", "weights": "fit/weights.safetensors"}

    fitted = ["hindcast", workplace(configure=with_weights), "--quiet"]
    assert releo(*fitted, "--out", "run") == (0, "", "")
    for override in (
        "forecast.kernel=ou",
        "state.fixed={hspot: 0.1}",
        "source.0.channels={B03: B03, B04: B04, B08: B08, B12: B11}",
    ):
        status, _, err = releo(*fitted, "--set", override)
        assert status == 2
        assert "weights were fitted for another configuration" in err
        assert "releo-da train" in err


def test_a_file_that_is_no_weights_is_refused(workplace: Workplace, releo: Run) -> None:
    config = workplace(configure=change("forecast.weights", "field.csv"))
    status, _, err = releo("hindcast", config)
    assert status == 2
    assert "field.csv" in err
    assert "releo-da train" in err


def test_a_training_period_without_clear_values_is_refused(
    workplace: Workplace, releo: Run
) -> None:
    config = workplace(configure=change("train", {"period": ["2020-01-01", "2020-02-01"]}))
    status, _, err = releo("train", config)
    assert status == 2
    assert "train.period holds no clear acquisition; widen it" in err


def test_a_series_that_is_all_cloud_is_refused(workplace: Workplace, releo: Run) -> None:
    def cloudy(data: xr.Dataset) -> xr.Dataset:
        data.cloud[:] = 1
        return data

    status, _, err = releo("hindcast", workplace(cloudy))
    assert status == 2
    assert "clear" in err


def test_a_series_without_numbers_is_refused(workplace: Workplace, releo: Run) -> None:
    def broken(data: xr.Dataset) -> xr.Dataset:
        data.reflectance[:] = np.nan
        return data

    status, _, err = releo("hindcast", workplace(broken))
    assert status == 2
    assert "series.nc" in err


def test_plot_wants_a_finished_run(workplace: Workplace, releo: Run) -> None:
    workplace()
    Path("empty").mkdir()
    status, _, err = releo("plot", "empty")
    assert status == 2
    assert "holds no scores.json" in err
