"""What a fit sets apart to judge it, and what it has met, so that a run can say what is new to it.

A learned forecaster says nothing of a gap or a latitude that no fit has met. The fit keeps both
with its weights; a run that goes beyond them says so in its log and goes on
(`releo_da.dynamics.surroundings` says how).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from releo_da.dynamics.neural import Neural
from releo_da.learning.gaps import Gaps
from releo_da.learning.stretches import Part
from releo_da.runs.folds import clusters, folds
from releo_da.runs.folds import units as blocks
from releo_da.runs.unseen import longest
from releo_da.types import Acquisition, InputError

NEIGHBOURS = 250.0
"""Metres within which points are neighbours, which are held out together."""


def apart(pixels: xr.Dataset, share: float) -> Tensor | None:
    """Which pixels are held out, ``[pixel]`` bool; None where the share is 0.

    Points without degrees are no neighbours of each other; pixels of a grid are in square blocks.

    Args:
        pixels: the pixel axis of what is fitted.
        share: about so much of them.

    Raises:
        InputError: there are too few groups of neighbours for the share.
    """
    if not share:
        return None
    if pixels.attrs["kind"] == "grid" or "lon" not in pixels:
        label = np.unique(blocks(pixels).label, return_inverse=True)[1]
    else:
        label = clusters(pixels["lon"].values, pixels["lat"].values, NEIGHBOURS)
    count, groups = max(2, round(1.0 / share)), len(np.unique(label))
    if groups < count:
        raise InputError(
            f"train.held_out: {share:g} of {groups} groups of neighbours is none; give "
            f"{1.0 / groups:.2g} or more, or leave it out"
        )
    return torch.from_numpy(folds(label, count) == 0)


def divided(whole: Part, out: Tensor | None, years: Sequence[int]) -> tuple[Part, list[Part]]:
    """What is learned from, and what is held out: some pixels in all years, all in some years.

    Args:
        whole: what could be learned from.
        out: ``[pixel]`` bool, of `apart`.
        years: that are held out.

    Raises:
        InputError: nothing was seen in one of the years or of the pixels that are held out, or
            nothing is left to learn from.
    """
    of_year = [
        (date(1970, 1, 1) + timedelta(days=int(a.time // 1))).year for a in whole.acquisitions
    ]
    for year in years:
        if year not in of_year:
            raise InputError(
                f"train.held_out_years: nothing was seen in {year}; choose from "
                f"{', '.join(map(str, sorted(set(of_year))))}"
            )
    pairs = list(zip(whole.acquisitions, of_year, strict=True))
    left = whole._replace(acquisitions=[a for a, year in pairs if year not in years])
    if not left.acquisitions:
        raise InputError("train.held_out_years: no year is left to learn from; hold fewer out")
    judges = [
        whole._replace(acquisitions=[a for a, of in pairs if of == year])
        for year in dict.fromkeys(years)
    ]
    if out is None:
        return left, judges
    learned, held = left.at(~out), left.at(out)
    for part, what in ((held, "held out"), (learned, "left to learn from")):
        if not part.values:  # a judgement of nothing would be 0 whatever was learned
            raise InputError(
                f"train.held_out: nothing was seen of the pixels {what} ({len(part.pixels)}); give "
                "another share, or widen train.period"
            )
    return learned, [*judges, held]


def forget(forecaster: nn.Module) -> None:
    """Leave out what the fit has met whose weights a fit begins with; `remember` tells its own.

    Otherwise days would be as long as at the latitudes of that fit while fitting, and not after.
    """
    if isinstance(forecaster, Neural):
        forecaster.around.forget()


def remember(forecaster: nn.Module, acquisitions: Sequence[Acquisition], gaps: Gaps) -> None:
    """Keep with a learned forecaster what its fit has met; nothing with any other.

    Args:
        forecaster: that was fitted.
        acquisitions: on which.
        gaps: that were made in them.
    """
    if isinstance(forecaster, Neural):
        made = gaps.days[1] if gaps.stretch > 0.0 else 0.0
        forecaster.around.meet(max(longest(acquisitions), made))


def beyond(
    forecaster: nn.Module, days: float, places: Tensor | None = None
) -> list[dict[str, Any]]:
    """Records for the log of what a run asks for that no fit has met.

    Args:
        forecaster: of the run.
        days: the longest time between a look and what is forecast from it.
        places: ``[pixel]`` degrees north; None where they are not known.
    """
    if not isinstance(forecaster, Neural):
        return []
    unmet = forecaster.around.unmet(days, places)
    return [{"kind": "not_met", "what": what, "message": text} for what, text in unmet.items()]
