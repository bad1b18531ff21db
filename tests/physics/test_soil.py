"""Soil: water films over a background, and spectra of the user's own."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import canopy, prosail
from releo_da.physics.published import published
from releo_da.physics.soil import moistened, soil_reflectance
from releo_da.physics.soil_spectra import SoilSpectra, read_soil
from releo_da.types import InputError

from .cases import random_cases

OPTICS = load_optics(dtype=torch.float64)
LEVELS = torch.tensor([0.05, 0.08, 0.15, 0.25, 0.35, 0.45, 0.55], dtype=torch.float64)


def soil(moisture, psoil=1.0, rsoil=0.8, optics=OPTICS):
    like = torch.as_tensor(moisture, dtype=torch.float64)
    v = {"psoil": torch.full_like(like, psoil), "rsoil": torch.full_like(like, rsoil)}
    return soil_reflectance({**v, "soil_moisture": like}, optics)


def background(psoil=1.0, rsoil=0.8):
    one = torch.ones((), dtype=torch.float64)
    return soil_reflectance({"psoil": psoil * one, "rsoil": rsoil * one}, OPTICS)


def test_up_to_five_percent_of_water_nothing_changes():
    for moisture in (0.0, 0.03, 0.05):
        assert torch.equal(soil(moisture, 0.6), background(0.6))
    cases = random_cases(20)
    expected = canopy(cases.variables, *cases.angles, OPTICS)
    dry = {**cases.variables, "soil_moisture": torch.full((20,), 0.04, dtype=torch.float64)}
    for a, b in zip(canopy(dry, *cases.angles, OPTICS), expected, strict=True):
        assert torch.equal(a, b)


def fresnel(angle, n):
    """Mean transmissivity within a cone, by numerical integration of Fresnel's formulae."""

    def transmissivity(square):
        i = np.arcsin(np.sqrt(square))
        r = np.arcsin(np.sin(i) / n)
        a, b = np.cos(i), np.cos(r)
        s = ((a - n * b) / (a + n * b)) ** 2
        p = ((n * a - b) / (n * a + b)) ** 2
        return 1.0 - 0.5 * (s + p)

    top = np.sin(np.radians(angle)) ** 2
    return integrate.quad(transmissivity, 0.0, top, epsabs=1e-11)[0] / top


@pytest.mark.parametrize("moisture", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("wavelength", [450, 1450, 2200])
def test_films_by_an_independent_sum(moisture, wavelength):
    water = published("water")
    n = np.interp(wavelength, water["wavelength"], water["refractive"])
    absorption = float(OPTICS.k_water[wavelength - 400])
    r = float(background(0.7)[wavelength - 400])
    below = 1.0 - (1.0 - r) * (r * fresnel(90.0, 2.0 / n) / fresnel(90.0, 2.0) + 1.0 - r)
    top, p = 1.0 - fresnel(40.0, n), 1.0 - fresnel(90.0, n) / n**2
    mean = (moisture - 0.05) / 0.25
    expected = stats.poisson.pmf(0, mean) * r
    for k in range(1, 7):
        t = np.exp(-2.0 * absorption * k * 0.015)
        film = top + (1.0 - top) * (1.0 - p) * t * below / (1.0 - p * t * below)
        chance = stats.poisson.pmf(k, mean) if k < 6 else stats.poisson.sf(5, mean)
        expected += chance * film
    assert float(soil(moisture, 0.7)[wavelength - 400]) == pytest.approx(expected, abs=1e-9)


def test_water_darkens_the_shortwave_infrared_more_and_more():
    for psoil, rsoil in ((1.0, 0.6), (1.0, 1.2), (0.5, 1.0)):
        spectra = soil(LEVELS, psoil, rsoil)[:, 600:]
        assert (spectra.diff(dim=0) < 0.0).all()


def test_bands_of_water_deepen():
    spectra = soil(LEVELS)
    for low, centre, high in ((1300, 1450, 1650), (1820, 1930, 2130)):
        share = (centre - low) / (high - low)
        line = spectra[:, low - 400] * (1.0 - share) + spectra[:, high - 400] * share
        depth = 1.0 - spectra[:, centre - 400] / line
        assert (depth.diff() > 0.02).all()


def test_films_conserve_energy():
    r = torch.linspace(0.0, 1.0, 101, dtype=torch.float64).unsqueeze(-1)
    for moisture in LEVELS:
        wet = moistened(r, moisture, OPTICS)
        assert wet.min() >= 0.0
        assert wet.max() <= 1.0 + 1e-12
        clear = OPTICS._replace(film_pass=torch.ones_like(OPTICS.film_pass))
        assert torch.allclose(moistened(r[-1:], moisture, clear), torch.ones(1, 2101).double())


def test_moisture_is_seen_through_a_canopy():
    cases = random_cases(30, seed=1)
    v = {**cases.variables, "lai": torch.full((30,), 0.5, dtype=torch.float64)}
    optics = load_optics((865, 1610, 2190), dtype=torch.float64)
    dry, wet = (
        prosail({**v, "soil_moisture": torch.full_like(v["lai"], w)}, *cases.angles, optics)
        for w in (0.05, 0.35)
    )
    assert ((dry - wet)[:, 1:] > 0.0).all()
    bare = {**v, "lai": 0.0 * v["lai"], "soil_moisture": torch.full_like(v["lai"], 0.3)}
    seen = prosail(bare, *cases.angles, optics)
    assert torch.allclose(seen, soil_reflectance(bare, optics), rtol=1e-12)


def spectrum_file(path, columns="wavelength,dry,wet", scale=1.0, rows=None):
    if rows is None:
        w = np.arange(350, 2520, 10)
        rows = np.stack([w * scale, 0.1 + w / 1e4, 0.05 + w / 2e4], 1)[:, : columns.count(",") + 1]
    lines = [",".join(f"{x}" for x in row) for row in rows]
    path.write_text("# from the field\n" + columns + "\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("scale", [1.0, 0.001])
def test_a_soil_of_ones_own(tmp_path, scale):
    spectra = read_soil(spectrum_file(tmp_path / "soil.csv", scale=scale))
    w = torch.arange(400.0, 2501.0, dtype=torch.float64)
    assert torch.allclose(spectra.dry, 0.1 + w / 1e4)
    assert torch.allclose(spectra.wet, 0.05 + w / 2e4)
    optics = load_optics((500, 1600), dtype=torch.float64, soil=spectra)
    one = torch.ones((), dtype=torch.float64)
    mixed = soil_reflectance({"psoil": 0.25 * one, "rsoil": 2.0 * one}, optics)
    assert mixed.tolist() == pytest.approx([2 * (0.25 * 0.15 + 0.75 * 0.075), 2 * 0.1625])
    assert torch.equal(load_optics((500,)).soil_dry, load_optics().soil_dry[100:101])


def test_one_spectrum_is_both_dry_and_wet(tmp_path):
    spectra = read_soil(spectrum_file(tmp_path / "soil.csv", "wavelength,dry"))
    assert torch.equal(spectra.dry, spectra.wet)


def grid(*changes, scale=1.0):
    """Wavelengths every 100 nm with a reflectance of 0.2, some cells changed."""
    rows = [[w * scale, 0.2] for w in range(400, 2501, 100)]
    for row, column, value in changes:
        rows[row][column] = value
    return rows


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        ("wavelength,dry", grid((3, 1, -0.1)), r"row 4 \(line 6\), column 'dry': -0.1 is out of"),
        ("wavelength,dry", grid((3, 1, 20.0)), r"row 4 .*column 'dry'.* reflectances from 0 to 1"),
        ("wavelength,dry", grid((5, 1, "nan")), r"row 6 .*column 'dry': 'nan' is not a finite"),
        ("wavelength,dry", grid((0, 1, "")), r"row 1 .*column 'dry': '' is not a finite"),
        ("wavelength,dry", grid((2, 0, 450.0)), r"row 3 .*'wavelength': 450 follows 500; sort"),
        ("wavelength,dry", grid((2, 0, 500.0)), r"row 3 .*'wavelength': 500 follows 500; sort"),
        ("wavelength,dry", grid((0, 0, 0.4)) , r"row 1 .*'wavelength': 0.4 is in um"),
        ("wavelength,dry", grid()[1:], r"column 'wavelength'.* cover 500-2500 nm; 400-2500"),
        ("wavelength,dry", grid(scale=0.001)[:-1], r"cover 400-2400 nm"),
        ("wavelength,dry", [[*grid()[0], 3], *grid()[1:]], r"row 1 .*3 cells under 2 columns"),
        ("nm,dry", grid(), r"columns nm, dry; the header must name wavelength and dry"),
        ("wavelength,wet", grid(), r"the header must name wavelength and dry"),
        ("wavelength,dry", [], r"at least two rows"),
        ("wavelength,dry", grid((4, 1, '"' + 140_000 * "9")), r"line 7: no row of a CSV \(field"),
    ],
)  # fmt: skip
def test_bad_soil_files_are_named(tmp_path, columns, rows, message):
    path = spectrum_file(tmp_path / "soil.csv", columns, rows=rows)
    with pytest.raises(InputError, match=message) as error:
        read_soil(path)
    assert str(path) in str(error.value)


def test_a_missing_soil_file_and_a_short_spectrum(tmp_path):
    with pytest.raises(InputError, match="not a readable text file"):
        read_soil(tmp_path / "none.csv")
    with pytest.raises(InputError, match="2101 values"):
        load_optics(soil=SoilSpectra(torch.ones(5), torch.ones(5)))
    with pytest.raises(InputError, match="rsoil"):
        soil_reflectance({"psoil": torch.ones(1)}, OPTICS)
