r"""Who is told that errors of channels go together: all that use R, by the one entry `whitened`.

`whitened` gives R = D^1/2 C D^1/2 to the scheme that it wraps. C is told besides to the wrappers
outside of it that judge several channels at once, to what counts refusals and judges innovations,
to the likelihood that a fit climbs, and to the draws of error by which predictions are scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from releo_da.assimilation import impact
from releo_da.assimilation.screening import KEPT, REASONS, screen
from releo_da.assimilation.tally import tally
from releo_da.assimilation.whitening import checked, coloured
from releo_da.config.document import Document
from releo_da.config.schemes import SCHEMES, layers_of, name_of
from releo_da.runs.model import Impact, Reasons, Tally
from releo_da.types import InputError, Scheme

Channels = Mapping[str, tuple[str, ...]]
"""For each sensor, its channels."""


def analyse_of(document: Document) -> Any:
    """The entry ``analyse``, where what judges outside of `whitened` is told its correlation."""
    spec = document.values.get("analyse", "etkf")
    return _told(spec) if isinstance(spec, list) else spec


def _told(layers: list[Any]) -> list[Any]:
    """Layers with the correlation of `whitened` in the wrappers after it that want one."""
    told, correlation = [], None
    for layer in layers:
        entry = {"name": layer} if isinstance(layer, str) else layer
        name = entry.get("name") if isinstance(entry, dict) else None
        if name == "whitened":
            correlation = entry.get("correlation")
        elif name in ("tuned", "screened") and correlation is not None:
            layer = {"correlation": correlation, **entry}
        told.append(layer)
    return told


def correlation_of(document: Document) -> float | Tensor:
    """The correlation of errors of `whitened`, 0 without.

    Raises:
        InputError: it is none, or stands where errors of several pixels or dates would be taken to
            go together: inside of `neighbours`, or of windows of several acquisitions.
    """
    names = [name_of(layer) for layer in layers_of(document)]
    if "whitened" not in names:
        return 0.0
    place = len(names) - 1 - names[::-1].index("whitened")
    said = SCHEMES.bind(layers_of(document)[place], "analyse").keywords.get("correlation", 0.0)
    correlation = checked(said, "whitened")
    if not isinstance(correlation, Tensor) and correlation == 0.0:
        return 0.0
    for layer, name in zip(layers_of(document)[place + 1 :], names[place + 1 :], strict=True):
        if name == "neighbours":
            raise InputError(
                f"{document.path}: analyse: 'whitened' inside of 'neighbours' would take errors of "
                "different pixels to go together; write it after 'neighbours'"
            )
        if name == "window" and _several(layer):
            raise InputError(
                f"{document.path}: analyse: 'whitened' inside of 'window' would take errors of "
                "different dates to go together; give the window shift: 1, or leave whitened out"
            )
    return correlation


def _several(window: Any) -> bool:
    """Whether several acquisitions enter with each window."""
    options = SCHEMES.bind(window, "analyse").keywords
    shift = options.get("shift")
    return (options.get("lag", 1) if shift is None else shift) > 1


def refuse_other_channels(document: Document, channels: Channels) -> None:
    """Refuse a matrix of correlations that is not of the channels of every sensor.

    Raises:
        InputError: a sensor has more, fewer or other channels than another or than the matrix.
    """
    correlation = correlation_of(document)
    if not isinstance(correlation, Tensor) or correlation.dim() == 0:
        return
    first = next(iter(channels.values()), ())
    for sensor, names in channels.items():
        if len(names) != len(correlation) or names != first:
            raise InputError(
                f"{document.path}: analyse: whitened.correlation is a matrix of "
                f"{len(correlation)} channels, and {sensor} has {', '.join(names)}; a matrix is of "
                "sensors with the same channels, in their order: give one number for all sensors"
            )


def coloured_of(document: Document) -> Callable[[Tensor], Tensor] | None:
    """What makes draws of errors go together, by the same correlation; None without."""
    correlation = correlation_of(document)
    if not isinstance(correlation, Tensor) and correlation == 0.0:
        return None
    return partial(coloured, correlation=correlation)


def reasons_of(document: Document) -> Reasons | None:
    """The screening of a configuration as a function that counts what it refuses, by reason."""
    for layer in _told(layers_of(document)):
        if name_of(layer) == "screened":
            options = dict(SCHEMES.bind(layer, "analyse").keywords)
            options.pop("patience", None)  # decides what is done about a reason, not the reason
            return lambda predicted, y, precision, used: _counted(
                screen(predicted, y, precision, **options).masked_fill(used > 0, KEPT)
            )
    return None


def _counted(code: torch.Tensor) -> dict[str, int]:
    counts = torch.bincount(code.flatten().long(), minlength=len(REASONS)).tolist()
    return {r: n for r, n in zip(REASONS, counts, strict=True) if n and r != "kept"}


def tally_of(document: Document) -> Tally:
    """What judges the innovations of a run, with the correlation of `whitened` where it has one."""
    return partial(tally, correlation=correlation_of(document))


def impact_of(document: Document) -> Impact:
    """What says what each channel did to an analysis, with the same correlation."""
    return partial(impact.told, correlation=correlation_of(document))


def fitting_scheme(document: Document, supplied: Mapping[str, Any] | None = None) -> Scheme:
    """The scheme of a fit: that of the configuration without screening and without neighbours.

    The likelihood weighs each acquisition by the probability that it is clean; a hard refusal
    would hide from the fit the very innovations that say how large its errors are. The pixels of a
    fit are a sample from all over the scene, which have no neighbours among them.

    Args:
        document: the configuration.
        supplied: arguments that the run gives, such as places.
    """
    left_out = ("screened", "neighbours")
    kept = [layer for layer in _told(layers_of(document)) if name_of(layer) not in left_out]
    scheme: Scheme = SCHEMES.build(kept, "analyse", supplied)
    return scheme
