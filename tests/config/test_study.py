"""Studies as files: those of the project are whole, and mistakes in them are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from releo_da.config.document import load
from releo_da.config.experiment import units
from releo_da.config.options import Options
from releo_da.config.sections import score, section
from releo_da.config.study import contents, study
from releo_da.config.train_section import train
from releo_da.types import InputError

ROOT = Path(__file__).resolve().parents[2] / "experiments"
STUDIES = [p.parent.name for p in ROOT.glob("*/experiment.yaml") if "runs" in contents(p)]


@pytest.mark.parametrize("name", STUDIES)
def test_every_run_of_the_studies_has_a_configuration_that_holds(name: str) -> None:
    seeds, runs = study(ROOT / name / "experiment.yaml")
    found = units(ROOT / name, Options(), Path("out"))
    assert {(u.options.seed, u.run) for u in found} == {(s, r) for s in seeds for r in runs}
    for unit in found:
        document = load(unit.config, unit.options.settings)
        assert section(document, "train", train).schedule.epochs >= 0
        section(document, "score", score)


def test_settings_of_a_run_reach_its_configuration() -> None:
    """Two runs of one file: what one withholds the other assimilates."""
    held = {
        u.run: section(load(u.config, u.options.settings), "score", score).withhold.sensor
        for u in units(ROOT / "hls_fire", Options(), Path("out"))
    }
    assert held == {"l30_from_s30": "hls_l30", "s30_from_l30": "hls_s30"}


def test_some_folds_alone_can_be_run(tmp_path: Path) -> None:
    text = "seeds: [3]\nruns: {a: {config: a.yaml, folds: {count: 5, only: [4, 1]}}}"
    (tmp_path / "experiment.yaml").write_text(text)
    assert [u.fold for u in units(tmp_path, Options(), tmp_path)] == [4, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runs: {a: {config: a.yaml, against: b}}", "runs.a.against: unknown run 'b'"),
        ("runs: {a: {config: a.yaml, against: a}}", "runs.a.against: unknown run 'a'"),
        ("runs: {a: {config: a.yaml, setings: []}}", "did you mean 'settings'"),
        ("runs: {}", "runs is empty"),
        ("runs: {a: {config: a.yaml}}\nseed: 1", "did you mean 'seeds'"),
        ("runs: {a: {config: a.yaml, folds: {count: 5, only: [5]}}}", "5 is none of 5 folds"),
        ("[1]", "wants keys at top level"),
        ("runs: [a]", r"runs: wants \{name: \{config"),
        ("runs: {a: config.yaml}", r"runs.a: wants \{config: ...\}, got 'config.yaml'"),
        ("runs: {a: {config: a.yaml}}\nseeds: []", "seeds: wants whole numbers"),
        ("runs: {a: {config: a.yaml}}\nseeds: 3", "seeds: wants whole numbers"),
        ("runs: {a: {config: a.yaml}}\nseeds: [0, x]", "seeds: wants whole numbers"),
        ("runs: {a: {config: a.yaml}}\nseeds: [0, 1, 0]", "seeds: 0 stands there twice"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        study(path)
