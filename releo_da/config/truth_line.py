"""Whose truth a twin experiment is measured against, in one sentence for its report.

A truth that the filter's own model made (an identical twin) shows that the machinery works; how
large errors are on real land is said only by a truth that shares nothing with the filter. Reports
look alike otherwise, so each says first which one it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from releo_da.diagnostics.plots.style import words

LANDS = {
    "wofost": "crops grown by WOFOST",
    "aquacrop": "crops grown by AquaCrop",
    "phenology": "forests, grass and bare soil by a phenology",
}
"""Of `releo_da.config.natures`."""


def truth_line(values: Mapping[str, Any], verification: xr.Dataset, sampled: bool = False) -> str:
    """Truth, sensors and size of a twin experiment.

    Args:
        values: config.yaml.
        verification: verification.nc.
        sampled: whether it holds some of the pixels, where scores are of all.

    Returns:
        A sentence or two; empty where the configuration has no ``source.twin``.
    """
    source = values.get("source")
    twin = source.get("twin") if isinstance(source, Mapping) else None
    if not isinstance(twin, Mapping):
        return ""
    sizes = verification.sizes
    sensors = ", ".join(words(one) for one in sorted(set(verification.sensor.values.tolist())))
    pixels = f"{sizes['pixel']} compared pixels"
    seeds = int((values.get("score") or {}).get("repeats") or 1)
    parts = [
        f"{sizes['time']} acquisitions" + (f" by {sensors}" if sensors else ""),
        f"scores of all pixels, figures of errors of {sizes['pixel']}" if sampled else pixels,
        f"{int(verification.attrs['members'])} members",
        *([f"{seeds} seeds"] if seeds > 1 else []),
    ]
    return f"Truth: {made_by(values, twin)} {', '.join(parts)}."


def made_by(values: Mapping[str, Any], twin: Mapping[str, Any]) -> str:
    """What made the truth, and what follows for reading the errors."""
    nature = named(twin.get("nature"))
    if nature:
        return (
            f"{LANDS.get(nature, nature)}, which share neither growth nor leaves with the filter: "
            "errors are those of a wrong model too."
        )
    truth, own = named(twin.get("truth")), named(values.get("forecast"))
    if truth and truth != own:
        return (
            f"a run of {truth}, another model than that of the filter{f', {own}' if own else ''}."
        )
    return (
        "a run of the filter's own model (an identical twin): it shows that the machinery works, "
        "and not how large errors are on real land."
    )


def named(entry: Any) -> str:
    """The name of a component in a configuration, empty without one."""
    return str((entry.get("name") if isinstance(entry, Mapping) else entry) or "")
