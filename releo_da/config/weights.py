"""Fitted parameters on file: what they are, and for which latent axis.

A safetensors file with the parameters of the forecaster and of the observation error. Many systems
have parameters of the same names and shapes but of another meaning (a first-order and a
second-order process), so the latent axis is written beside them and compared when they are loaded.

What was fitted per channel is tied to the wavelength of its band, so weights serve other sensors
too: a band takes what was fitted at the nearest wavelength.

A fit that begins with another one (`train.start`) takes from its file what the forecaster knows of
variables: season, rates, deviations, correlations, responses to weather, the network. Slow
residuals and R say how a canopy model and instruments err, which a simulation has not learned of
the real ones; they begin as in any fit, so that bands and sensors of the two may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from releo_da.io.atomic import write_bytes_atomic
from releo_da.io.tensors import ordered, read_tensors, refuse_infinite
from releo_da.sensors import load_sensor
from releo_da.state.layout import RESIDUAL, Layout
from releo_da.state.variables import variables
from releo_da.types import InputError

FAR = 400.0
"""A band may be this far (nm) from the nearest wavelength that weights were fitted at. The widest
gap between Sentinel-2's land channels, 865 to 1614 nm, leaves every wavelength within it."""

SHORT, NAMED = 40, 4
"""Words of a message: longest texts of which both are shown, and most names of parameters."""

REMEDY = "make one with `releo-da train`"

UNTOLD = {"priors": "", "physics": "", "network": "", "slow": "", "memory": "0", "calendar": "True"}
"""What files mean that were written before they told it; others have told it from the start."""

OPTIONS = ("kernel", "own", "slow", "memory", "calendar")
"""Of what is told, the options of ``forecast``; from the third on of that with a network."""

NETWORK = "neural"


def parameters(forecaster: nn.Module, error: nn.Module) -> dict[str, torch.Tensor]:
    """Learned parameters by name, as they are saved."""
    parts = {"forecast": forecaster, "error": error}
    return {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }


def meaning(layout: Layout, forecaster: nn.Module) -> dict[str, str]:
    """The latent axis, its variables and the physics, as they are written beside the parameters."""
    told = getattr(forecaster, "meaning", {})
    return {
        **(told if isinstance(told, dict) else {}),
        "variables": " ".join(layout.names),
        "kernel": kernel(layout.velocities, layout.rough),
        "channels": " ".join(f"{knot:g}" for knot in layout.knots),
        "own": " ".join((*layout.own, *([RESIDUAL] if layout.own_residual else []))),
        "slow": " ".join(layout.slow),
        "memory": str(layout.memory),
        "table": " ".join(
            f"{n} {v.lower:g} {v.upper:g} {v.mean:g} {v.sd:g}"
            for n, v in variables(layout.names).items()
        ),
        "priors": " ".join(f"{n} {m:g} {s:g}" for n, (m, s) in sorted(layout.priors.items())),
    }


def kernel(velocities: bool, rough: bool) -> str:
    """The word of a configuration for what moves the variables about their season."""
    if not velocities:
        return "ou"
    return "matern32+ou" if rough else "matern32"


def write_weights(path: Path, layout: Layout, forecaster: nn.Module, error: nn.Module) -> None:
    """Write fitted parameters, whole or not at all; equal ones as equal bytes."""
    data = save(parameters(forecaster, error), metadata=meaning(layout, forecaster))
    write_bytes_atomic(path, ordered(data))


def _opened(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """What a file of weights says of its latent axis, and its tensors."""
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights; make one with `releo-da train`")
    return read_tensors(path, "a file of weights", REMEDY)


def fitted_knots(path: Path, channels: Mapping[str, tuple[str, ...]]) -> tuple[float, ...]:
    """The centre wavelengths (nm) that weights were fitted at, for bands of these or other sensors.

    Args:
        path: file of weights.
        channels: for each sensor of the run, its channels.

    Raises:
        InputError: the file is missing or no file of weights, or a band lies far from all that the
            weights were fitted at.
    """
    text = _opened(path)[0].get("channels", "")
    try:
        knots = tuple(float(word) for word in text.split())
    except ValueError:
        raise InputError(
            f"{path}: its channels are {text[:60]!r}, no wavelengths; {REMEDY}"
        ) from None
    for sensor, names in channels.items():
        described = load_sensor(sensor)
        for row in described.behind(names)[0]:
            centre = described.band_centres[row]
            if min((abs(centre - knot) for knot in knots), default=0.0) > FAR:
                raise InputError(
                    f"{path}: weights were fitted for another configuration (at {text} nm; "
                    f"{described.bands[row]} of {described.name} is at {centre:.0f} nm); leave the "
                    "channel out, or fit them again with `releo-da train`"
                )
    return knots


def load_weights(path: Path, layout: Layout, forecaster: nn.Module, error: nn.Module) -> None:
    """Load fitted parameters into the modules.

    Raises:
        InputError: the file is missing, no file of weights, one of another model (an encoder, a
            retrieval), or was fitted for another state, kernel or set of channels.
    """
    meant = meaning(layout, forecaster)
    held = _matching(path, *_opened(path), meant, parameters(forecaster, error))
    for part, module in {"forecast": forecaster, "error": error}.items():
        module.load_state_dict({n: held[f"{part}.{n}"] for n in module.state_dict()})


def load_start(path: Path, layout: Layout, forecaster: nn.Module) -> None:
    """Begin with what a fit elsewhere learned of the variables; residuals are left as they are.

    Args:
        path: file of weights, of any sensors.
        layout: the latent axis.
        forecaster: whose parameters are set in place.

    Raises:
        InputError: as `load_weights`, but for the channels where residuals have no season.
    """
    told, held = _opened(path)
    meant = meaning(layout, forecaster)
    if not layout.own_residual:  # else seasons of residuals stand among those of variables
        del meant["channels"]
    wanted = {f"forecast.{name}": tensor for name, tensor in forecaster.state_dict().items()}
    wanted, held = (
        {name: tensor for name, tensor in part.items() if not _of_bands(name)}
        for part in (wanted, held)
    )
    taken = _matching(path, told, held, meant, wanted)
    values = {name.removeprefix("forecast."): tensor for name, tensor in taken.items()}
    forecaster.load_state_dict(values, strict=False)


def _of_bands(name: str) -> bool:
    """Whether a parameter belongs to bands: of R, or of slow residuals."""
    return name.startswith("error.") or name.rpartition(".")[2].startswith(RESIDUAL)


def _matching(
    path: Path,
    told: Mapping[str, str],
    held: dict[str, torch.Tensor],
    meant: Mapping[str, str],
    wanted: Mapping[str, torch.Tensor],
) -> dict[str, torch.Tensor]:
    """The tensors of a file, unless they are not those of a system; arguments of `differences`."""
    named = {"kernel", "order"} & told.keys()
    if not named and not any(name.startswith("forecast.") for name in held):
        raise InputError(f"{path}: is no file of a forecaster; {REMEDY}")
    wrong = differences(told, held, meant, wanted)
    if wrong:
        raise InputError(
            f"{path}: weights were fitted for another configuration ({'; '.join(wrong)}); "
            f"{_repeated(told, meant)}"
            "fit them again with `releo-da train` on this state, kernel and channels"
        )
    refuse_infinite(held, path, REMEDY)
    return held


def _repeated(told: Mapping[str, str], meant: Mapping[str, str]) -> str:
    """What to write into ``forecast`` to repeat the fit; nothing where no option differs."""
    name, options = _forecaster(told), []
    if name and name != _forecaster(meant):
        options.append(f"name: {name}")
    for key in OPTIONS if name == NETWORK else OPTIONS[:2]:
        value, here = told.get(key), meant.get(key, UNTOLD.get(key, ""))
        if value is not None and value != here:
            listed = f"[{', '.join(value.split())}]" if key in ("own", "slow") else value.lower()
            options.append(f"{key}: {listed}")
    written = f"write {{{', '.join(options)}}} into 'forecast', as in the fit, or "
    return written if options else ""


def _forecaster(told: Mapping[str, str]) -> str:
    """The forecaster by what it alone tells of its latent axis; empty where it tells nothing."""
    return NETWORK if told.get("network") else "hybrid" if told.get("physics") else ""


def differences(
    told: Mapping[str, str],
    held: Mapping[str, torch.Tensor],
    meant: Mapping[str, str],
    wanted: Mapping[str, torch.Tensor],
) -> list[str]:
    """What differs between a file of weights and a system, in words; empty where nothing does.

    Args:
        told: what the file says of its latent axis.
        held: its tensors.
        meant: what the system says of its own.
        wanted: the parameters of the system.
    """
    old = dict(UNTOLD)
    if "order" in told:  # of files that did not name the kernel
        rough = any(name.endswith("rough_log_rate") for name in held)
        old["kernel"] = kernel(told["order"] == "second", rough)
    words = []
    if _forecaster(told) and _forecaster(told) != _forecaster(meant):
        words.append(f"they belong to the forecaster {_forecaster(told)}")
    for key, here in meant.items():
        there = told.get(key, old.get(key, here))
        if there != here:
            short = max(len(there), len(here)) <= SHORT
            both = f"{key} is {there or 'none'} there and {here or 'none'} here"
            words.append(both if short else f"{key} differs")
    names = [n for n in wanted if n not in held or held[n].shape != wanted[n].shape]
    names += [n for n in wanted if n not in names and held[n].dtype != wanted[n].dtype]
    names += [n for n in held if n not in wanted]
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        words.append(f"parameters {', '.join(names[:NAMED])}{more}")
    return words
