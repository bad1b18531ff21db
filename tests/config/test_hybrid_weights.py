"""The hybrid forecaster in a configuration: gradients of `train`, weights, where it stands."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from releo_da.config.auxiliary import weather_of
from releo_da.config.document import load
from releo_da.config.sources import read_sources

Workplace = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


def driven(config: dict[str, Any]) -> None:
    """Two years of weather around the series, and the forecaster that uses it."""
    day = np.arange(800)
    rng = np.random.default_rng(4)
    table = {
        "date": pd.date_range("2019-01-01", periods=800).strftime("%Y-%m-%d"),
        "t": 12.0 - 8.0 * np.cos(2 * np.pi * day / 365.25) + rng.normal(0, 3, 800),
        "rain": rng.gamma(0.3, 8.0, 800),
    }
    pd.DataFrame(table).to_csv("weather.csv", index=False)
    elements = {"temperature": "t", "precipitation": "rain"}
    config["source"][0]["auxiliary"] = {
        "weather": {"path": "weather.csv", "time": "date", "elements": elements}
    }
    config["forecast"] = {"name": "hybrid"}
    config["train"] = {"epochs": 2, "members": 8}


def test_responses_are_fitted_saved_and_guarded(workplace: Workplace, releo: Run) -> None:
    config = workplace(configure=driven)
    status, _, err = releo("train", config, "--out", "fit", "--quiet")
    assert status == 0, err
    path = Path("fit/weights.safetensors")
    fitted = load_file(path)["forecast.log_response"]
    assert len(fitted) == 4 and (fitted.exp() - 0.03).abs().min() > 1e-4
    with_weights = ("--set", "forecast.weights=fit/weights.safetensors")
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet", *with_weights)
    assert status == 0, err
    other = ("--set", "forecast={name: mean_reverting, weights: fit/weights.safetensors}")
    status, _, err = releo("hindcast", config, "--out", "other", "--quiet", *other)
    assert status == 2 and "fitted for another configuration" in err
    held = load_file(path)
    save_file(held, path, metadata=_told(path) | {"physics": "growth_water 0"})
    status, _, err = releo("hindcast", config, "--out", "other", "--quiet", *with_weights)
    assert status == 2 and "physics is growth_water 0 there and" in " ".join(err.split())


def _told(path: Path) -> dict[str, str]:
    """Metadata of a file of weights: the length of its header is in the first eight bytes."""
    raw = path.read_bytes()
    header: dict[str, Any] = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return dict(header["__metadata__"])


def test_the_latitude_of_a_site_is_that_of_its_pixels(workplace: Workplace) -> None:
    document = load(workplace(configure=driven))
    weather, _ = weather_of(document, read_sources(document).pixels)
    assert weather is not None and weather.latitude is not None
    assert weather.latitude.tolist() == pytest.approx([43.0])


def test_without_weather_the_log_says_so_and_the_season_is_followed(
    workplace: Workplace, releo: Run
) -> None:
    scores = {}
    for name in ("hybrid", "mean_reverting"):
        config = workplace(configure=lambda c, name=name: c.update(forecast={"name": name}))
        status, _, err = releo("hindcast", config, "--out", name, "--quiet")
        assert status == 0, err
        scores[name] = json.loads(Path(f"{name}/scores.json").read_text())
    kinds = [json.loads(line)["kind"] for line in Path("hybrid/log.jsonl").read_text().splitlines()]
    assert "no_weather" in kinds
    assert scores["hybrid"]["smoothed"] == scores["mean_reverting"]["smoothed"]
    assert scores["hybrid"]["background"] == scores["mean_reverting"]["background"]


def test_a_strength_below_nothing_is_refused(workplace: Workplace, releo: Run) -> None:
    config = workplace(configure=driven)
    status, _, err = releo("hindcast", config, "--out", "run", "--set", "forecast.strength=-1")
    assert status == 2 and "strength is -1" in err
