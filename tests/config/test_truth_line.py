"""The first line of a twin's report names the truth and what its errors are worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from releo_da.config.truth_line import truth_line


@pytest.fixture
def said() -> xr.Dataset:
    """Three acquisitions of two sensors over four pixels."""
    coords = {
        "time": np.arange(3),
        "pixel": np.arange(4),
        "sensor": ("time", ["sentinel2a", "landsat8", "sentinel2a"]),
    }
    return xr.Dataset(coords=coords, attrs={"members": 8})


def twin(**entries: Any) -> dict[str, Any]:
    return {"source": {"twin": entries}, "forecast": {"name": "mean_reverting"}}


def test_a_land_is_named_with_the_size_of_the_run(said: xr.Dataset) -> None:
    text = truth_line(twin(nature={"name": "aquacrop"}) | {"score": {"repeats": 3}}, said)
    assert text.startswith("Truth: crops grown by AquaCrop")
    assert "3 acquisitions by landsat8, sentinel2a, 4 compared pixels, 8 members, 3 seeds" in text
    told = truth_line(twin(nature="wofost"), said, sampled=True)
    assert "scores of all pixels, figures of errors of 4, 8 members" in told
    assert "WOFOST" in truth_line(twin(nature="wofost"), said)


@pytest.mark.parametrize("truth", [None, {"name": "mean_reverting"}])
def test_a_truth_of_the_filters_own_model_is_a_check_of_the_machinery(
    said: xr.Dataset, truth: Any
) -> None:
    text = truth_line(twin(truth=truth), said)
    assert "identical twin" in text and "not how large errors are on real land" in text
    assert "seeds" not in text


def test_another_model_and_what_is_no_twin(said: xr.Dataset) -> None:
    other = truth_line(twin(truth={"name": "persistence"}), said)
    assert "a run of persistence, another model than that of the filter, mean_reverting" in other
    assert truth_line({"source": {"table": {}}}, said) == truth_line({}, said) == ""
