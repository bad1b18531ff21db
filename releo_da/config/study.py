"""What a study runs: ``experiments/NAME/experiment.yaml`` as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from releo_da.config.document import nearest
from releo_da.config.registry import bind
from releo_da.strict_text import bounded_text
from releo_da.strict_yaml import LARGEST, parse
from releo_da.types import InputError

KEYS = ("seeds", "runs", "label")


@dataclass(frozen=True)
class Folds:
    """Split by clusters of points linked within a distance; ``only`` some of them, from 0."""

    count: int = 5
    within_metres: float = 250.0
    only: tuple[int, ...] = ()

    @property
    def chosen(self) -> tuple[int, ...]:
        """The folds that are run."""
        return self.only or tuple(range(self.count))


@dataclass(frozen=True)
class Run:
    """One configuration of a study, what it is fitted on, and what it is compared with.

    With ``every`` a map is scored on one of so many pixels, and on all that were measured.
    """

    config: str
    fitted_on: str | None = None
    folds: Folds | None = None
    settings: tuple[str, ...] = ()
    against: str = ""
    every: int = 1


def contents(path: Path) -> dict[str, Any]:
    """What an ``experiment.yaml`` holds.

    Raises:
        InputError: it is missing or no mapping.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; name a folder under experiments/ that holds one")
    values = parse(bounded_text(path, LARGEST), str(path)) or {}
    if not isinstance(values, dict):
        raise InputError(f"{path}: wants keys at top level, such as runs or cases")
    return values


def study(path: Path) -> tuple[list[int], dict[str, Run]]:
    """Seeds and runs of an ``experiment.yaml``.

    Raises:
        InputError: the file is missing, holds unknown keys or names a rival that is no run.
    """
    values = contents(path)
    for key in values:
        if key not in KEYS:
            raise InputError(f"{path}: unknown key '{key}'; {nearest(key, KEYS)}")
    listed = values.get("runs") or {}
    if not isinstance(listed, dict):
        raise InputError(f"{path}: runs: wants {{name: {{config: ...}}}}, got {listed!r}")
    runs = {}
    for name, options in listed.items():
        if not isinstance(options, dict):
            raise InputError(f"{path}: runs.{name}: wants {{config: ...}}, got {options!r}")
        options = dict(options)
        folds = options.pop("folds", None)
        where = f"{path}: runs.{name}"
        made = bind(Run, options, where)()
        runs[name] = replace(made, folds=folds and bind(Folds, folds, f"{where}.folds")())
    if not runs:
        raise InputError(f"{path}: runs is empty; name at least one configuration")
    for name, run in runs.items():
        split = run.folds
        wrong = [k for k in split.only if not 0 <= k < split.count] if split else []
        if split and wrong:
            raise InputError(
                f"{path}: runs.{name}.folds.only: {wrong[0]} is none of {split.count} folds; "
                f"give 0 to {split.count - 1}"
            )
        if run.every < 1 or (run.every > 1 and split):
            raise InputError(
                f"{path}: runs.{name}.every is {run.every}; give 1 or more, and 1 beside folds, "
                "which choose the pixels themselves"
            )
        if run.against and (run.against not in runs or run.against == name):
            others = [other for other in runs if other != name]
            raise InputError(
                f"{path}: runs.{name}.against: unknown run '{run.against}'; "
                f"{nearest(run.against, others)}"
            )
    return seeds_of(path, values), runs


def seeds_of(path: Path, values: Mapping[str, Any]) -> list[int]:
    """The seeds of a study.

    Raises:
        InputError: none, one that is no number of a generator, or one twice.
    """
    found = values.get("seeds", [0, 1, 2])
    right = isinstance(found, list) and all(
        isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in found
    )
    if not right or not found:
        raise InputError(f"{path}: seeds: wants whole numbers from 0, as [0, 1, 2]; got {found!r}")
    twice = sorted({seed for seed in found if found.count(seed) > 1})
    if twice:
        raise InputError(
            f"{path}: seeds: {', '.join(map(str, twice))} stands there twice and would count twice;"
            " remove one"
        )
    return found


def label_of(path: Path) -> str:
    """What the runs of a study differ in, with its unit, for the axis of its figure."""
    return str(contents(path).get("label") or "")
