"""Every assimilation scheme and wrapper, and the laws that each one declares.

A test marked ``law("name")`` runs over the cases that declare that law, and over no others; one
marked ``law("name", "exact")`` over those that declare it so. To add a scheme, add a `Case`;
`test_every_scheme_is_declared` fails until it is here.

    mean          the analysis mean is the Kalman mean (linear operator)
    covariance    the analysis covariance is the Kalman covariance, times ``scale``
    members       permuting members (and their noise) permutes the analysis
    serial        channels one after the other give the mean and covariance of all at once

"exact" is to rounding in float64, "in distribution" with 10,000 members within 4 standard errors.
What is not listed there holds for all: see `test_schemes.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest
import torch
from torch import Tensor

from releo_da.assimilation import (
    Places,
    adaptive,
    additive,
    denkf,
    enkf,
    enkf_n,
    enks,
    ensrf,
    envar4d,
    esmda,
    etkf,
    filterpy,
    huber,
    ienks,
    inflated,
    iterated,
    letkf,
    localized,
    multiple,
    particle,
    quantile,
    relaxed,
    relaxed_spread,
    rotated,
    screened,
    sl_eakf,
    tuned,
    variational,
    whitened,
)
from releo_da.types import Analysis, Scheme

EXACT = "exact"
IN_DISTRIBUTION = "in distribution"


@dataclass(frozen=True)
class Case:
    """A scheme and what it promises.

    Attributes:
        laws: name of a law -> "exact" or "in distribution".
        scale: factor of the covariance that a wrapper adds on purpose.
        evaluations: how often the operator may be evaluated.
        tuned: the scheme as a function of its parameter, where gradients may reach one.
        gradients: whether the analysis can be differentiated.
        device: whether it runs where its tensors are.
        brief: the scheme with few iterations, where tensors without values let none end early.
    """

    name: str
    scheme: Scheme
    laws: dict[str, str] = field(default_factory=dict)
    scale: float = 1.0
    evaluations: int = 1
    tuned: Callable[[Tensor], Scheme] | None = None
    gradients: bool = True
    device: bool = True
    brief: Scheme | None = None


def on_a_line(make: Callable[[Places], Scheme]) -> Scheme:
    """A localized scheme for a problem of any size: latents and channels along a line of length 1.

    The same channel keeps its place when channels after it are dropped.
    """

    def analyse(prior, observe, y, precision, noise, memory) -> Analysis:
        def line(count: int) -> Tensor:
            return 0.2 * torch.arange(count, dtype=y.dtype, device=y.device)[:, None]

        places = Places(line(prior.shape[-1]), line(y.shape[-1]))
        return make(places)(prior, observe, y, precision, noise, memory)

    return analyse


def climatological(**options) -> Scheme:
    """A variational scheme with a static covariance for a problem of any size."""

    def analyse(prior, observe, y, precision, noise, memory) -> Analysis:
        latents = torch.arange(prior.shape[-1], dtype=prior.dtype, device=prior.device)
        covariance = torch.exp(-(latents[:, None] - latents).abs())
        scheme = variational(covariance, **options)
        return scheme(prior, observe, y, precision, noise, memory)

    return analyse


EXACTLY = {"iterations": 8, "inner": 8, "tolerance": 1e-11}
"""Options with which a minimiser arrives at rounding error."""

BRIEFLY = {"iterations": 2, "inner": 2}
"""Options with which a minimiser ends soon."""

KALMAN = {"mean": EXACT, "covariance": EXACT}
ALL = {**KALMAN, "members": EXACT, "serial": EXACT}
MEAN = {"mean": EXACT, "members": EXACT}

CASES = [
    Case("etkf", etkf, ALL),
    Case("etkf_symmetric", partial(etkf, root="symmetric"), ALL),
    Case("ensrf", ensrf, ALL),
    Case("denkf", denkf, MEAN),
    Case(
        "enkf_n",
        enkf_n,
        {"members": EXACT},
        tuned=lambda x: partial(enkf_n, tuning=x),
    ),
    Case("letkf", on_a_line(partial(letkf, radius=0.3)), {"members": EXACT}),
    Case("letkf_wide", on_a_line(partial(letkf, radius=9.0, taper="step")), ALL),
    Case(
        "localized",
        on_a_line(lambda places: localized(etkf, places, 9.0, "step", batch=3)),
        ALL,
    ),
    Case(
        "localized_iterated",
        on_a_line(lambda places: localized(partial(iterated, iterations=2), places, 0.4, batch=1)),
        {"members": EXACT},
        evaluations=2,
    ),
    Case("sl_eakf", on_a_line(partial(sl_eakf, radius=0.3)), {"members": EXACT}),
    Case("sl_eakf_wide", on_a_line(partial(sl_eakf, radius=9.0, taper="step")), ALL),
    Case(
        "filterpy",
        filterpy,
        {"mean": IN_DISTRIBUTION, "covariance": IN_DISTRIBUTION, "serial": IN_DISTRIBUTION},
        gradients=False,
        device=False,
    ),
    Case("enkf", enkf, {**MEAN, "covariance": IN_DISTRIBUTION, "serial": IN_DISTRIBUTION}),
    Case("iterated", partial(iterated, iterations=3), ALL, evaluations=3),
    Case("multiple", multiple(etkf, 3), ALL, evaluations=3),
    Case(
        "multiple_enkf",
        multiple(enkf, 2),
        {"members": EXACT, "mean": IN_DISTRIBUTION, "covariance": IN_DISTRIBUTION},
        evaluations=2,
    ),
    Case(
        "inflated",
        inflated(etkf, 1.1),
        {**KALMAN, "members": EXACT},
        scale=1.1**2,
        tuned=partial(inflated, etkf),
    ),
    Case("relaxed", relaxed(etkf, 0.4), MEAN, tuned=partial(relaxed, etkf)),
    Case("relaxed_spread", relaxed_spread(etkf, 0.4), MEAN, tuned=partial(relaxed_spread, etkf)),
    Case("rotated", rotated(etkf), {**KALMAN, "serial": EXACT}),
    Case("screened_open", screened(etkf, threshold=1e6, pixel_quantile=None, share=1.0), ALL),
    Case("screened", screened(etkf), {"members": EXACT}),
    Case("adaptive", adaptive(etkf), ALL),
    Case("additive", additive(etkf, 0.2), MEAN, tuned=partial(additive, etkf)),
    Case("huber", huber(etkf), {"members": EXACT}),
    Case("huber_open", huber(etkf, threshold=1e6), ALL),
    Case("whitened", whitened(etkf, 0.4), {"members": EXACT}),
    Case("whitened_by_nothing", whitened(etkf, 0.0), ALL, tuned=partial(whitened, etkf)),
    Case("tuned", tuned(etkf), ALL),
    Case("ienks", partial(ienks, iterations=3), ALL, evaluations=3),
    Case("ienks_bundle", partial(ienks, iterations=2, sensitivities="bundle"), MEAN, evaluations=2),
    Case(
        "ienks_n",
        partial(ienks, iterations=3, finite_size=1.0),
        {"members": EXACT},
        evaluations=3,
    ),
    Case(
        "esmda",
        esmda(2),
        {"members": EXACT, "mean": IN_DISTRIBUTION, "covariance": IN_DISTRIBUTION},
        evaluations=2,
    ),
    Case("envar4d", partial(envar4d, iterations=3), ALL, evaluations=3),
    Case(
        "variational",
        variational(**EXACTLY),
        KALMAN,
        evaluations=999,
        brief=variational(**BRIEFLY),
    ),
    Case(
        "lbfgs",
        variational(minimiser="lbfgs", **EXACTLY | {"iterations": 100}),
        KALMAN,
        evaluations=9999,
        brief=variational(minimiser="lbfgs", **BRIEFLY),
    ),
    Case(
        "perturbed",
        variational(spread="perturbed", **EXACTLY),
        {"mean": EXACT},
        evaluations=999,
        brief=variational(spread="perturbed", **BRIEFLY),
    ),
    Case("static", climatological(background="static", **EXACTLY), evaluations=999, device=False),
    Case("hybrid", climatological(background="hybrid", **EXACTLY), evaluations=999, device=False),
    Case("enks", enks(etkf, 2), ALL),
    Case("particle", particle, gradients=False),
    Case("multiple_particle", multiple(particle, 2), evaluations=2, gradients=False),
    Case(
        "quantile",
        quantile,
        {"members": EXACT, "mean": IN_DISTRIBUTION, "covariance": IN_DISTRIBUTION},
    ),
    Case(
        "stack",
        screened(relaxed(multiple(etkf, 2), 0.3), threshold=1e6, pixel_quantile=None),
        MEAN,
        evaluations=2,
    ),
]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "law(name, level): run over the schemes that declare it")
    config.addinivalue_line("markers", "needs(name): run over the schemes with that property")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("law")
    law, level = (*marker.args, None)[:2] if marker else (None, None)
    needed = [marker.args[0] for marker in metafunc.definition.iter_markers("needs")]
    cases = [
        case
        for case in CASES
        if (law is None or (law in case.laws and level in (None, case.laws[law])))
        and all(getattr(case, name) for name in needed)
    ]
    assert cases, f"no scheme declares the law {law} ({level})"
    metafunc.parametrize("case", cases, ids=[case.name for case in cases])


@pytest.fixture(scope="session")
def cases() -> list[Case]:
    return CASES


@pytest.fixture(scope="session")
def table() -> Tensor:
    """Standard-normal numbers from which `noise` cuts its shapes: pixel, member, anything."""
    return torch.randn(64, 64, 64, generator=torch.Generator().manual_seed(5)).double()
