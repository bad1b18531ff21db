"""Numbers in another unit are refused with the scale that would be right."""

import numpy as np
import pytest

from releo_da.io.layout import Layout
from releo_da.io.magnitude import check_magnitude
from releo_da.types import InputError

LAYOUT = Layout("x.nc", "time", ("pixel",), "channel")
RNG = np.random.default_rng(0)
LAND = RNG.uniform(0.02, 0.5, (20, 5, 4))


def check(values: np.ndarray, scale: float = 1.0, **options: object) -> None:
    clear = options.pop("clear", np.ones((20, 5, 1), dtype=bool))
    channels, limits = ["B02", "B03", "B04", "B08"], options.pop("limits", [None] * 4)
    check_magnitude(values, clear, channels, limits, (0.0, 1.6), scale, LAYOUT)  # type: ignore[arg-type]


def check_passes(values: np.ndarray, **options: object) -> None:
    """Nothing is refused: what `check_magnitude` says, it says by an error."""
    assert check(values, **options) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("power", "unit", "right"),
    [(2, "percent", "0.01"), (3, "thousandths", "0.001"), (4, "ten thousandths", "0.0001")],
)
def test_the_unit_is_named(power: int, unit: str, right: str) -> None:
    with pytest.raises(InputError, match=f"look like {unit}; .*'scale': {right} "):
        check(LAND * 10.0**power)


def test_a_scale_applied_twice_is_named() -> None:
    with pytest.raises(InputError, match="darker than any surface: scaled twice"):
        check(LAND * 1e-4, scale=1e-4)


def test_reflectances_pass() -> None:
    check_passes(LAND)
    check_passes(np.where(RNG.random(LAND.shape) < 0.2, 1.2, LAND))  # cloud
    check_passes(LAND * 0.05)  # water


def test_fill_values_and_masked_values_do_not_count() -> None:
    check_passes(np.where(RNG.random(LAND.shape) < 0.46, 65535 * 1e-4, LAND))
    check_passes(np.where(RNG.random(LAND.shape) < 0.5, np.nan, LAND))
    dark = RNG.random((20, 5, 1)) < 0.5
    check_passes(np.where(dark, 1e4 * LAND, LAND), clear=~dark)


@pytest.mark.parametrize(
    ("upper", "power", "unit", "right"),
    [
        (1.0, 2, "percent", "0.01"),
        (1.0, 4, "ten thousandths", "0.0001"),
        (10.0, 1, r"10\^1 times the values", "0.1"),
    ],
)
def test_indices_and_estimates_in_another_unit_are_named(
    upper: float, power: int, unit: str, right: str
) -> None:
    """A few values within the limits, and a reflectance beside, do not hide it."""
    index = LAND.copy()
    index[..., 0] = RNG.uniform(0.2, 0.9, (20, 5)) * upper * 10.0**power
    index[::8, :, 0] = 0.5 * upper
    limits = [(0.0, upper), None, None, None]
    with pytest.raises(InputError, match=f"values of B02 .* look like {unit}; .*'scale': {right}$"):
        check(index, limits=limits)
    check(index * np.array([10.0**-power, 1, 1, 1]), limits=limits)


def test_a_fill_value_of_an_index_counts_once() -> None:
    index = LAND.copy()
    index[..., 0] = np.where(RNG.random((20, 5)) < 0.8, 255.0, index[..., 0])
    check_passes(index, limits=[(-1.0, 1.0), None, None, None])
