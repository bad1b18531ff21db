"""Derivatives of the composed model, for every variable, in both modes."""

import pytest
import torch

from releo_da.physics import prosail as module
from releo_da.physics.leaf_angles import VERHOEF
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import VARIABLES, canopy, prosail

from .cases import (
    CONTENTS,
    CORNERS,
    EDGES,
    all_cases,
    edge_cases,
    random_cases,
    with_moisture,
    with_slopes,
)  # fmt: skip

WAVELENGTHS = (443, 490, 560, 665, 705, 783, 865, 1240, 1610, 1940, 2190)
OPTICS = load_optics(WAVELENGTHS, dtype=torch.float64)


# Step of the difference, and the least value at which it is taken.
STEPS = {
    "n": (1e-3, 1.01),
    "cab": (1e-3, 1.0),
    "car": (1e-3, 1.0),
    "ant": (1e-3, 1.0),
    "cbrown": (1e-3, 0.1),
    "cw": (1e-5, 1e-3),
    "cm": (1e-6, 0.002),
    "lai": (1e-3, 0.05),
    "ala": (1e-3, 5.0),
    "lidfa": (1e-3, -1.0),
    "lidfb": (1e-3, -1.0),
    "hspot": (1e-4, 0.02),
    "soil_moisture": (1e-3, 0.06),
    "psoil": (1e-3, 0.0),
    "rsoil": (1e-3, 0.0),
}


def having(cases, name, margin=0.0):
    """The cases, with a variable that stands beside the usual ones."""
    if name == "soil_moisture":
        return with_moisture(cases)
    return with_slopes(cases, margin=margin) if name in VERHOEF else cases


def derivative(cases, name, function=prosail, optics=OPTICS):
    """Derivative of each spectrum with respect to its own variable, forward mode."""

    def along(x):
        return function({**cases.variables, name: x}, *cases.angles, optics)

    x = cases.variables[name]
    return torch.func.jvp(along, (x,), (torch.ones_like(x),))[1]


def central_difference(cases, name, step, function=prosail):
    """Fourth-order central differences."""

    def at(offset):
        variables = {**cases.variables, name: cases.variables[name] + offset}
        return function(variables, *cases.angles, OPTICS)

    far, near = at(2 * step) - at(-2 * step), at(step) - at(-step)
    return (8.0 * near - far) / (12.0 * step)


@pytest.mark.parametrize("name", STEPS)
def test_each_variable_against_central_differences(name):
    cases = having(random_cases(200, seed=3), name, margin=0.1)
    # Steps stay inside the domain, and below the scale on which each variable acts.
    step, least = STEPS[name]
    cases.variables[name] = cases.variables[name].clamp(min=least)
    cases.variables["cm"] = cases.variables["cm"].clamp(min=0.002)
    exact = derivative(cases, name)
    estimate = central_difference(cases, name, step)
    size = exact.abs().amax(-1, keepdim=True).clamp_min(1e-9 / step)
    error = ((exact - estimate).abs() / size).amax(-1)
    assert error.max() < 1e-5, f"{error.max():.1e} in row {int(error.argmax())}"


@pytest.mark.parametrize("name", STEPS)
def test_forward_and_reverse_mode_agree(name):
    cases = having(all_cases(50, seed=5), name)
    forward = derivative(cases, name)
    x = cases.variables[name].clone().requires_grad_()
    spectra = prosail({**cases.variables, name: x}, *cases.angles, OPTICS)
    for w in range(len(WAVELENGTHS)):
        (reverse,) = torch.autograd.grad(spectra[:, w].sum(), x, retain_graph=True)
        assert torch.allclose(reverse, forward[:, w], rtol=1e-8, atol=1e-9)


def test_gradcheck_of_all_factors():
    cases = random_cases(2, seed=6)
    optics = load_optics((560, 865), dtype=torch.float64)
    values = [cases.variables[name].clone().requires_grad_() for name in VARIABLES]

    def factors(*inputs):
        return tuple(canopy(dict(zip(VARIABLES, inputs, strict=True)), *cases.angles, optics))

    assert torch.autograd.gradcheck(factors, values, check_forward_ad=True, atol=1e-6, rtol=1e-5)


def bare_leaf(dtype, verhoef=False):
    """The edge rows, and below them the same with leaves that hold nothing at all.

    With Verhoef's leaf angles, those of `CORNERS` in turn, and soils from dry to wet.
    """
    cases = edge_cases(seed=7)
    empty = edge_cases(seed=7)
    for name in CONTENTS:
        empty.variables[name] = torch.zeros_like(empty.variables[name])
    variables = {k: torch.cat((cases.variables[k], empty.variables[k])) for k in VARIABLES}
    angles = tuple(torch.cat((a, a)) for a in cases.angles)
    rows = torch.arange(len(angles[0]))
    if verhoef:
        corners = torch.tensor(CORNERS, dtype=torch.float64)[rows % len(CORNERS)]
        del variables["ala"]
        variables |= {"lidfa": corners[:, 0], "lidfb": corners[:, 1]}
        variables["soil_moisture"] = torch.tensor([0.0, 0.05, 0.3, 0.9]).double()[rows % 4]
    return {k: v.to(dtype) for k, v in variables.items()}, tuple(a.to(dtype) for a in angles)


@pytest.mark.parametrize("verhoef", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("wavelengths", [WAVELENGTHS, range(400, 2501, 10)])
def test_finite_on_every_edge(dtype, wavelengths, verhoef):
    variables, angles = bare_leaf(dtype, verhoef)
    assert len(angles[0]) == 2 * len(EDGES)
    inputs = {k: v.clone().requires_grad_() for k, v in variables.items()}
    inputs |= {f"angle {i}": a.clone().requires_grad_() for i, a in enumerate(angles)}
    moved = [inputs[f"angle {i}"] for i in range(3)]
    result = canopy(inputs, *moved, load_optics(wavelengths, dtype=dtype))
    for name, field in zip(result._fields, result, strict=True):
        assert torch.isfinite(field).all(), name
        slopes = torch.autograd.grad(
            field.sum(), list(inputs.values()), retain_graph=True, allow_unused=True
        )
        for variable, slope in zip(inputs, slopes, strict=True):
            assert slope is None or torch.isfinite(slope).all(), (name, variable)


@pytest.mark.parametrize("verhoef", [False, True])
def test_float32_is_close_to_float64_on_every_edge(verhoef):
    variables, angles = bare_leaf(torch.float32, verhoef)
    single = canopy(variables, *angles, load_optics(WAVELENGTHS))
    double = canopy(
        {k: v.double() for k, v in variables.items()}, *(a.double() for a in angles), OPTICS
    )
    for name, a, b in zip(single._fields, single, double, strict=True):
        assert (a.double() - b).abs().max() < 2e-5, name


def test_float32_gradients_are_accurate():
    for name in STEPS:
        single = having(random_cases(100, seed=8), name, margin=0.1).to(torch.float32)
        rounded = single.to(torch.float64)
        a = derivative(single, name, optics=load_optics(WAVELENGTHS)).double()
        b = derivative(rounded, name)
        assert (a - b).abs().max() < 1e-4 * b.abs().max(), name


def test_second_derivatives():
    cases = random_cases(2, seed=9)
    optics = load_optics((560, 865), dtype=torch.float64)
    names = ("n", "cab", "cm", "lai", "ala")
    fixed = cases.variables
    values = [fixed[name].clone().requires_grad_() for name in names]

    def spectra(*inputs):
        return prosail({**fixed, **dict(zip(names, inputs, strict=True))}, *cases.angles, optics)

    assert torch.autograd.gradgradcheck(spectra, values, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("function", [prosail, lambda *inputs: canopy(*inputs).bhr])
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("chunk", [module.CHUNK, 32 * len(WAVELENGTHS)])
def test_vmap_and_jacobians(monkeypatch, function, grad, chunk):
    """Of one chunk and of several, and with the tape switched off."""
    monkeypatch.setattr(module, "CHUNK", chunk)
    cases = with_moisture(with_slopes(random_cases(4 * 40, seed=10), margin=0.1))
    variables = {k: v.reshape(4, 40) for k, v in cases.variables.items()}
    angles = [a.reshape(4, 40) for a in cases.angles]
    expected = function(variables, *angles, OPTICS)
    names = ("cab", "lai", "lidfa", "soil_moisture")

    def one(free, rest, *angles):
        return function({**rest, **free}, *angles, OPTICS)

    def total(*inputs):
        return one(*inputs).sum(0)

    free = {k: variables[k] for k in names}
    rest = {k: v for k, v in variables.items() if k not in names}
    with torch.set_grad_enabled(grad):
        mapped = torch.func.vmap(one)(free, rest, *angles)
        assert torch.allclose(mapped, expected, rtol=1e-12, atol=1e-14)
        ones = {k: torch.ones_like(v) for k, v in free.items()}
        pushed = torch.func.jvp(lambda free: one(free, rest, *angles), (free,), (ones,))[1]
        forward = torch.func.vmap(torch.func.jacfwd(total))(free, rest, *angles)
    reverse = torch.func.vmap(torch.func.jacrev(total))(free, rest, *angles)
    for name in names:
        assert forward[name].shape == (4, len(WAVELENGTHS), 40)
        assert torch.allclose(forward[name], reverse[name], rtol=1e-8, atol=1e-10), name
    together = sum(reverse[name] for name in names).movedim(1, 2)
    assert torch.allclose(pushed, together, rtol=1e-8, atol=1e-10)
