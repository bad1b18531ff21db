"""A model that knows where its pixels lie: draws that are fields, and a state that has places.

Schemes and forecasters meet tensors along a pixel axis and nothing of a map. What needs distances
gets them here, once per run: random numbers of prior and model noise become fields
(`releo_da.cycling.fields`), and the state carries ``memory["place"]`` and ``memory["block"]`` for
`releo_da.assimilation.neighbours`. A model that asks for neither is returned as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from releo_da.cycling.draws import BLOCK
from releo_da.cycling.fields import mixer
from releo_da.cycling.placed import placed
from releo_da.io.location import places_of, unit_of
from releo_da.runs.model import Model


def located(model: Model, pixels: xr.Dataset, kept: int = BLOCK) -> Model:
    """The model on a pixel axis.

    Args:
        model: the joined system.
        pixels: the axis of a series (`releo_da.io.series.Series`).
        kept: blocks whose fields are held in memory (`releo_da.cycling.fields.mixer`).

    Raises:
        InputError: the model needs places and nothing says where the pixels lie.
    """
    if not model.gathers and model.correlated is None:
        return model
    places = places_of(pixels)
    if model.correlated is not None:
        model = replace(model, mix=mixer(places, model.correlated, kept))
    if model.gathers:
        model = replace(model, initial=placed(model.initial, places))
    return model


class Locating:
    """`located` for a run that meets pixel axes one after the other, time outside, blocks inside.

    The model stays the one it was, with all factors of its blocks, until the axis is another.

    Args:
        model: the joined system.
        bind: makes it for a pixel axis, where its forecaster is moved by weather.
    """

    def __init__(self, model: Model, bind: Callable[[xr.Dataset], Model] | None = None) -> None:
        self.model, self.found, self.bind = model, model, bind
        self.pixels: xr.Dataset | None = None

    def renew(self) -> None:
        """Bind the model again when it is asked for next: its file of weather may have grown."""
        if self.bind is not None:
            self.pixels = None

    def __call__(self, pixels: xr.Dataset) -> Model:
        """The model on a pixel axis; raises as `located`."""
        if self.pixels is None or not self.pixels.identical(pixels):
            model = self.model if self.bind is None else self.bind(pixels)
            self.found = located(model, pixels, count_blocks(pixels))
            self.pixels = pixels
        return self.found


def count_blocks(pixels: xr.Dataset) -> int:
    """How many blocks of randomness the ids of a pixel axis are of."""
    return len(np.unique(pixels["id"].values // BLOCK))


def told(model: Model, pixels: xr.Dataset) -> list[dict[str, Any]]:
    """What the log of a run says of it, nothing where the model asks for no places.

    Args:
        model: the joined system.
        pixels: the axis of a series.
    """
    if not model.gathers and model.correlated is None:
        return []
    unit, count = unit_of(pixels), count_blocks(pixels)
    width = int(pixels.attrs.get("width", 0))
    shape = f" ({BLOCK / width:.3g} rows of the grid)" if width else ""
    message = (
        f"pixels meet within blocks of {BLOCK} ids{shape} and not across their borders; "
        f"distances in {unit}"
    )
    return [{"kind": "located", "blocks": count, "unit": unit, "message": message}]
