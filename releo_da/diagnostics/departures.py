"""O-B and O-A by channel, for the report of any run that kept sums of its innovations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from releo_da.diagnostics import plots
from releo_da.diagnostics.picture import Picture


def departure_pictures(scores: Mapping[str, Any]) -> list[Picture]:
    """The picture of departures; none where nothing was used or judged.

    Args:
        scores: scores.json.
    """
    said = {s: row for s, row in scores.get("innovations", {}).items() if row["errors"]}
    if not said:
        return []
    return [
        Picture(
            "departures",
            "Observation minus estimate, before (O-B) and after (O-A) it was used",
            "Of all values that were used, in units of the observation error that the run assumes. "
            "Left: the mean, 0 where sensor, operator and model have no bias. Middle: the standard "
            "deviation; that of O-B should reach the black mark, what spread and observation error "
            "together expect. Beyond it the run is too sure of a channel, below too careful. O-A "
            "is shorter the more an analysis follows a channel. Right: the observation error that "
            "both suggest (Desroziers et al. 2005); at the line it is the assumed one, and a "
            "cross stands where they suggest none, a variance below 0.",
            plots.departures(said),
        )
    ]
