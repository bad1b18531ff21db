"""Differences of runs: closed forms, and what may be paired at all."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from releo_da.diagnostics.comparison import (
    Estimates,
    common_dates,
    paired_products,
    paired_records,
    product_rows,
)
from releo_da.diagnostics.comparison_tables import (
    case_table,
    configuration_differences,
    difference_tables,
    flattened,
    percent,
    rows_by_case,
)
from releo_da.diagnostics.differences import (
    Difference,
    Losses,
    Units,
    differences,
    grid_units,
    paired_replicates,
    paired_seeds,
)
from releo_da.diagnostics.paired import paired_interval, paired_intervals


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def singles(found: xr.Dataset) -> Units:
    return Units(np.arange(found.sizes["pixel"]), "points")


def by_place(found: list[Difference]) -> dict[tuple[str, str, str], Difference]:
    return {(one.case, one.variable, one.score): one for one in found}


def test_columns_are_what_they_are_one_by_one() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.gamma(2.0, 1.0, (2, 12, 3))
    root = np.array([True, False, True])
    found = paired_intervals(a, b, generator(), root)
    for k in range(3):
        one = paired_interval(a[:, k], b[:, k], np.arange(12), generator(), bool(root[k]))
        assert one == pytest.approx([found.change[k], found.lower[k], found.upper[k]], rel=1e-12)


def test_many_units_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.random.default_rng(3).gamma(2.0, 1.0, (2, 12, 2))
    whole = paired_intervals(a, b, generator())
    monkeypatch.setattr("releo_da.diagnostics.paired.BLOCK", 12 * 7)
    np.testing.assert_allclose(paired_intervals(a, b, generator()), whole, rtol=1e-12)


def test_a_rival_that_does_not_vary_gives_the_interval_of_a_mean() -> None:
    loss = np.random.default_rng(1).normal(5.0, 1.0, 400)
    found = paired_interval(loss, np.full(400, 5.0), np.arange(400), generator())
    known = stats.t.interval(0.95, 399, loss.mean(), stats.sem(loss))
    assert found.change == pytest.approx(loss.mean() / 5.0 - 1.0)
    assert (found.lower, found.upper) == pytest.approx(np.array(known) / 5.0 - 1.0, abs=2e-3)


def test_a_run_does_not_differ_from_itself(run_verification: xr.Dataset) -> None:
    found, share, _ = paired_records(
        run_verification, run_verification, singles(run_verification), generator()
    )
    assert share == 1.0
    assert {one.case for one in found} == {"background", "analysis", "forecast_10", "smoothed"}
    assert all((one.change, one.lower, one.upper) == (0.0, 0.0, 0.0) for one in found)
    assert {one.verdict for one in found} == {"no difference shown"}


def test_errors_of_two_thirds_are_a_third_less(run_verification: xr.Dataset) -> None:
    less = run_verification.copy()
    less["mean"] = less.observed + (less["mean"] - less.observed) * 2 / 3
    less["crps"] = less.crps * 1.5
    found, *_ = paired_records(less, run_verification, singles(less), generator())
    for one in found:
        expected = -1 / 3 if one.score == "rmse" else 0.5
        assert [one.change, one.lower, one.upper] == pytest.approx([expected] * 3, abs=1e-5)
        assert one.verdict == ("better" if one.score == "rmse" else "worse")


def test_only_what_both_have_of_one_truth_is_paired(run_verification: xr.Dataset) -> None:
    """Other dates, another channel, a pixel of another truth: the rest is compared by hand."""
    ours = (
        run_verification.isel(time=slice(1, 7), pixel=[1, 2, 3, 5])
        .drop_sel(channel="B04")
        .copy(deep=True)
    )
    ours["mean"] += 0.05
    ours["observed"][{"pixel": 2}] += 1.0  # the pixel 30 is of another land
    found, share, _ = paired_records(ours, run_verification, singles(run_verification), generator())
    assert 0.6 < share < 0.9
    assert {one.variable for one in found} == {"B08", "ndvi"}
    here = {"time": ours.time, "pixel": [10, 20, 50], "channel": "ndvi", "case": "analysis"}
    a, b = ours.sel(here), run_verification.sel(here)
    squares = [((one["mean"] - one.observed) ** 2).mean().item() for one in (a, b)]
    one = by_place(found)["analysis", "ndvi", "rmse"]
    assert one.change == pytest.approx(np.sqrt(squares[0] / squares[1]) - 1.0, rel=1e-5)
    assert (one.n, one.units) == (int(a["mean"].notnull().sum()), 3)
    other = ours.assign(observed=ours.observed + 1.0)
    apart = paired_records(other, run_verification, singles(run_verification), generator())
    assert (apart.differences, apart.share) == ([], 0.0)
    later = ours.assign_coords(time=ours.time + np.timedelta64(1, "h"))
    apart, share, _ = paired_records(
        later, run_verification, singles(run_verification), generator()
    )
    assert apart == [] and np.isnan(share)


def truths(seed: int, names: tuple[str, ...], constant: tuple[str, ...] = ()) -> xr.Dataset:
    """Records of a twin, of which a third of the values stand at a bound."""
    rng = np.random.default_rng(seed)
    shape = (6, 25, len(names))
    true = np.where(rng.random(shape) < 1 / 3, 0.0, rng.random(shape))
    for name in constant:
        true[..., names.index(name)] = 0.4
    error = np.random.default_rng(9).normal(0.0, 1.0 + seed, (1, *shape))
    axes = ("case", "time", "pixel", "channel")
    held = {"observed": (axes[1:], true), "mean": (axes, true + error),
            "sd": (axes, np.ones_like(error)), "crps": (axes, np.abs(error))}  # fmt: skip
    coords = {"case": ["analysis"], "pixel": np.arange(25), "channel": list(names)}
    coords["time"] = np.datetime64("2020-01-01", "ns") + np.arange(6) * np.timedelta64(1, "D")
    return xr.Dataset(held, coords)


def test_two_truths_that_agree_by_chance_are_not_paired() -> None:
    """At a bound one value in nine is the same, a constant of all crops everywhere."""
    names = ("lai", "cbrown", "hspot", "B04")
    one, other = (truths(k, names, ("hspot",)) for k in (0, 1))
    by_value = paired_records(one, other, singles(one), generator())
    assert {d.variable for d in by_value.differences} == set(names)  # what chance would pair
    found = paired_records(one, other, singles(one), generator(), truths=True)
    assert (found.differences, found.share, set(found.other)) == ([], 0.0, set(names))


def test_a_variable_of_another_truth_is_left_out_whole() -> None:
    """Another discrepancy moves the channels of the truth, and not its variables."""
    names = ("lai", "cab", "B04")
    one = truths(0, names)
    other = one.copy(deep=True)
    other["observed"][..., 2] = truths(1, names).observed[..., 2]
    other["observed"][0, 0, 0] += 1.0  # one value in 150
    found = paired_records(one, other, singles(one), generator(), truths=True)
    assert {d.variable for d in found.differences} == {"lai", "cab"} and found.other == ("B04",)
    assert {d.n for d in found.differences} == {150}


def test_a_single_unit_has_no_interval() -> None:
    loss = np.random.default_rng(0).random((2, 4, 3, 1))
    losses = Losses(loss[0], loss[1], np.array([False]), [("lai", "crps")])
    (one,) = differences("analysis", losses, Units(np.zeros(3, int), "replicates"), generator())
    assert np.isnan([one.lower, one.upper]).all()
    assert (one.verdict, one.units, one.n) == ("no interval", 1, 12)


def test_blocks_of_a_grid_are_square_and_thirty_or_more() -> None:
    row, column = np.divmod(np.arange(48 * 48), 48)
    found = grid_units(10 * row, column)  # a sample of every tenth row
    assert found.words == "blocks of 8 × 8 pixels"
    assert np.bincount(found.label).tolist() == [64] * 36
    small = grid_units(*np.divmod(np.arange(20), 5))
    assert (small.words, len(set(small.label))) == ("pixels", 20)


def test_blocks_are_larger_than_fields_and_too_few_have_no_interval() -> None:
    """Loss that is one number per field of 8 pixels: pixels would be sure of what chance made."""
    row, column = np.divmod(np.arange(48 * 48), 48)
    found = grid_units(row, column, field=8.0)
    assert found.words == "blocks of 12 × 12 pixels" and np.bincount(found.label).max() == 144
    sampled = grid_units(4 * row, 4 * column, field=8.0)
    assert sampled.words == "blocks of 8 × 8 pixels"  # 32 of the grid, wider than a field
    label = row // 8 * 6 + column // 8
    ours, theirs = np.random.default_rng(4).gamma(2.0, 1.0, (2, 36))[:, label][:, None, :, None]
    losses = Losses(ours, theirs, np.array([False]), [("lai", "crps")])
    widths = []
    for units in (grid_units(row, column), found, Units(label, "fields")):
        (one,) = differences("analysis", losses, units, generator())
        widths.append(one.upper - one.lower)
    assert widths[1] == pytest.approx(widths[2], rel=0.35)
    (alone,) = differences(
        "analysis", Losses(ours, theirs, np.array([False]), [("lai", "crps")]),
        grid_units(row, column, field=14.0)._replace(fewest=10), generator(),
    )  # fmt: skip
    assert (alone.units, alone.verdict) == (9, "no interval") and np.isnan(alone.lower)
    assert grid_units(row, column, field=14.0).fewest == 8


def estimates(error: float, dates: list[int], quantiles: bool = True) -> Estimates:
    """Estimates with one error everywhere, of opposite sign in the two rows."""
    rng = np.random.default_rng(5)
    truth = rng.random((40, 2, 3))[dates]
    sign = np.array([1.0, -1.0])[:, None]
    axes = ("time", "y", "x")
    coords = {"time": np.datetime64("2020-01-01", "ns") + np.array(dates) * np.timedelta64(1, "D")}
    held = {"lai": (axes, truth + error * sign)}
    if quantiles:
        bands = np.stack([truth - 0.1 + error * sign, truth + 0.1 + error * sign])
        held["lai_quantile"] = (("quantile", *axes), bands)
        coords["quantile"] = [0.05, 0.95]
    return Estimates(xr.Dataset(held, coords), xr.Dataset({"lai": (axes, truth)}, coords))


def test_products_are_paired_on_the_dates_that_both_have() -> None:
    ours, theirs = common_dates([estimates(0.05, [0, 5, 10, 15]), estimates(0.2, [5, 6, 10, 20])])
    assert ours.truth.sizes["time"] == 2
    (one,) = paired_products(ours, theirs, grid_units(*np.divmod(np.arange(6), 3)), generator())
    assert (one.case, one.variable, one.n, one.units) == ("products", "lai", 12, 6)
    assert [one.change, one.lower, one.upper] == pytest.approx([-0.75] * 3)
    rows = product_rows(ours)["lai"]
    assert rows == pytest.approx({"rmse": 0.05, "bias": 0.0, "coverage_90": 1.0, "n": 12})
    assert product_rows(theirs)["lai"]["coverage_90"] == 0.0


@pytest.mark.parametrize(("moved", "number"), [(0.001, 1), (0.5, 0)])
def test_a_truth_may_move_with_the_angles_and_no_further(moved: float, number: int) -> None:
    ours, theirs = estimates(0.1, [1, 2]), estimates(0.2, [1, 2])
    shifted = Estimates(*(one + moved for one in ours))
    found = paired_products(shifted, theirs, Units(np.arange(6), "pixels"), generator())
    assert len(found) == number
    assert all(one.change == pytest.approx(-0.5) for one in found)


def seeds(values: dict[int, float]) -> dict:
    rows = [{"seed": s, "analysis": {"lai": {"rmse": v, "crps": 2 * v, "coverage_90": 0.9}},
             "forecast": {"10": {"lai": {"rmse": 3 * v, "crps": v, "coverage_90": 0.9}}}}
            for s, v in values.items()]  # fmt: skip
    return {"repeats": {"per_seed": rows}}


def test_seeds_have_student_s_interval_of_their_ratios() -> None:
    ours, theirs = seeds({1: 0.9, 2: 0.8, 3: 1.3, 9: 5.0}), seeds({3: 1.0, 1: 1.0, 2: 1.0})
    found = by_place(paired_seeds(ours, theirs))
    assert set(found) == {
        (c, "lai", s) for c in ("analysis", "forecast_10") for s in ("rmse", "crps")
    }
    logs = np.log([0.9, 0.8, 1.3])
    known = np.exp(stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))) - 1.0
    for one in found.values():
        assert one.change == pytest.approx(np.exp(logs.mean()) - 1.0)
        assert (one.lower, one.upper) == pytest.approx(known)
        assert (one.units, one.over) == (3, "seeds")
    back = by_place(paired_seeds(theirs, ours))["analysis", "lai", "rmse"]
    assert [1 / (1 + back.upper), 1 / (1 + back.lower)] == pytest.approx(1.0 + known)
    wild = by_place(paired_seeds(seeds({1: 0.1, 2: 8.0}), seeds({1: 1.0, 2: 1.0})))
    assert wild["analysis", "lai", "rmse"].lower > -1.0
    assert paired_seeds(ours, theirs, other=("lai",)) == []
    assert paired_seeds(ours, seeds({1: 1.0})) == []
    assert paired_seeds(ours, {}) == []


def test_replicates_of_a_toy_model_are_the_units() -> None:
    held = {"analysis": {"rmse": [1.0, 2.0, 3.0], "spread": [1.0] * 3}}
    half = {"analysis": {"rmse": [0.5, 1.0, 1.5], "spread": [1.0] * 3}}
    (one,) = paired_replicates({"replicates": half}, {"replicates": held}, generator())
    assert [one.change, one.lower, one.upper] == pytest.approx([-0.5] * 3)
    assert (one.units, one.over, one.variable) == (3, "replicates", "state")


def test_configurations_differ_by_key() -> None:
    one = flattened({"analyse": [{"name": "etkf"}], "score": {"horizons": [10, 30]}, "seed": 1})
    other = flattened({"analyse": [{"name": "etkf"}, {"name": "relaxed"}], "seed": 1, "score": {}})
    assert one == {"analyse[0].name": "etkf", "score.horizons": "[10, 30]", "seed": "1"}
    assert configuration_differences({"a": one, "b": other}) == {
        "score.horizons": ["[10, 30]", "–"],
        "analyse[1].name": ["–", "relaxed"],
        "score": ["–", "{}"],
    }


def test_the_best_of_a_row_is_marked() -> None:
    runs = {
        "a": {"lai": {"rmse": 0.5, "coverage_90": 0.99, "n": 4}},
        "b": {"lai": {"rmse": 0.7, "coverage_90": 0.88, "n": 4}, "B04": {"rmse": 0.1, "n": 3}},
    }
    table = case_table("analysis", runs, "")
    assert table.head == ["", "RMSE, a", "RMSE, b", "90 % coverage, a", "90 % coverage, b",
                          "n, a", "n, b"]  # fmt: skip
    (lai, cells), (b04, others) = table.rows
    assert (lai, b04) == ("LAI", "B04")
    assert [c.text for c in cells] == ["0.5", "0.7", "99.0 %", "88.0 %", "4", "4"]
    assert [c.best for c in cells] == [True, False, False, True, False, False]
    assert [c.text for c in others] == ["–", "0.1", "–", "–", "–", "3"]
    assert not any(c.best for c in others)


def test_differences_are_told_in_words() -> None:
    numbers = (-0.123, -0.2, -0.0004)
    found = [Difference("analysis", "lai", "rmse", *numbers, 32, "pixels", 99)]
    found += [Difference("products", n, "rmse", 0.1, low, 0.2, 32, "pixels", 7.0 + low)
              for n, low in (("lai", -1.0), ("cab", float("nan")), ("cw", -2.0))]  # fmt: skip
    table, other = difference_tables("first", {"second": found}, "smoothed")
    assert table.title == "second against first: analysis"
    assert "the same 99 values" in table.note and "32 pixels" in table.note
    assert "acquisitions that both runs have" in table.note
    assert [c.text for c in table.rows[0][1]] == ["−12 % better\n−20 to 0.0"]
    assert "smoothed" in other.note and "5 to 6 values" in other.note
    assert [row[0].text for _, row in other.rows] == [
        "+10 %\n−100 to +20", "+10 %\nno interval", "+10 %\n−200 to +20",
    ]  # fmt: skip
    assert [percent(x) for x in (0.5, -0.0123, 0.0)] == ["+50", "−1.2", "0.0"]


def test_rows_are_found_by_case() -> None:
    row = {"rmse": 1.0}
    scores = {"smoothed": {"ndvi": row}, "forecast": {"10": {"ndvi": row}}, "seeds": [1],
              "in_situ": {"lai": {"smoothed": row, "line": row}}, "analysis": {}}  # fmt: skip
    assert list(rows_by_case(scores)) == ["smoothed", "forecast_10", "in_situ_smoothed"]
