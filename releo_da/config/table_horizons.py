"""Horizons of the forecasts in the table of a study: those of all seeds, which must be the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from releo_da.diagnostics.leads import middle
from releo_da.types import InputError


def horizons_of(scores: Mapping[str, Any]) -> list[str]:
    """Horizons and bins of lead of which there is a score of NDVI, the shortest first."""
    held = scores.get("forecast", {})
    return sorted((name for name, rows in held.items() if "ndvi" in rows), key=middle)


def check_horizons(run: str, seeds: Mapping[int, Mapping[str, Any]]) -> None:
    """Refuse a run whose seeds were not scored at the same horizons: a mean would mix them.

    Args:
        run: its name.
        seeds: scores by seed.

    Raises:
        InputError: a seed has a horizon that another lacks.
    """
    (first, one), *others = ((seed, horizons_of(scores)) for seed, scores in seeds.items())
    for seed, other in others:
        if other != one:
            raise InputError(
                f"{run}: forecasts of seed {first} are {', '.join(one) or 'no'} days ahead, those "
                f"of seed {seed} {', '.join(other) or 'no'}; name in score.horizons those that "
                "every seed can have, or run all seeds anew"
            )
