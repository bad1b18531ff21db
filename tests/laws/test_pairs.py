"""Every wrapper around every scheme, and every wrapper around every wrapper of a scheme.

The pairs are those of the registry that configurations name, so a new entry is here by itself. Of
each: two cycles with what it remembers, kept by sensor as the loop keeps it, of shapes as they came
and finite numbers, and a pixel that saw nothing, far from the others, is left as it was to the bit.
"""

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import Places
from releo_da.config.schemes import SCHEMES
from releo_da.cycling.memory import lent, returned
from releo_da.types import Acquisition, InputError, Noise

DOUBLE = torch.float64
PIXELS, MEMBERS, LATENTS, CHANNELS = 3, 8, 4, 3
WRAPPERS = sorted(n for n in SCHEMES.entries if SCHEMES.wraps(SCHEMES.entries[n]) and n != "window")
SCHEMES_ALONE = sorted(n for n in SCHEMES.entries if n not in (*WRAPPERS, "window"))
OPTIONS = {
    "neighbours": {"radius": 1.0},
    "multiple": {"times": 2},
    "whitened": {"correlation": 0.3},
    "tuned": {"correlation": 0.1},
    "variational": {"background": "hybrid"},
}
ELSEWHERE = "localization: coefficients for"
REFUSED = {
    ("neighbours", "localized"): ELSEWHERE,  # what neighbours add has no place among latents
    ("neighbours", "letkf"): ELSEWHERE,
    ("neighbours", "sl_eakf"): ELSEWHERE,
    ("localized", "neighbours"): "where its pixels lie",
    ("neighbours", "tuned"): "write it outside",  # it would learn of other pixels' channels
    ("enks", "variational"): "the climatology has 4 latents",  # that of one state, not of several
}
"""Outer and inner that cannot be, and what is said of them."""


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def noise(seed: int) -> Noise:
    rng = torch.Generator().manual_seed(seed)
    return lambda shape: torch.randn(*shape, generator=rng, dtype=DOUBLE)


def built(*names: str):
    line = torch.arange(LATENTS, dtype=DOUBLE)[:, None]
    provided = {
        "places": Places(line, line[:CHANNELS]),
        "climatology": torch.eye(LATENTS, dtype=DOUBLE) + 0.2,
    }
    entries = [{"name": name, **OPTIONS.get(name, {})} for name in names]
    return SCHEMES.build(entries, "analyse", provided)


def two_cycles(scheme) -> None:
    h = randn(LATENTS, CHANNELS, seed=1)
    precision = torch.ones(PIXELS, CHANNELS, dtype=DOUBLE)
    precision[0], precision[1, 1] = 0.0, 0.0
    memory = {"place": torch.tensor([[90.0], [0.0], [1.0]], dtype=DOUBLE)}
    prior = randn(PIXELS, MEMBERS, LATENTS, seed=2)
    for cycle in range(2):
        y = randn(PIXELS, CHANNELS, seed=3 + cycle)
        seen = [Acquisition(float(cycle), "sensor", y, precision.rsqrt(), y)]
        handed = lent(memory, seen)
        found = scheme(prior, lambda x: x @ h, y, precision, noise(cycle), handed)
        assert found.ensemble.shape == prior.shape
        assert found.predicted.shape == (PIXELS, MEMBERS, CHANNELS)
        assert found.precision.shape == precision.shape
        assert all(len(held) == PIXELS for held in found.memory.values())
        for held in (found.ensemble, found.predicted, found.precision, *found.memory.values()):
            assert torch.isfinite(held).all()
        assert torch.equal(found.ensemble[0], prior[0])
        assert not torch.equal(found.ensemble[2], prior[2])
        assert (found.precision[0] == 0.0).all() and found.precision[1, 1] == 0.0
        prior, memory = 1.1 * found.ensemble, returned(memory, found.memory, seen)


def check_pair(outer: str, *names: str) -> None:
    if (outer, names[-1]) in REFUSED:
        with pytest.raises(InputError, match=REFUSED[outer, names[-1]]):
            two_cycles(built(*names, outer))
    else:
        two_cycles(built(*names, outer))


@pytest.mark.parametrize("outer", WRAPPERS)
@pytest.mark.parametrize("inner", SCHEMES_ALONE)
def test_every_wrapper_takes_every_scheme(outer: str, inner: str) -> None:
    check_pair(outer, inner)


@pytest.mark.parametrize("outer", WRAPPERS)
@pytest.mark.parametrize("inner", WRAPPERS)
def test_every_wrapper_takes_every_wrapper(outer: str, inner: str) -> None:
    check_pair(outer, "etkf", inner)
