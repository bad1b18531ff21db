"""The truth of a twin: a fair draw, seen by the passes asked for; bad input is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from releo_da.config import twin, twin_passes, twin_setting, twin_source
from releo_da.config.compared import comparing
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.cycling.draws import block_draws
from releo_da.runs.hindcast import blocks
from releo_da.runs.twin_truth import known
from releo_da.state.variables import deviations
from releo_da.types import InputError

from .twins import simulated, written


def test_the_truth_is_a_draw_of_the_forecaster(tmp_path: Path) -> None:
    """Its variance over pixels is that of an ensemble, and the noise is that of R."""
    truth, ours = simulated(tmp_path, 7, 0.0, 1500)
    names = ours.layout.names
    first = truth.states[truth.acquisitions[0].time]
    noise = torch.randn((1500, 8, ours.layout.size), generator=torch.Generator().manual_seed(0))
    prior = ours.model.initial(truth.acquisitions[0].time, torch.arange(1500), 8, lambda s: noise)
    mine = first[:, 0, : len(names)]
    theirs = prior.ensemble[..., : len(names)].reshape(-1, len(names))
    standard = 4.0 / math.sqrt(1500)
    assert ((mine.mean(0) - theirs.mean(0)) / theirs.std(0)).abs().max() < standard
    assert (mine.std(0) / theirs.std(0) - 1.0).abs().max() < standard
    for a, exact in zip(truth.acquisitions, truth.exact, strict=True):
        full = ours.model.error(a).error
        white = ((a.values - exact) / full).flatten()
        assert white.mean().abs() < 4.0 / math.sqrt(len(white))
        assert (white.std() - 1.0).abs() < 4.0 / math.sqrt(len(white))


def test_cloud_hides_the_stated_share_and_whole_pixels(tmp_path: Path) -> None:
    truth, _ = simulated(tmp_path, 7, 0.4, 1500)
    for a in truth.acquisitions:
        assert torch.equal(a.seen.any(1), a.seen.all(1))
        hidden = 1.0 - a.seen[:, 0].float().mean()
        assert abs(hidden - 0.4) < 4.0 * math.sqrt(0.24 / 1500)
        assert (a.values[~a.seen] == 0.0).all()


def test_pixels_do_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    few, _ = simulated(tmp_path, 7, 0.4, 10)
    many, _ = simulated(tmp_path, 7, 0.4, 300)
    assert len(list(blocks(torch.arange(300)))) == 2
    for one, two in zip(few.acquisitions, many.acquisitions, strict=True):
        torch.testing.assert_close(one.values, two.values[:10], rtol=0.0, atol=1e-6)
        assert torch.equal(one.seen, two.seen[:10])


def test_what_the_canopy_model_leaves_open_widens_estimates_and_no_truth(tmp_path: Path) -> None:
    def parts(*settings: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        document = load(written(tmp_path), ("products.variables=[lai, ccc, ndvi]", *settings))
        made = twin_source.source_of(document)
        ours, theirs = twin_setting.assemblies(document, made, torch.device("cpu"))
        draw = torch.randn((4, 64, ours.layout.size), generator=torch.Generator().manual_seed(2))
        angles = torch.tensor([[40.0, 5.0, 90.0]]).expand(4, 3)
        estimate = comparing(ours)(draw, angles) | ours.model.derive(draw, angles)
        return estimate, theirs.model.derive(draw, angles)

    (plain, true), (wide, still) = parts(), parts("products.structural=0.5")
    for name in ("lai", "ccc"):
        assert (wide[name].log().std(1) > plain[name].log().std(1)).all()
        torch.testing.assert_close(still[name], true[name])
    torch.testing.assert_close(wide["ndvi"], plain["ndvi"])
    torch.testing.assert_close(wide["cab"], plain["cab"])


def test_the_truth_is_none_of_the_members(tmp_path: Path) -> None:
    """Even with the run's seed, it is no member of the free run: its draws have their own label."""
    document = load(written(tmp_path))
    made = twin_source.source_of(document)
    task, pixels = twin_setting.task_of(document, made), torch.arange(40)
    truth, ours = simulated(tmp_path, task.seed, 0.4, 40)
    draws = block_draws(task.seed, pixels, torch.zeros(0))
    mine = truth.states[task.start].flatten().numpy()

    def closest(members: int, label: str) -> float:
        noise = draws(task.start, label)
        prior = ours.model.initial(task.start, pixels, members, noise).ensemble
        return max(abs(np.corrcoef(mine, m.flatten().numpy())[0, 1]) for m in prior.unbind(1))

    assert closest(2, "truth") > 0.999  # as the truth was drawn, it would be found
    assert max(closest(members, "initial") for members in (2, 48)) < 0.5


LORENZ = (
    "source={twin: {truth: {name: lorenz96, size: 40, forcing: 8.0}, initial: zeros, steps: 10}}"
)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (LORENZ, "period: a toy model has none"),
        ("source.twin.truth=lorenz36", "source.twin.truth.name: unknown forecaster 'lorenz36'"),
        ("source={twin: {satellites: []}}", "satellites: the list is empty"),
        ("source.twin.cloud=1.0", "cloud is 1.0; give a probability"),
        ("source.twin.pixels=[1, 2, 3]", "pixels is .*give a number of points"),
        ("source.twin.pixels=0", "pixels is 0"),
        ("score={burn_in: 60}", "score.burn_in: 60 days leave no pass to score"),
        ("source.twin.place=[1.0]", "place is"),
        ("source.twin.place=[1.0, 100.0]", "place is"),
        ("source.twin.colud=0.3", "source.twin.colud: unknown option; did you mean 'cloud'"),
        ("source.twin.satellites.0.sensor=sentinel2x", "unknown sensor 'sentinel2x'"),
        ("source.twin.satellites.0.channels=[B99]", "has no channel 'B99'"),
        ("source.twin.satellites.0.every_days=0", "every_days is 0"),
        ("source=[{reader: cube, path: x.nc}]", "a twin experiment needs {twin"),
        (
            "score={withhold: {every: 3}}",
            "score.withhold: a twin experiment is scored on its truth",
        ),
    ],
)
def test_bad_input_is_refused_with_a_remedy(tmp_path: Path, setting: str, message: str) -> None:
    document = load(written(tmp_path), (setting,))
    with pytest.raises(InputError, match=message):
        twin.command(document, Options(out=tmp_path / "run", quiet=True))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("setting", ["first=2024-01-01", "hour=23.0"])
def test_passes_at_night_or_after_the_period_are_left_out(tmp_path: Path, setting: str) -> None:
    document = load(written(tmp_path), (f"source.twin.satellites.0.{setting}",))
    found = twin_passes.passes(document, twin_source.source_of(document), torch.device("cpu"))
    assert [a.sensor for a in found] == ["landsat8"] * 3
    assert [round(a.time % 1 * 24, 1) for a in found] == [10.2] * 3
    assert np.diff([a.time for a in found]).tolist() == [16.0, 16.0]


def test_no_pass_by_day_is_refused(tmp_path: Path) -> None:
    document = load(
        written(tmp_path),
        ("source.twin.satellites.0.hour=23.0", "source.twin.satellites.1.hour=1.0"),
    )
    with pytest.raises(InputError, match="no satellite passes by day"):
        twin_passes.passes(document, twin_source.source_of(document), torch.device("cpu"))


def test_a_sensor_has_one_list_of_channels(tmp_path: Path) -> None:
    document = load(written(tmp_path, ("sensor: landsat8, channels: [B2, B4, B5, B6]",
                                       "sensor: sentinel2a, channels: [B02]")))  # fmt: skip
    with pytest.raises(InputError, match="sentinel2a comes with other channels"):
        twin_source.channels_of(twin_source.source_of(document))


@pytest.mark.parametrize(("members", "pixels"), [(6, 5), (12, 20)])
def test_the_scale_of_vector_scores_is_that_of_the_table(
    tmp_path: Path, members: int, pixels: int
) -> None:
    document, ids = load(written(tmp_path)), torch.arange(pixels)
    task = twin_setting.task_of(document, twin_source.source_of(document))
    nature, ours = simulated(tmp_path, 7, 0.4, pixels)
    task = replace(task, members=members)
    truth = known(ours.model, nature, comparing(ours), task, ids, "cpu")
    scale = dict(zip(truth.names, truth.scale.tolist(), strict=True))
    table = deviations()
    for name in ("lai", "cab", "cw", "psoil"):
        assert scale[name] == pytest.approx(table[name], rel=1e-6)
