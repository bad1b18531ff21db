"""The forecaster of docs/how-to/extend.md by its name in a configuration: from file to report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from releo_da.config.finished import mapping_of
from releo_da.config.forecasters import FORECASTERS
from releo_da.state.variables import variables

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "extend.md"
Workplace = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


def of_the_page() -> dict[str, Any]:
    """The class of the page, and the function that is its entry."""
    text, found = PAGE.read_text("utf-8"), dict[str, Any]()
    for block in text.split("```python\n")[1:]:
        body = block.split("\n```")[0]
        if "class Logistic" in body or "def logistic" in body:
            exec(body.split("\nregistry =")[0], found)
    return found


def test_it_runs_by_its_name(
    workplace: Workplace, releo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that a run asks of one beside a signature, and without a linear law."""
    entries: Any = FORECASTERS.entries
    monkeypatch.setitem(entries, "logistic", of_the_page()["logistic"])
    fixed = {name: row.mean for name, row in variables().items() if name != "lai"}

    def configure(config: dict[str, Any]) -> None:
        config["state"] = {"name": "prosail", "fixed": {**fixed, "cbrown": 0.1}}
        config["forecast"] = {"name": "logistic", "rate": 0.08}

    config = workplace(configure=configure)
    status, _, err = releo("hindcast", config, "--out", "run", "--quiet")
    assert status == 0, err
    scores = mapping_of(Path("run/scores.json"))
    assert scores["diverged"] == 0 and scores["smoothed"]["ndvi"]["n"] > 0
    for option, words in {
        "forecast.rat=1": "unknown option; did you mean 'rate'?",
        "forecast.rate=-1": "rate is -1.0; give a positive number",
        "analyse=[{name: variational, background: static}]": "with a linear law, and this one",
        "forecast.initial={name: encoder, weights: default}": "encoder default was made for",
    }.items():
        status, _, err = releo("hindcast", config, "--out", "other", "--quiet", "--set", option)
        assert status == 2 and words in " ".join(err.split()), err
