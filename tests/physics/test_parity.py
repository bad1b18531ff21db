"""Parity with an independent implementation of the same published model (a test extra)."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import VARIABLES, canopy, prosail
from releo_da.physics.prospect import prospect
from releo_da.physics.sail import four_sail
from releo_da.physics.soil import soil_reflectance

from .cases import Cases, all_cases, random_cases, with_slopes

oracle = pytest.importorskip("prosail")
FourSAIL = pytest.importorskip("prosail.FourSAIL")

FACTORS = ("sdr", "bhr", "dhr", "hdr")


def tight_verhoef(a: float, b: float, n_elements: int = 18) -> np.ndarray:
    """Class weights from roots to rounding error."""

    def less_steep(theta: float) -> float:
        def excess(x: float) -> float:
            return x - a * np.sin(x) - 0.5 * b * np.sin(2.0 * x) - 2.0 * theta

        return 2.0 / np.pi * (brentq(excess, 0.0, np.pi, xtol=1e-15) - theta)

    edges = np.arange(1, n_elements) * (np.pi / 2.0 / n_elements)
    return np.diff([0.0, *(less_steep(edge) for edge in edges), 1.0])


def oracle_spectra(cases: Cases, version: str = "D") -> np.ndarray:
    """Its four factors, ``[case, factor, 2101]``."""
    rows = []
    for i in range(len(cases.angles[0])):
        v = {name: float(value[i]) for name, value in cases.variables.items()}
        angles = [float(a[i]) for a in cases.angles]
        if "ala" in v:
            leaves = {"lidfa": v["ala"], "typelidf": 2}
        else:
            leaves = {"lidfa": v["lidfa"], "lidfb": v["lidfb"], "typelidf": 1}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            factors = oracle.run_prosail(
                v["n"], v["cab"], v["car"], v["cbrown"], v["cw"], v["cm"], v["lai"],
                hspot=v["hspot"], tts=angles[0], tto=angles[1], psi=angles[2], ant=v["ant"],
                prospect_version=version, rsoil=v["rsoil"], psoil=v["psoil"], factor="ALL",
                **leaves,
            )  # fmt: skip
        rows.append(np.stack([np.broadcast_to(f, 2101) for f in factors]))
    return np.stack(rows)


class Kind(NamedTuple):
    cases: Cases
    leaf: str
    version: str


KINDS = {
    "campbell": Kind(all_cases(400), "prospect_d", "D"),
    "verhoef": Kind(with_slopes(all_cases(270, seed=2)), "prospect_d", "D"),
    "prospect_5": Kind(all_cases(170, seed=4), "prospect_5", "5"),
    "prospect_5_verhoef": Kind(with_slopes(all_cases(50, seed=6)), "prospect_5", "5"),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def reference(kind) -> np.ndarray:
    """Verhoef's equation is solved to 1e-8 at best by the oracle, so here it gets exact weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FourSAIL, "verhoef_bimodal", tight_verhoef)
        spectra = oracle_spectra(kind.cases, kind.version)
    assert np.isfinite(spectra).all()
    return spectra


def test_there_are_a_thousand_cases():
    assert sum(len(kind.cases.angles[0]) for kind in KINDS.values()) >= 1000


def test_verhoef_as_the_oracle_solves_it():
    """Away from the plagiophile corner its own iteration is good enough."""
    cases = with_slopes(random_cases(60, seed=26), margin=0.2)
    result = canopy(cases.variables, *cases.angles, load_optics(dtype=torch.float64))
    for field, expected in zip(result, oracle_spectra(cases).swapaxes(0, 1), strict=False):
        assert np.abs(field.numpy() - expected).max() <= 1e-7


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 2e-5)])
def test_all_factors(kind, reference, dtype, tolerance):
    part = kind.cases.to(dtype)
    result = canopy(part.variables, *part.angles, load_optics(dtype=dtype, leaf=kind.leaf))
    for i, name in enumerate(FACTORS):
        error = np.abs(getattr(result, name).double().numpy() - reference[:, i]).max(-1)
        assert error.max() <= tolerance, f"{name}: {error.max():.2e} in row {error.argmax()}"


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 2e-5)])
def test_few_wavelengths_take_the_other_layout(kind, reference, dtype, tolerance):
    part = kind.cases.to(dtype)
    wavelengths = range(400, 2501, 70)
    optics = load_optics(wavelengths, dtype=dtype, leaf=kind.leaf)
    assert len(part.angles[0]) > len(wavelengths)
    result = prosail(part.variables, *part.angles, optics).double().numpy()
    assert np.abs(result - reference[:, 0, ::70]).max() <= tolerance


def test_parts_equal_the_whole(kind, reference):
    optics = load_optics(dtype=torch.float64, leaf=kind.leaf)
    cases = kind.cases[-40:]
    v = cases.variables
    rho, tau = prospect(*(v[k] for k in ("n", "cab", "car", "ant", "cbrown", "cw", "cm")), optics)
    result = four_sail(rho, tau, soil_reflectance(v, optics), v, *cases.angles)
    for i, name in enumerate(FACTORS):
        assert np.abs(getattr(result, name).numpy() - reference[-40:, i]).max() <= 1e-7


# The oracle holds the coefficients of PROSPECT-5 rounded to float32.
@pytest.mark.parametrize(
    ("version", "table", "tolerance"), [("D", "prospect_d", 1e-9), ("5", "prospect_5", 5e-8)]
)
def test_leaf(version, table, tolerance):
    generator = np.random.default_rng(2)
    optics = load_optics(dtype=torch.float64, leaf=table)
    for _ in range(20):
        n, cab, car, ant, brown, cw, cm = generator.uniform(
            [1.0, 0, 0, 0, 0, 0, 1e-4], [3.0, 100, 25, 10, 2, 0.08, 0.02]
        )
        given = {"ant": ant, "prospect_version": version}
        _, r, t = oracle.run_prospect(n, cab, car, brown, cw, cm, **given)
        values = torch.tensor([n, cab, car, ant, brown, cw, cm], dtype=torch.float64)
        rho, tau = prospect(*values, optics)
        assert np.abs(rho.numpy() - r).max() < tolerance
        assert np.abs(tau.numpy() - t).max() < tolerance


# Interior points: a sparse, a usual and a dense canopy; angles of the sun and the view.
POINTS = (
    ((1.6, 42.0, 9.0, 2.0, 0.3, 0.02, 0.006, 2.5, 52.0, 0.15, 0.4, 0.9), (35.0, 20.0, 70.0)),
    ((1.2, 15.0, 5.0, 0.5, 1.0, 0.01, 0.003, 0.4, 65.0, 0.05, 0.8, 0.7), (60.0, 35.0, 150.0)),
    ((2.2, 80.0, 18.0, 4.0, 0.1, 0.04, 0.010, 6.0, 35.0, 0.40, 0.2, 1.2), (25.0, 10.0, 5.0)),
)


@pytest.mark.parametrize(("values", "angles"), POINTS)
def test_gradients_follow_the_oracle(values, angles):
    """Central differences of the oracle agree with our derivatives for each variable."""
    cases = Cases(
        {
            name: torch.tensor([value], dtype=torch.float64)
            for name, value in zip(VARIABLES, values, strict=True)
        },
        tuple(torch.tensor([a], dtype=torch.float64) for a in angles),
    )
    optics = load_optics(dtype=torch.float64)
    base = cases.variables
    for name in VARIABLES:
        step = 1e-4 * float(base[name])
        up, down = ({**base, name: base[name] + s} for s in (step, -step))
        rows = Cases({k: torch.cat((up[k], down[k])) for k in VARIABLES}, tuple(
            a.expand(2) for a in cases.angles))  # fmt: skip
        high, low = oracle_spectra(rows)[:, 0]
        expected = (high - low) / (2.0 * step)
        _, slope = torch.func.jvp(
            lambda x, name=name: prosail({**base, name: x}, *cases.angles, optics),
            (base[name],),
            (torch.ones_like(base[name]),),
        )
        error = np.abs(slope[0].numpy() - expected).max() / np.abs(expected).max()
        assert error < 1e-5, f"{name}: {error:.1e}"
