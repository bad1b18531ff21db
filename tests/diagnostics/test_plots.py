"""Figures show the numbers they are given, with units, and leave nothing global behind."""

import io
import sys
import warnings

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from releo_da.diagnostics import plots
from releo_da.diagnostics.calibration import rank_histogram
from releo_da.diagnostics.departures import departure_pictures
from releo_da.diagnostics.plots import style
from releo_da.diagnostics.plots.inspection import Glance, overview
from releo_da.diagnostics.plots.maps import cropped
from releo_da.diagnostics.plots.products import band, product_maps, spread_places, variables
from releo_da.diagnostics.plots.skill import forecasts


def labels(figure: Figure) -> set[str]:
    return {text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())}


def test_series_draws_bands_points_units_and_one_legend() -> None:
    times = np.arange(17000.0, 17050.0, 5)
    quantiles = np.linspace(1, 2, 5)[:, None] + np.zeros(10)
    smoothed = plots.Band("smoothed", times, quantiles)
    seen = plots.Points("observed", times[:3], np.array([1.4, 1.5, 1.6]))
    field = plots.Points("in_situ", times[4:5], np.array([1.7]), np.array([0.3]))
    panels = [plots.Panel(f"point {i}", "LAI (m² m⁻²)", [smoothed], [seen, field]) for i in (1, 2)]
    figure = plots.series(panels)
    assert [axes.get_title("left") for axes in figure.axes] == ["point 1", "point 2"]
    assert figure.axes[0].get_ylabel() == "LAI (m² m⁻²)"
    lines = figure.axes[0].get_lines()
    np.testing.assert_allclose(lines[0].get_ydata(), 1.5)
    np.testing.assert_allclose(lines[1].get_ydata(), [1.4, 1.5, 1.6])
    assert len(figure.legends) == 1 and len(figure.legends[0].get_texts()) == 3
    assert figure.axes[0].get_xlim()[0] < 17000 < figure.axes[0].get_xlim()[1] < 17060


def test_small_multiples_hide_what_is_left_over() -> None:
    line = plots.Band("truth", np.arange(3.0), np.ones((1, 3)))
    figure = plots.series([plots.Panel(str(i), "NDVI", [line]) for i in range(4)], columns=3)
    assert [axes.get_visible() for axes in figure.axes] == [True] * 4 + [False] * 2


def errors_of(channels: int) -> dict[str, dict[str, float]]:
    """Rows of channels as `innovations` of scores.json has them."""
    rng = np.random.default_rng(3)
    keys = ("bias", "sd", "expected", "residual_bias", "residual_sd", "estimated")
    return {
        f"B{k}": {"assumed": 0.02, "n": 5, **dict(zip(keys, rng.random(6), strict=True))}
        for k in range(channels)
    }


def test_departures_are_means_and_deviations_in_units_of_the_assumed_error() -> None:
    rows = {"sentinel2a": {"errors": errors_of(3)}, "own/landsat8.yaml": {"errors": errors_of(40)}}
    figure = plots.departures(rows)
    assert [axes.get_title("left") for axes in figure.axes] == [
        f"{name}:\n{what}"
        for name in ("sentinel2a", "landsat8")
        for what in ("mean", "standard deviation", "estimated error")
    ]
    said = rows["sentinel2a"]["errors"].values()
    for panel, keys in zip(
        figure.axes[:3],
        (("bias", "residual_bias"), ("sd", "residual_sd"), ("estimated",)),
        strict=True,
    ):
        expected = [row[key] / 0.02 for key in keys for row in said]
        np.testing.assert_allclose([bar.get_height() for bar in panel.patches], expected)
    marks = figure.axes[1].get_lines()[0].get_ydata()
    np.testing.assert_allclose(marks, [row["expected"] / 0.02 for row in said])
    assert "share of the assumed\nobservation error" in labels(figure)
    assert len(figure.axes[3].get_xticks()) <= 16  # of 40 channels


def test_a_sensor_without_a_used_value_has_no_departures() -> None:
    said = {"innovations": {"sentinel2a": {"errors": {}}, "sentinel2b": {"errors": errors_of(2)}}}
    (picture,) = departure_pictures(said)
    assert len(picture.figure.axes) == 3
    del said["innovations"]["sentinel2b"]
    assert departure_pictures(said) == departure_pictures({}) == []


def test_rejections_count_every_value(run_verification: xr.Dataset) -> None:
    figure = plots.rejections(run_verification)
    total = int(run_verification.rejected.sum())
    assert total > 0
    assert figure.axes[0].get_title("left") == f"{total} values by date"
    shares = [bar.get_width() for bar in figure.axes[1].patches]
    refused = run_verification.rejected.sum(("time", "pixel")).values[:2]
    seen = (run_verification.observed.notnull() | (run_verification.rejected > 0)).sum(
        ("time", "pixel")
    )
    np.testing.assert_allclose(shares, 100 * refused / seen.values[:2])


def test_a_withheld_sensor_has_no_bar(run_verification: xr.Dataset) -> None:
    """Its values are observed and predicted, but neither a background nor screened."""
    withheld = run_verification.sensor == "sentinel2a"
    found = run_verification.assign(
        mean=run_verification["mean"].where(~withheld),
        rejected=run_verification.rejected.where(~withheld, 0),
    )
    found["mean"].loc[{"channel": "B04"}] = np.nan
    found["rejected"].loc[{"channel": "B04"}] = 0
    right = plots.rejections(found).axes[1]
    assert [label.get_text() for label in right.get_yticklabels()] == ["B08"]


def test_a_date_refused_whole_is_refused_to_the_full(run_verification: xr.Dataset) -> None:
    """NDVI is compared as a channel, but nothing screens it."""
    rejected = run_verification.rejected.copy()
    rejected[3, :, :2] = 1
    line = plots.rejections(run_verification.assign(rejected=rejected)).axes[0].get_lines()[0]
    assert line.get_ydata()[3] == 100


def test_rank_histograms_are_densities() -> None:
    flat = rank_histogram(np.arange(32.0).repeat(20), 31)
    figure = plots.rank_histograms({"flat": flat, "few": rank_histogram(np.array([0.0]), 31)})
    heights = [bar.get_height() for bar in figure.axes[0].patches[: len(flat.counts)]]
    np.testing.assert_allclose(heights, 1)
    assert "n = 640" in figure.axes[0].get_title("left")


def test_reliability_of_a_narrow_ensemble_lies_below_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    narrow = np.where(rng.random(4000) < 0.5, rng.random(4000) ** 2, 1 - rng.random(4000) ** 2)
    figure = plots.reliability_diagram({"background": narrow})
    nominal, observed = figure.axes[0].get_lines()[1].get_data()
    assert np.all(observed[:-1] < nominal[:-1])


def test_skill_shows_every_method_and_puts_the_best_on_top(run_scores: dict) -> None:
    assert forecasts(run_scores, "ndvi")["assimilation"]["5"]["rmse"] == 0.14
    figure = plots.by_horizon(run_scores, "ndvi")
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].get_lines()}
    assert set(lines) == {"assimilation", "OU Kalman"}
    np.testing.assert_allclose(lines["OU Kalman"], [0.15, 0.16])
    bars = plots.smoothed(run_scores, "ndvi").axes[0]
    order = [tick.get_text() for tick in bars.get_yticklabels()]
    assert order == ["linear", "assimilation", "OU Kalman"]


def test_scatter_states_its_scores() -> None:
    measured = np.array([1.0, 2.0, 3.0, np.nan])
    figure = plots.scatter(measured, {"smoothed": measured + 0.5}, "LAI", "m2 m-2", np.full(4, 0.3))
    text = figure.axes[0].get_title("left")
    assert "RMSE 0.50" in text and "bias +0.50" in text and "n = 3" in text
    assert figure.axes[0].get_xlim()[1] >= 3.8  # the longest bar is inside
    assert "measured LAI (m² m⁻²)" in labels(figure)


def test_unflatten_and_crop() -> None:
    grid = plots.unflatten(np.array([[1.0, 2.0]]), np.array([1, 2]), np.array([0, 3]), 4, 6)
    assert grid.shape == (1, 4, 6) and grid[0, 1, 0] == 1 and grid[0, 2, 3] == 2
    assert np.isfinite(grid).sum() == 2
    small, x, y = cropped(grid, np.arange(6.0), -np.arange(4.0))
    assert small.shape == (1, 2, 4) and x.tolist() == [0, 1, 2, 3] and y.tolist() == [-1, -2]


def test_maps_are_north_up_with_their_coordinates_on_one_scale(grid_analysis: xr.Dataset) -> None:
    figure = product_maps(grid_analysis, "lai", count=3)
    images = [axes.images[0] for axes in figure.axes[:6]]
    assert images[0].get_extent() == [305, 345, 4945, 5005]
    top_left = grid_analysis.lai.sel(y=5000, x=310)
    assert images[0].get_array()[0, 0] in top_left.values
    assert len({image.get_clim() for image in images[:3]}) == 1
    shown, newest = images[2].get_array().compressed(), grid_analysis.lai.values[-1]
    assert set(shown) == set(newest[np.isfinite(newest)])  # the last date is always shown
    flipped = grid_analysis.isel(y=slice(None, None, -1))
    turned = product_maps(flipped, "lai", count=3).axes[0].images[0]
    np.testing.assert_array_equal(turned.get_array(), images[0].get_array())
    assert turned.get_extent() == images[0].get_extent()


def test_axes_of_maps_say_what_they_count(grid_analysis: xr.Dataset) -> None:
    """Kilometres of a large map, degrees, and rows from the top, those of the whole grid."""
    coarse = grid_analysis.assign_coords(
        x=("x", 5e5 + grid_analysis.x.values, {"units": "m"}), y=grid_analysis.y + 4e6
    )
    figure = product_maps(coarse, "lai", count=1)
    found = figure.axes[0].images[0].get_extent()
    np.testing.assert_allclose(found, [500.305, 500.345, 4004.945, 4005.005], rtol=1e-12)
    assert {"x (km)", "y (km)"} <= labels(figure)
    counted = grid_analysis.assign_coords(x=("x", np.arange(5.0), {"units": "1"}), y=np.arange(7.0))
    figure = product_maps(counted, "lai", count=1)
    image = figure.axes[0].images[0]
    assert image.get_extent() == [0.5, 4.5, 5.5, -0.5]
    assert image.get_array()[0, 0] in counted.lai.sel(y=0, x=1).values
    assert {"column", "row"} <= labels(figure)


def test_channels_of_an_inspection_have_an_axis_for_each_unit() -> None:
    times, nothing = 17000.0 + np.arange(4), np.full((4, 3), np.nan)
    glance = Glance(times, ["a"] * 4, np.ones(4), nothing, nothing[:, :2], np.zeros(4, dtype=bool))
    ranges = {"a": {"B04": np.linspace(0, 0.1, 5), "LAI": np.linspace(0, 6, 5)}}
    units = {"B04": "reflectance", "LAI": "value (m² m⁻²)"}
    figure = overview(glance, ranges, {}, "ndvi", units)
    shown = {axes.get_ylabel(): axes for axes in figure.axes}
    ticks = [t.get_text() for u in units.values() for t in shown[u].get_xticklabels()]
    assert ticks == ["B04", "LAI"]
    assert shown["reflectance"].get_ylim()[1] < 0.2
    one = overview(glance, ranges, {}, "ndvi", dict.fromkeys(units, "reflectance"))
    assert len(one.axes) == 4


def test_products_of_analysis(point_analysis: xr.Dataset, grid_analysis: xr.Dataset) -> None:
    assert variables(point_analysis) == ["lai", "ndvi"]
    found = band(point_analysis, "lai", {"point": 2})
    assert found.quantiles.shape == (5, 30)
    np.testing.assert_allclose(found.quantiles[2], point_analysis.lai[:, 2])
    without = point_analysis.drop_vars("lai_quantile")
    assert band(without, "lai", {"point": 2}).quantiles.shape == (1, 30)
    places = spread_places(grid_analysis, "lai", 4)
    assert len(places) == 4
    assert all(np.isfinite(grid_analysis.lai.isel(place)).all() for place in places)
    wide = xr.Dataset({"lai": (("time", "y", "x"), np.zeros((1, 9, 9)))})
    assert [(p["y"], p["x"]) for p in spread_places(wide, "lai", 6)] == [
        (2, 1), (2, 4), (2, 7), (6, 1), (6, 4), (6, 7)
    ]  # fmt: skip
    assert len(spread_places(wide, "lai", 10**6)) == 81


def test_a_channel_without_an_estimated_error_is_marked() -> None:
    """Where Desroziers' product is negative there is no deviation to draw."""
    row = {"assumed": 0.02, "estimated": 0.03, "bias": 0.0, "sd": 0.02, "expected": 0.02,
           "residual_bias": 0.0, "residual_sd": 0.01, "n": 9}  # fmt: skip
    errors = {"B04": row, "B05": {**row, "estimated": None}}
    figure = plots.departures({"sentinel2a": {"errors": errors}})
    (cross,) = [line for line in figure.axes[2].lines if line.get_marker() == "x"]
    assert cross.get_xydata().tolist() == [[1.0, 0.0]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as of a layout that collapses
        plots.png(figure)


def test_forecasts_have_a_unit_and_whole_markers(run_scores: dict) -> None:
    figure = plots.by_horizon(run_scores, "ndvi", "m2 m-2")
    one = figure.axes[0]
    assert one.get_ylabel().endswith("(m² m⁻²)") and one.get_xlabel() == "days ahead"
    top = max(max(line.get_ydata()) for line in one.lines)
    assert one.get_ylim()[0] == 0.0 and one.get_ylim()[1] > 1.02 * top


def test_figures_leave_no_global_state_and_are_reproducible() -> None:
    before = dict(matplotlib.rcParams)
    line = plots.Band("truth", np.arange(3.0), np.ones((1, 3)))
    once = plots.png(plots.series([plots.Panel("a", "b", [line])]))
    again = plots.png(plots.series([plots.Panel("a", "b", [line])]))
    assert once == again and once.startswith(b"\x89PNG")
    saved = io.BytesIO()
    metadata = {"Software": None}
    plots.series([plots.Panel("a", "b", [line])]).savefig(saved, dpi="figure", metadata=metadata)
    assert saved.getvalue() == once
    assert dict(matplotlib.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert not sys.modules["matplotlib.pyplot"].get_fignums()


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [("LAI", "m2 m-2", "LAI (m² m⁻²)"), ("NDVI", "1", "NDVI"), ("x", "K", "x (K)")],
)
def test_labels_carry_units(name: str, unit: str, expected: str) -> None:
    assert style.label(name, unit) == expected
