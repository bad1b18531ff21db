"""Float32 beside float64: what rounding costs where observations are very accurate.

Ten channels that are nearly copies of each other, seen with an error of 1/10 to 1/100 of their
spread. G of `linalg` then has eigenvalues from 1 to 1e5.
"""

from collections.abc import Sequence
from functools import partial

import pytest
import torch

from releo_da.assimilation import (
    denkf,
    enkf,
    enkf_n,
    ensrf,
    envar4d,
    etkf,
    ienks,
    inflated,
    iterated,
    multiple,
    rotated,
    variational,
)
from releo_da.types import Scheme

DOUBLE = torch.float64
SCHEMES = {
    "etkf": etkf,
    "etkf_symmetric": partial(etkf, root="symmetric"),
    "ensrf": ensrf,
    "denkf": denkf,
    "enkf": enkf,
    "iterated": iterated,
    "multiple": multiple(etkf, 3),
    "ienks": ienks,
    "envar4d": envar4d,
    "variational": variational(),
    "enkf_n": enkf_n,  # its stretch of few members would lose all digits: it works in float64
}


CASES = [pytest.param(made, n, id=f"{name}-{n}") for name, made in SCHEMES.items() for n in (8, 24)]


@pytest.mark.parametrize(("ratio", "error"), [(10, 2e-4), (30, 1e-3), (100, 1e-2)])
@pytest.mark.parametrize(("scheme", "members"), CASES)
def test_float32_follows_float64(scheme: Scheme, ratio: int, error: float, members: int) -> None:
    """Mean and spread, in background spreads; with more channels than members as with fewer."""
    rng = torch.Generator().manual_seed(1)

    def randn(*shape: int) -> torch.Tensor:  # the same numbers in both precisions
        return torch.randn(*shape, generator=rng).double()

    prior, truth, draws = randn(50, members, 8), randn(50, 1, 8), randn(50, members, 10)
    h = (randn(8, 1) + 0.1 * randn(8, 10)).float().double()
    h = (h / h.norm(dim=0)).float().double()
    y = ((truth @ h)[:, 0] + randn(50, 10) / ratio).float().double()

    def run(number: torch.dtype) -> torch.Tensor:
        precision = torch.full_like(y, ratio**2, dtype=number)
        found = scheme(
            prior.to(number),
            lambda x: x @ h.to(number),
            y.to(number),
            precision,
            lambda shape: draws[:, : shape[1], : shape[2]].to(number),
            {},
        )
        assert found.ensemble.dtype == number
        return found.ensemble.double()

    single, exact = run(torch.float32), run(DOUBLE)
    spread = prior.std(1)
    assert ((single.mean(1) - exact.mean(1)).abs() / spread).max() < error
    assert ((single.std(1) - exact.std(1)).abs() / spread).max() < error


FACTORED = ("etkf", "etkf_symmetric", "denkf", "enkf", "iterated", "multiple", "ienks", "envar4d")


@pytest.mark.parametrize("members", [8, 24])
@pytest.mark.parametrize("name", FACTORED)
def test_what_rounding_has_spoilt_is_refused_and_said_to_be(name: str, members: int) -> None:
    """Ten copies of a channel, 20,000 errors wide; every other pixel has errors of its spread.

    Inside of wrappers that change members where something was used, too.
    """
    rng = torch.Generator().manual_seed(3)
    prior = torch.randn(60, members, 4, generator=rng)
    y = torch.randn(60, 10, generator=rng)
    precision = torch.ones_like(y)
    precision[1::2] = 4e8

    def noise(shape: Sequence[int]) -> torch.Tensor:
        return torch.randn(shape, generator=rng)

    scheme = inflated(rotated(SCHEMES[name]), 1.1)
    found = scheme(prior, lambda x: x[..., :1].expand(-1, -1, 10), y, precision, noise, {})
    kept = (found.ensemble == prior).flatten(1).all(1)
    assert torch.equal(kept, (found.precision == 0).any(1))
    assert torch.equal(kept, (found.precision == 0).all(1))
    assert kept[1::2].any() and not kept[::2].any()
    assert torch.equal(found.precision[~kept], precision[~kept])
