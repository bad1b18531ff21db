"""Whether a finished run holds what its figures and its report are made of."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import xarray as xr

from releo_da.config.finished import Finished, another_format
from releo_da.diagnostics.twin_judged import CASES
from releo_da.strict_yaml import parse

FIELDS = ("observed", "mean", "sd")
"""Of verification.nc."""

JUDGED = ("rmse", "bias", "spread", "coverage_90", "n")
"""Of a row of a twin over a landscape."""

CALIBRATED = ("pit", "intervals", "spread_skill", "spread_skill_slope", "ranks", "flatness")
"""Of a row of its calibration."""


def check_drawable(run: Finished, said: xr.Dataset | None) -> None:
    """Refuse what was written in another form, before anything of it is drawn.

    Args:
        run: texts and scores.
        said: verification.nc.

    Raises:
        InputError: config.yaml is no configuration, or a file lacks what is drawn of it.
    """
    if not isinstance(parse(run.config, str(run.root / "config.yaml")), Mapping):
        raise another_format(run, "config.yaml", "sections of a configuration")
    if said is not None:
        for name in FIELDS:
            if name not in said:
                raise another_format(run, "verification.nc", f"field {name!r}")
    if not (run.root / "truth.nc").is_file():
        return
    for case in ("free_run", "analysis"):
        if not isinstance(run.scores.get(case), Mapping):
            raise another_format(run, "scores.json", f"rows {case!r}")
    if "skill" not in run.scores:
        return  # a toy model
    for name, row in run.scores["analysis"].items():
        _check(run, row, JUDGED, f"analysis.{name}")
    for case in CASES:
        for name, row in run.scores.get("calibration", {}).get(case, {}).items():
            _check(run, row, CALIBRATED, f"calibration.{case}.{name}")


def _check(run: Finished, row: Any, keys: tuple[str, ...], where: str) -> None:
    """Refuse a row that lacks a number."""
    for key in keys:
        if not isinstance(row, Mapping) or key not in row:
            raise another_format(run, "scores.json", f"{where}.{key}")


def changed_since(run: Finished) -> list[str]:
    """A warning where config.yaml is not what the run was started with."""
    told = run.made.get("configuration_sha256")
    lines = run.config.splitlines(keepends=True)
    body = "".join(line for line in lines if not line.startswith("# "))
    if told is None or sha256(body.encode()).hexdigest() == told:
        return []
    return ["config.yaml is not the one that the run was started with: it was changed afterwards"]
