"""Tables of studies from records with known errors: pairs of sensors, variants of a run."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from releo_da.config.experiment import Found
from releo_da.config.sections import Score
from releo_da.config.study_table import table
from releo_da.config.table_pairs import longest, pair_errors, pairs_table, refusals, repeated_noise
from releo_da.config.table_variants import variants_table
from releo_da.diagnostics.verification import FIELDS, Record, verification, within
from releo_da.runs.folds import Units
from releo_da.runs.withhold import WithholdChannel, WithholdSensor
from releo_da.types import InputError

L30, S30 = ("B02", "B05"), ("B02", "B8A")


def record(case: str, date: int, names: tuple[str, ...], observed: list[float], error: float):
    """One pixel whose prediction is off by ``error``."""
    numbers = np.full((1, len(names), len(FIELDS)), np.nan, np.float32)
    numbers[0, :, FIELDS.index("observed")] = observed
    numbers[0, :, FIELDS.index("mean")] = np.array(observed) + error
    numbers[0, :, FIELDS.index("sd")] = 0.01
    for name in ("crps", "crps_fair"):
        numbers[0, :, FIELDS.index(name)] = abs(error)
    numbers[0, :, FIELDS.index("q05")] = np.array(observed) - 1
    numbers[0, :, FIELDS.index("q95")] = np.array(observed) + 1
    rejected = np.zeros((1, len(names)), bool) if case == "background" else None
    return Record(case, date, names, numbers, rejected)


@pytest.fixture
def found() -> xr.Dataset:
    """S30 on days 10, 12, 40; L30 withheld on days 11 (a pair), 25 (none near), 40 (a pair)."""
    times = [10.2, 11.2, 12.2, 25.2, 40.2, 40.2]
    sensors = ["hls_s30", "hls_l30", "hls_s30", "hls_l30", "hls_s30", "hls_l30"]
    records = [
        record("background", 0, S30, [0.10, 0.30], 0.0),
        record("background", 2, S30, [0.20, 0.40], 0.0),
        record("background", 4, S30, [0.30, 0.50], 0.0),
        record("filtered", 1, L30, [0.07, 0.34], 0.02),
        record("filtered", 5, L30, [0.29, 0.47], -0.02),
    ]
    return verification(np.array(times), sensors, np.array([0]), records, 8)


def test_pairs_are_of_the_nearest_day_and_wavelength(found: xr.Dataset) -> None:
    """Of two days equally near the earlier: 0.10 - 0.07, 0.30 - 0.34; on the day 0.01, 0.03."""
    error = pair_errors(found, WithholdSensor("hls_l30", 1))
    assert error.channel.values.tolist() == ["B02", "B05"]
    values = error.isel(pixel=0).dropna("time", how="all").values
    np.testing.assert_allclose(values, [[0.03, -0.04], [0.01, 0.03]], atol=1e-6)


def test_the_table_of_pairs(found: xr.Dataset) -> None:
    parts = {"early": (0.0, 30.0), "late": (30.0, 60.0), "never": (90.0, 99.0)}
    text, numbers = pairs_table([found, found], WithholdSensor("hls_l30", 1), parts)
    floor = np.sqrt((0.0009 + 0.0001) / 2)
    assert numbers["pair"]["B02"] == pytest.approx(floor, rel=1e-5)
    assert numbers["n"] == 2 and numbers["early"]["n"] == 1 and "never" not in numbers
    assert numbers["late"]["pair"]["B05"] == pytest.approx(0.03, rel=1e-5)
    assert numbers["early"]["filtered"][1]["B02"]["rmse"] == pytest.approx(0.02, rel=1e-5)
    assert numbers["late"]["filtered"][0]["B02"]["bias"] == pytest.approx(-0.02, rel=1e-5)
    assert "| late: filtered, RMSE / pair | 2.00 | 0.67 |" in text
    assert "hls_l30 predicted from hls_s30" in text


def test_noise_is_that_of_successive_values_in_days_of_each_other(found: xr.Dataset) -> None:
    """Days 10 and 12 differ by 0.1 in both channels; day 40 is too far from them."""
    noise = repeated_noise(found, WithholdSensor("hls_l30", 1))
    assert noise == pytest.approx({"B02": 0.1 / 2**0.5, "B05": 0.1 / 2**0.5}, rel=1e-5)
    hidden = found.observed.copy()
    hidden[2, 0, 0] = np.nan  # day 12 is unseen in one channel
    one = repeated_noise(found.assign(observed=hidden), WithholdSensor("hls_l30", 1))
    assert np.isnan(one["B02"]) and one["B05"] == pytest.approx(noise["B05"])


def test_refusals_are_counted_whole_and_in_a_row(found: xr.Dataset) -> None:
    rejected = found.rejected.copy()
    rejected[2:5, :, :] = 1
    rejected[0, :, 0] = 1  # one channel only
    said = refusals(found.assign(rejected=rejected), {})
    assert "all: 2 of 3 acquisitions refused whole, 2 of them in a row from 1970-01-13" in said


@pytest.mark.parametrize(
    ("refused", "found"),
    [("", (0, 0)), ("....", (0, 0)), ("x..xx.xx", (3, 2)), ("-x-x.x-", (0, 2)), ("xxx", (0, 3))],
)
def test_longest_row(refused: str, found: tuple[int, int]) -> None:
    """A hyphen is a date that was not seen: it neither breaks a row nor counts."""
    seen, wrong = (np.array([c in kinds for c in refused], bool) for kinds in (".x", "x"))
    assert longest(seen, wrong) == found


def series(error: float, days: int = 64, noise: float = 0.0) -> xr.Dataset:
    """Every second day with errors of one size and either sign, and a little of its own."""
    rng = np.random.default_rng(1)
    signs = rng.choice([-1, 1], days)
    extra = noise * rng.normal(size=days)
    records = [
        record("background", k, ("B01", "B02"), [0.1, 0.2], error * signs[k] + extra[k])
        for k in range(days)
    ]
    times = 2.0 * np.arange(days)
    return verification(times, ["modis_terra"] * days, np.array([0]), records, 8)


def test_variants_are_compared_on_the_same_values() -> None:
    """Errors of 0.02 and 0.04: 50 % less RMSE and CRPS, in every block alike."""
    text, numbers = variants_table(("true", "nadir"), [([series(0.02)], [series(0.04)])])
    assert numbers["true"]["B01"] == pytest.approx([0.02], rel=1e-4)
    assert numbers["RMSE against"]["all channels"] == pytest.approx([-0.5] * 3, rel=1e-3)
    assert numbers["CRPS against"]["B02"] == pytest.approx([-0.5] * 3, rel=1e-3)
    assert "| RMSE against nadir | -50.0 % [-50.0, -50.0] |" in text


def test_the_interval_of_variants_that_do_not_differ_holds_zero() -> None:
    one, other = series(0.03, noise=0.01), series(0.03)
    shuffled = other.copy(deep=True)
    shuffled["mean"][:] = one["mean"].values[:, ::-1]
    _, numbers = variants_table(("a", "b"), [([one, one], [shuffled, shuffled])] * 2)
    change, lower, upper = numbers["RMSE against"]["B01"]
    assert lower < 0 < upper and abs(change) < 0.05


def test_within_takes_the_start_and_leaves_the_end() -> None:
    part = within(series(0.02), 4.0, 8.0)
    assert part.sizes["time"] == 2


def left(run: str, seed: int, verified: xr.Dataset, score: Score, against: str = "") -> Found:
    """What one pixel leaves behind, without baselines and field measurements."""
    redrawn = Units(np.array([0]), "points")
    return Found(run, seed, 0, verified, {}, redrawn, score=score, against=against)


def test_a_study_of_a_withheld_sensor_shows_its_pairs_only(found: xr.Dataset) -> None:
    """Channels of the withheld sensor have no smoothing baseline: nothing else sees them."""
    smoothed = found.sel(case=["filtered"]).assign_coords(case=["smoothed"])
    whole = xr.concat([found, smoothed], "case", data_vars="minimal")
    score = Score(WithholdSensor("hls_l30", 1), periods={"early": (0.0, 30.0)})
    text, numbers = table([left("l30", seed, whole, score) for seed in (0, 1)])
    assert "early: smoothed, RMSE / pair" in text and "withheld NDVI" not in text
    assert "Screening: early: 0 of 2 acquisitions refused whole." in text
    assert len(numbers["l30"]) == 2 and "pairs" in numbers["l30"][0]


def test_runs_that_hide_a_channel_each_share_a_table() -> None:
    """A row per channel: its own error, beside that of a line and of a mean where they are told."""
    parts = []
    for name, error in (("B01", 0.02), ("B02", 0.04)):
        filtered = series(error).sel(case=["background"]).assign_coords(case=["filtered"])
        for seed in (0, 1):
            one = left(name, seed, filtered, Score(WithholdChannel(name)))
            parts.append(one)
    told = np.array([[0.1]]), np.array([[0.13]]), np.array([[0.02]])
    for one in parts[:2]:
        one.said["other_channels", "smoothed", "B01"] = told
    text, numbers = table(parts)
    lines = text.splitlines()
    assert lines[0] == "### Hidden channels" and len(lines) == 6
    assert lines[4].startswith("| B01 | 64 | 0.100 | 0.0200 ± 0.0000 |  | 20 % |")
    assert "| 0.0300 | 0.0200 |  |  |" in lines[4]
    assert lines[5].startswith("| B02 | 64 | 0.200 | 0.0400 ± 0.0000 |  | 20 % |")
    assert numbers["hidden"][0]["B01"]["filtered"]["rmse"] == pytest.approx([0.02] * 2, rel=1e-4)


def test_rivals_stand_in_the_table_of_their_runs() -> None:
    """Two runs with a rival each: a table for each, one of both, none for the rivals."""
    score = Score(periods={"scored": (0.0, 64.0), "rest": (64.0, 999.0)})
    parts = [
        left(name, 0, series(error), score, against)
        for name, error, against in (
            ("a_rival", 0.04, ""), ("a", 0.02, "a_rival"),
            ("b_rival", 0.04, ""), ("b", 0.03, "b_rival"),
        )
    ]  # fmt: skip
    text, numbers = table(parts)
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "### a", "### b", "### All runs"
    ]  # fmt: skip
    change = numbers["b"][0]["variants"]["RMSE against"]["all channels"]
    assert change == pytest.approx([-0.25] * 3, rel=1e-3)
    both = numbers["all"][0]["variants"]["RMSE against"]["all channels"]
    assert both[0] == pytest.approx(np.sqrt((0.02**2 + 0.03**2) / (2 * 0.04**2)) - 1, rel=1e-3)
    assert "95 % interval, 8 blocks of 8 days redrawn" in text  # the first 64 days alone


def test_seeds_with_other_horizons_are_refused() -> None:
    """Seed 0 has forecasts of 10 and 30 days, seed 1 of 10: also where seed 1 comes first."""
    both = [series(0.02).assign_coords(channel=["ndvi", "B02"]) for _ in range(2)]
    longer = xr.concat([both[0].assign_coords(case=[c]) for c in ("forecast_30", "forecast_10")],
                       "case", data_vars="minimal")  # fmt: skip
    shorter = both[1].assign_coords(case=["forecast_10"])
    with pytest.raises(InputError, match="forecasts of seed 0 are 10, 30 days .* seed 1 10; name"):
        table([left("points", 0, longer, Score()), left("points", 1, shorter, Score())])
    with pytest.raises(InputError, match="seed 0 are 10 days ahead, those of seed 1 10, 30;"):
        table([left("points", 0, shorter, Score()), left("points", 1, longer, Score())])
    _, numbers = table([left("points", seed, longer, Score()) for seed in (0, 1)])
    assert [set(one["forecast"]) for one in numbers["points"]] == [{"10", "30"}] * 2
