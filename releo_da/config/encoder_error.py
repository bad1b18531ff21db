"""The errors by which an encoder reads a series: those that it was trained with.

A token carries the error of a value, and an encoder has learned how much a value with such an error
says. In training the error was the whole of R: the instrument's, which is read with the data, the
operator's, and a representativeness that the weights remember. Told the instrument's alone, two or
three times less, an encoder that never met such errors takes bare numbers for certain ones: its
leaf area is biased and its intervals hold next to nothing. So what it is told has its own R,
whatever that of the run is; weights that do not remember it are told that of the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from releo_da.config.assemble import knots_of
from releo_da.config.encoder_weights import Kept
from releo_da.observation.error import ObservationError
from releo_da.observation.estimates import split
from releo_da.types import Acquisition

REMEMBERED = "representativeness"
"""Entry of what weights say of how they were made, a standard deviation of reflectance."""


def as_trained(
    kept: Kept, own: ObservationError, channels: Mapping[str, tuple[str, ...]]
) -> Callable[[Acquisition], Acquisition]:
    """What completes the error of an acquisition to that which an encoder was trained with.

    Args:
        kept: the encoder.
        own: R of the run, whose operator and limits of angles go along.
        channels: for each sensor of the run, its channels.
    """
    value = kept.made.get(REMEMBERED)
    if not isinstance(value, float) or not 0.0 < value < math.inf:
        return own
    bands, _ = split(channels)
    made = ObservationError(bands, knots_of(bands), own.operator, value, own.zeniths)
    made.to(own.log_representativeness.device)
    return made.requires_grad_(False)
