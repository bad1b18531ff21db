"""Faults of whole series are found, named, and not seen where there are none."""

import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch

from releo_da.config.document import data_folder, load
from releo_da.config.sources import read_sources
from releo_da.observation.canopies import of_the_prior
from releo_da.observation.faults import find_faults, whole_spectra
from releo_da.observation.plausible import find_fault, population
from releo_da.observation.prosail import NodeBands
from releo_da.types import Acquisition

CHANNELS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
VIEWS = {"tts": (30.0, 55.0), "tto": (0.0, 10.0), "psi": (0.0, 180.0)}


@pytest.fixture(scope="module")
def spectra() -> torch.Tensor:
    """Of canopies drawn by another seed than the population's, with noise, ``[600, channel]``."""
    generator = torch.Generator().manual_seed(7)
    inputs = of_the_prior(600, generator, VIEWS)
    seen = NodeBands({"sentinel2a": CHANNELS}, 1e-3)(
        "sentinel2a", inputs, *(inputs[name] for name in VIEWS)
    )
    noise = 0.01 * torch.randn(seen.shape, generator=generator, dtype=seen.dtype)
    return (seen + noise).clamp_min(1e-3)


def exchanged(spectra: torch.Tensor, one: str, other: str) -> torch.Tensor:
    order = list(range(len(CHANNELS)))
    i, j = CHANNELS.index(one), CHANNELS.index(other)
    order[i], order[j] = j, i
    return spectra[:, order]


def acquisitions(spectra: torch.Tensor, per_date: int = 60) -> list[Acquisition]:
    return [
        Acquisition(
            18_000.0 + 5 * k,
            "sentinel2a",
            part.float(),
            torch.full_like(part, 0.02).float(),
            torch.zeros(len(part), 3),
            f"product {k}",
        )
        for k, part in enumerate(spectra.split(per_date))
    ]


def test_the_distance_of_the_population_is_that_of_its_moments() -> None:
    known = population("sentinel2a", CHANNELS)
    size = len(CHANNELS)
    cholesky = torch.linalg.cholesky(torch.linalg.inv(known.precision))
    drawn = torch.randn(4000, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    median = size * (1 - 2 / (9 * size)) ** 3  # Wilson and Hilferty (1931)
    assert known.distance(known.mean + drawn @ cholesky.T) == pytest.approx(median, rel=0.05)


def test_spectra_of_land_are_plausible(spectra: torch.Tensor) -> None:
    assert find_fault(spectra, "sentinel2a", CHANNELS) is None
    assert find_faults(acquisitions(spectra), {"sentinel2a": CHANNELS}) == []


@pytest.mark.parametrize("pair", [("B02", "B08"), ("B04", "B05"), ("B8A", "B11"), ("B11", "B12")])
def test_exchanged_channels_are_named(spectra: torch.Tensor, pair: tuple[str, str]) -> None:
    (found,) = find_faults(acquisitions(exchanged(spectra, *pair)), {"sentinel2a": CHANNELS})
    assert found.kind == "exchanged"
    assert found.sure
    assert f"{pair[0]} and {pair[1]} stand in each other's place" in found.message


def test_most_exchanges_are_found_and_none_is_taken_for_another(spectra: torch.Tensor) -> None:
    sure, wrong = 0, []
    pairs = list(combinations(CHANNELS, 2))
    for pair in pairs:
        fault = find_fault(exchanged(spectra, *pair), "sentinel2a", CHANNELS)
        if fault is not None and fault.sure:
            sure += 1
            if fault.exchanged != (pair,) or fault.offset:
                wrong.append((pair, fault))
    assert not wrong
    assert sure >= 0.8 * len(pairs)


@pytest.mark.parametrize("offset", [0.1, -0.1])
def test_a_constant_in_every_date_is_named(spectra: torch.Tensor, offset: float) -> None:
    fault = find_fault(spectra + offset, "sentinel2a", CHANNELS)
    assert fault is not None
    assert fault.sure
    assert fault.offset == offset
    assert not fault.exchanged
    assert "-1000 digital counts" in str(fault)


SURFACES = {
    "water": [0.05, 0.04, 0.025, 0.02, 0.012, 0.011, 0.01, 0.009, 0.005, 0.004],
    "turbid water": [0.09, 0.13, 0.14, 0.13, 0.11, 0.1, 0.09, 0.08, 0.03, 0.02],
    "sand": [0.12, 0.2, 0.3, 0.34, 0.36, 0.38, 0.39, 0.4, 0.5, 0.47],
    "burnt": [0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.25, 0.24],
    "burnt, severe": [0.035, 0.045, 0.055, 0.06, 0.07, 0.08, 0.09, 0.1, 0.2, 0.25],
    "city": [0.14, 0.16, 0.18, 0.19, 0.21, 0.22, 0.23, 0.24, 0.26, 0.24],
    "lichen": [0.14, 0.18, 0.22, 0.25, 0.3, 0.33, 0.36, 0.38, 0.38, 0.26],
    "canola": [0.05, 0.17, 0.15, 0.22, 0.4, 0.48, 0.5, 0.52, 0.24, 0.12],
    "red foliage": [0.03, 0.05, 0.12, 0.15, 0.3, 0.38, 0.4, 0.42, 0.2, 0.09],
    "haze": [0.13, 0.15, 0.13, 0.17, 0.35, 0.41, 0.42, 0.44, 0.26, 0.16],
    "snow": [0.85, 0.84, 0.82, 0.8, 0.79, 0.77, 0.75, 0.73, 0.1, 0.08],
    "snow under trees": [0.3, 0.3, 0.29, 0.32, 0.42, 0.45, 0.45, 0.45, 0.12, 0.06],
}
"""What is no canopy of the prior, in round numbers: the shapes count."""


@pytest.mark.parametrize("chosen", [range(10), [0, 1, 2, 7, 8, 9], [0, 1, 2, 6], [1, 2, 6, 8]])
@pytest.mark.parametrize("surface", SURFACES)
def test_rare_surfaces_are_not_refused(surface: str, chosen: Sequence[int]) -> None:
    chosen = list(chosen)
    generator = torch.Generator().manual_seed(3)
    bright = 1 + 0.15 * torch.randn(300, 1, generator=generator, dtype=torch.float64)
    noise = 0.005 * torch.randn(300, len(chosen), generator=generator, dtype=torch.float64)
    typical = torch.tensor(SURFACES[surface], dtype=torch.float64)[chosen]
    seen = (typical * bright + noise).clamp_min(1e-3)
    fault = find_fault(seen, "sentinel2a", [CHANNELS[k] for k in chosen])
    assert fault is None or not fault.sure
    if surface == "snow":
        assert "unlike any of land" in str(fault)


def test_a_constant_channel_is_named(spectra: torch.Tensor) -> None:
    flat = spectra.clone()
    flat[:, 3] = 0.2
    found = [
        f for f in find_faults(acquisitions(flat), {"sentinel2a": CHANNELS}) if f.kind == "constant"
    ]
    assert len(found) == 1
    assert found[0].sure
    assert "B05 is 0.2 at all 600" in found[0].message


def test_a_copy_under_another_date_is_named(spectra: torch.Tensor) -> None:
    series = acquisitions(spectra)
    series[4] = series[4]._replace(values=series[2].values)
    (found,) = find_faults(series, {"sentinel2a": CHANNELS})
    assert found.kind == "repeated"
    assert not found.sure
    assert "product 4 has the values of product 2" in found.message


def test_an_offset_taken_off_twice_leaves_nothing_in_dark_channels() -> None:
    lost = dict.fromkeys(("B02", "B03", "B04", "B05"), 60)
    record: dict[str, Any] = {
        "kind": "values",
        "path": "x.nc",
        "read": 1000,
        "by_channel": {"not positive": lost, "masked": dict.fromkeys(CHANNELS, 20)},
    }
    (found,) = find_faults([], {"sentinel2a": CHANNELS}, [record])
    assert found.kind == "offset"
    assert found.sure
    assert "applied twice" in found.message
    fewer = {**record, "by_channel": {"not positive": {"B02": 60, "B04": 60}}}
    (found,) = find_faults([], {"sentinel2a": CHANNELS}, [fewer])
    assert (found.kind, found.sure) == ("unlike", False)


def test_few_or_dark_spectra_are_not_judged(spectra: torch.Tensor) -> None:
    assert find_fault(spectra[:10] + 5.0, "sentinel2a", CHANNELS) is None
    assert find_fault(spectra * 0.01, "sentinel2a", CHANNELS) is None
    assert math.isfinite(population("sentinel2a", CHANNELS).far)


@pytest.mark.parametrize(
    ("config", "folder", "pairs"),
    [
        ("toulouse/config", "cesbio_insitu_france_2017_2018", (39, 45)),
        ("swiss_wheat/strickhof", "swiss_wheat_2022_strickhof_arenenberg", (33, 36)),
        ("hls_fire/config", "hls_pixel_sichuan_fire", (12, 15)),
    ],
)
def test_real_series_have_no_fault_until_one_is_made(
    config: str, folder: str, pairs: tuple[int, int]
) -> None:
    """The first sensor of each; the figures of docs/how-to/inspect.md."""
    if not (data_folder() / folder).exists():
        pytest.skip(f"needs {folder} under RELEO_DATA")
    path = Path(__file__).parents[2] / "experiments" / f"{config}.yaml"
    series = read_sources(load(path))
    sensor, names = next(iter(series.channels.items()))
    assert find_faults(series.acquisitions, series.channels) == []
    own = [a for a in series.acquisitions if a.sensor == sensor]
    spectra, plain = whole_spectra(own, sensor, names)
    found, made = 0, list(combinations(range(len(plain)), 2))
    for i, j in made:
        order = list(range(len(plain)))
        order[i], order[j] = j, i
        fault = find_fault(spectra[:, order], sensor, plain)
        if fault is not None and fault.sure:
            assert fault.exchanged == ((plain[i], plain[j]),)
            found += 1
    assert (found, len(made)) == pairs


def test_a_scale_ten_times_too_small_is_told(spectra: torch.Tensor) -> None:
    (found,) = find_faults(acquisitions(0.1 * spectra), {"sentinel2a": CHANNELS})
    assert (found.kind, found.sure) == ("unlike", False)
    assert "scale ten times too small" in found.message
