"""The assimilation schemes, wrappers and smoothers that a configuration may name.

`analyse` takes one that stands by itself and wrappers after it, from the inside out; `smooth` takes
what goes back over the steps of a finished filter.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Protocol

import torch

from releo_da.assimilation.adaptive import adaptive
from releo_da.assimilation.compiled import unavailable
from releo_da.assimilation.denkf import denkf
from releo_da.assimilation.enkf import enkf
from releo_da.assimilation.enkf_n import enkf_n
from releo_da.assimilation.enks import collected, enks
from releo_da.assimilation.ensrf import ensrf
from releo_da.assimilation.envar4d import envar4d
from releo_da.assimilation.etkf import etkf
from releo_da.assimilation.ienks import ienks
from releo_da.assimilation.inflation import additive, inflated, relaxed, relaxed_spread, rotated
from releo_da.assimilation.iterated import esmda, iterated, multiple
from releo_da.assimilation.localization import letkf, localized, sl_eakf
from releo_da.assimilation.neighbours import neighbours
from releo_da.assimilation.particle import particle
from releo_da.assimilation.quantile import quantile
from releo_da.assimilation.reference import filterpy
from releo_da.assimilation.robust import huber
from releo_da.assimilation.screening import screened
from releo_da.assimilation.smoother import rts
from releo_da.assimilation.tuned import tuned
from releo_da.assimilation.variational import variational
from releo_da.assimilation.whitening import whitened
from releo_da.config.document import Document
from releo_da.config.registry import Registry
from releo_da.cycling.windows import windowed
from releo_da.runs.model import Smoother
from releo_da.types import InputError


class Stationary(Protocol):
    """A forecaster with a distribution that it returns to."""

    def transition(self, interval: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Transition and noise covariance over an interval (days), ``[latent, latent]`` each."""
        ...


SCHEMES = Registry(
    "scheme",
    {
        "etkf": etkf,
        "enkf": enkf,
        "ensrf": ensrf,
        "denkf": denkf,
        "enkf_n": enkf_n,
        "letkf": letkf,
        "sl_eakf": sl_eakf,
        "quantile": quantile,
        "particle": particle,
        "filterpy": filterpy,
        "localized": localized,
        "neighbours": neighbours,
        "iterated": iterated,
        "ienks": ienks,
        "envar4d": envar4d,
        "variational": variational,
        "esmda": esmda,
        "multiple": multiple,
        "enks": enks,
        "inflated": inflated,
        "adaptive": adaptive,
        "additive": additive,
        "relaxed": relaxed,
        "relaxed_spread": relaxed_spread,
        "rotated": rotated,
        "whitened": whitened,
        "tuned": tuned,
        "huber": huber,
        "screened": screened,
        "window": windowed,
    },
    call=("prior", "observe", "y", "precision", "noise", "memory"),
    supplied=("places", "climatology"),
    inner="scheme",
)
SMOOTHERS = Registry(
    "smoother", {"rts": rts, "enks": collected}, call=("steps",), supplied=("transition",)
)


def supplied(document: Document, forecaster: Stationary) -> dict[str, Any]:
    """Arguments that the program gives to schemes of a land surface.

    The climatology is the covariance of what the forecaster says of a day without any observation.
    It stands still, as the dynamics do: the seasonal mean moves and the spread about it does not.

    Args:
        document: the configuration; the climatology is made only where it asks for one.
        forecaster: with its fitted parameters.

    Raises:
        InputError: the configuration asks for one, and the forecaster has no linear law.
    """
    layers = [layer for layer in layers_of(document) if isinstance(layer, dict)]
    if not any(layer.get("background") in ("static", "hybrid") for layer in layers):
        return {}
    if not hasattr(forecaster, "transition"):
        raise InputError(
            "analyse: a static background is the spread of a forecaster with a linear law, and "
            "this one has none; leave 'background' out"
        )
    return {"climatology": forecaster.transition(math.inf)[1].detach()}


def refuse_windows(document: Document) -> None:
    """Refuse `window` where acquisitions are assimilated one by one as they arrive.

    Raises:
        InputError: it is among the layers of ``analyse``.
    """
    if "window" in (name_of(layer) for layer in layers_of(document)):
        raise InputError(
            f"{document.path}: analyse: 'window' cannot run in `cycle`, which publishes each "
            "acquisition when it arrives and keeps the state of the newest alone, while a window "
            "goes back to its start; leave window out, or run it with `hindcast`"
        )


def gathers(document: Document) -> bool:
    """Whether a scheme looks at the pixels near each pixel."""
    return "neighbours" in (name_of(layer) for layer in layers_of(document))


def smoother_of(document: Document, transition: Any) -> Smoother | None:
    """What goes back over the steps of a run, where the configuration has it.

    Args:
        document: the configuration.
        transition: of a linear-Gaussian forecaster, or None.

    Raises:
        InputError: an unknown smoother or option, or one beside windows.
    """
    spec = document.values.get("smooth")
    if spec is None:
        return None
    if "window" in (name_of(layer) for layer in layers_of(document)):
        raise InputError(
            f"{document.path}: smooth: windows smooth already, and their steps do not follow from "
            "each other; leave smooth out, or window out of analyse"
        )
    return partial(SMOOTHERS.build(spec, "smooth"), transition=transition)


def layers_of(document: Document) -> list[Any]:
    """The entries of ``analyse``, inner first."""
    spec = document.values.get("analyse", "etkf")
    return spec if isinstance(spec, list) else [spec]


def name_of(layer: Any) -> str:
    """The name in an entry; entries that have none are refused when they are built."""
    return str(layer.get("name")) if isinstance(layer, dict) else str(layer)


def kernel_told(document: Document, device: torch.device) -> dict[str, str] | None:
    """What a run records of a compiled kernel that its configuration asks for; None if it does not.

    Args:
        document: the configuration.
        device: that the run is on.

    Raises:
        InputError: it is asked for with a root that it does not have.
    """
    spec = document.values.get("analyse", "etkf")
    layers = [s for s in (spec if isinstance(spec, list) else [spec]) if isinstance(s, dict)]
    asked = [layer for layer in layers if layer.get("kernel") == "compiled"]
    if not asked:
        return None
    if any(layer.get("root") == "symmetric" for layer in asked):
        raise InputError(
            "analyse: the compiled kernel has the triangular root only; leave out kernel or root"
        )
    reason = unavailable(device)
    return {"used": "compiled"} if reason is None else {"used": "plain", "because": reason}
