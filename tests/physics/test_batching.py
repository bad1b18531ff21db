"""Shapes, chunks, layouts and messages."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from releo_da.physics import prosail as module
from releo_da.physics.absorbed import fcover
from releo_da.physics.hotspot import STEPS
from releo_da.physics.optics import load_optics
from releo_da.physics.prosail import VARIABLES, canopy, prosail
from releo_da.physics.sail import four_sail
from releo_da.types import InputError

from .cases import random_cases

OPTICS = load_optics(range(450, 2450, 50))


def grid(pixels, members, dtype=torch.float32, seed=30):
    cases = random_cases(pixels * members, seed).to(dtype)
    variables = {k: v.reshape(pixels, members) for k, v in cases.variables.items()}
    return variables, tuple(a.reshape(pixels, members)[:, :1] for a in cases.angles)


@pytest.mark.parametrize("members", [1, 50, 64])
def test_does_not_depend_on_how_pixels_are_cut(monkeypatch, members):
    """To the last bit, for pixels times members a multiple of 32."""
    variables, angles = grid(96, members)
    expected = prosail(variables, *angles, OPTICS)
    for chunk, block in ((1 << 13, 1 << 9), (1 << 15, 1 << 12), (1 << 17, 1 << 20)):
        monkeypatch.setattr(module, "CHUNK", chunk)
        monkeypatch.setattr(module, "BLOCK", block)
        assert torch.equal(prosail(variables, *angles, OPTICS), expected), chunk
    parts = [
        prosail({k: v[s] for k, v in variables.items()}, *(a[s] for a in angles), OPTICS)
        for s in (slice(0, 32), slice(32, 96))
    ]
    assert torch.equal(torch.cat(parts), expected)


def test_many_members_are_cut_too(monkeypatch):
    variables, angles = grid(2, 320)
    expected = prosail(variables, *angles, OPTICS)
    monkeypatch.setattr(module, "BLOCK", 64)
    assert torch.equal(prosail(variables, *angles, OPTICS), expected)


@pytest.mark.parametrize("optics", [OPTICS, load_optics()])
def test_weighted_sums_are_those_of_the_spectra(monkeypatch, optics):
    monkeypatch.setattr(module, "CHUNK", 1 << 15)
    variables, angles = grid(8, 40)
    weights = torch.rand(3, len(optics.wavelength), generator=torch.Generator().manual_seed(0))
    weights /= weights.sum(1, keepdim=True)
    expected = prosail(variables, *angles, optics) @ weights.T
    found = prosail(variables, *angles, optics, weights)
    assert found.shape == (8, 40, 3)
    assert torch.allclose(found, expected, atol=1e-6)


class Allocations(TorchDispatchMode):
    """The sizes of the tensors that are made, in numbers."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        made = result if isinstance(result, tuple | list) else (result,)
        inputs = {a.untyped_storage().data_ptr() for a in args if isinstance(a, torch.Tensor)}
        self.sizes += [
            r.numel()
            for r in made
            if isinstance(r, torch.Tensor) and r.untyped_storage().data_ptr() not in inputs
        ]
        return result


@pytest.mark.parametrize(("optics", "pixels"), [(OPTICS, 256), (load_optics(), 16)])
def test_without_a_tape_only_the_result_is_large(optics, pixels):
    """Whatever the number of spectra, all else stays at the size of a chunk or a block."""
    variables, angles = grid(pixels, 64)
    limit = 2 * max(module.CHUNK, (STEPS + 1) * module.BLOCK)
    with torch.no_grad(), Allocations() as seen:
        result = prosail(variables, *angles, optics)
    assert [size for size in seen.sizes if size > limit] == [result.numel()]
    with torch.no_grad(), Allocations() as seen:
        prosail(variables, *angles, optics, torch.ones(2, len(optics.wavelength)))
    assert max(seen.sizes) <= limit


def test_layouts_agree():
    variables, angles = grid(6, 50, torch.float64)
    few, many = load_optics((560, 665, 865), dtype=torch.float64), load_optics(dtype=torch.float64)
    columns = [560 - 400, 665 - 400, 865 - 400]
    a = canopy(variables, *angles, few)
    b = canopy(variables, *angles, many)
    for x, y in zip(a, b, strict=True):
        assert x.shape == (6, 50, 3)
        assert y.shape == (6, 50, 2101)
        assert torch.allclose(x, y[..., columns], rtol=1e-11, atol=1e-14)


def test_geometry_broadcasts_in_any_way():
    variables, (tts, tto, psi) = grid(5, 7, torch.float64)
    optics = load_optics((560, 865), dtype=torch.float64)
    expected = prosail(variables, tts, tto, psi, optics)
    full = prosail(variables, *(a.expand(5, 7).clone() for a in (tts, tto, psi)), optics)
    assert torch.allclose(full, expected, rtol=1e-12)
    row = {k: v[2, 3] for k, v in variables.items()}
    single = prosail(row, tts[2, 0], tto[2, 0], psi[2, 0], optics)
    assert single.shape == (2,)
    assert torch.allclose(single, expected[2, 3], rtol=1e-12)
    plain = prosail(row, float(tts[2]), float(tto[2]), float(psi[2]), optics)
    assert torch.allclose(plain, expected[2, 3], rtol=1e-12)
    one_leaf = {**variables, "lai": variables["lai"][0, 0], "n": variables["n"][:, :1]}
    spread = {k: v.expand(5, 7) for k, v in one_leaf.items()}
    assert torch.allclose(
        prosail(one_leaf, tts, tto, psi, optics), prosail(spread, tts, tto, psi, optics), rtol=1e-12
    )
    cube = {k: v.reshape(5, 7, 1).expand(5, 7, 3) for k, v in variables.items()}
    many = prosail(cube, *(a.unsqueeze(-1) for a in (tts, tto, psi)), optics)
    assert torch.allclose(many, expected.unsqueeze(2).expand(5, 7, 3, 2), rtol=1e-12)


def test_empty_batches_keep_their_shape():
    variables, angles = grid(4, 8)
    none = {k: v[:0] for k, v in variables.items()}
    assert prosail(none, *(a[:0] for a in angles), OPTICS).shape == (0, 8, 40)


def test_inputs_are_not_modified():
    variables, angles = grid(3, 9)
    before = {k: v.clone() for k, v in variables.items()}
    prosail(variables, *angles, OPTICS)
    assert all(torch.equal(before[k], variables[k]) for k in VARIABLES)


def test_sail_broadcasts_leaves_and_geometry():
    variables, angles = grid(3, 5, torch.float64)
    v = variables
    rho = torch.rand(3, 5, 4, dtype=torch.float64) * 0.45
    result = four_sail(rho, rho, 0.5 * rho, v, *angles)
    assert all(field.shape == (3, 5, 4) for field in result)
    one = four_sail(
        rho[1, 2], rho[1, 2], 0.5 * rho[1, 2],
        {k: x[1, 2] for k, x in v.items()}, *(float(a[1]) for a in angles),
    )  # fmt: skip
    for a, b in zip(result, one, strict=True):
        assert torch.allclose(a[1, 2], b, rtol=1e-10)


def test_a_missing_variable_is_named():
    variables, angles = grid(2, 2)
    del variables["psoil"]
    with pytest.raises(InputError, match="psoil"):
        prosail(variables, *angles, OPTICS)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("ala", "lidfa", "lidfb"), "found ala, lidfa, lidfb"),
        (("ala", "lidfb"), "found ala, lidfb"),
        (("lidfa",), "found lidfa"),
        ((), "found neither"),
    ],
)
def test_leaf_angles_are_given_in_one_way(names, found):
    variables, angles = grid(2, 2)
    angle = 0.1 * variables.pop("ala")
    variables |= dict.fromkeys(names, angle)
    for run in (
        lambda: prosail(variables, *angles, OPTICS),
        lambda: four_sail(*(torch.full((2, 2, 4), 0.2) for _ in range(3)), variables, *angles),
        lambda: fcover(variables),
    ):
        with pytest.raises(InputError, match=f"either ala .* or lidfa and lidfb .*{found}"):
            run()


@pytest.mark.parametrize("wrong", [[399], [400, 2501], [500.5]])
def test_wavelengths_outside_the_tables_are_refused(wrong):
    with pytest.raises(InputError, match="from 400 to 2500"):
        load_optics(wrong)


def test_optics_follow_the_request():
    some = load_optics((865, 560), dtype=torch.float64)
    assert some.wavelength.tolist() == [865.0, 560.0]
    everything = load_optics(dtype=torch.float64)
    assert all(field.shape == (2101,) for field in everything)
    assert everything.wavelength.diff().unique().tolist() == [1.0]
    for field, subset in zip(everything, some, strict=True):
        assert torch.equal(field[[465, 160]], subset)
