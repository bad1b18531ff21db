"""Pixels that listen to each other in a hindcast, a service and a twin."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from releo_da.assimilation import etkf, neighbours
from releo_da.config import twin as twins
from releo_da.config.document import load
from releo_da.config.options import Options
from releo_da.cycling.fields import Correlated
from releo_da.io import drop_duplicates, merge, read_state
from releo_da.runs.block import Task
from releo_da.runs.hindcast import hindcast
from releo_da.types import InputError

from .linear import ALL, MEMBERS, SEED, deliver, last, linear_model, read, season, states
from .twins import written

SYMMETRIC = "{name: etkf, root: symmetric}"


def listening():
    """The linear system, fields of members, neighbours within a kilometre or so."""

    def scheme(*arguments):
        return neighbours(lambda *a: etkf(*a, root="symmetric"), 800.0, most=5)(*arguments)

    correlated = Correlated(2000.0)
    return replace(linear_model(), analyse=scheme, gathers=True, correlated=correlated)


def of_points(path, number):
    """A hindcast of the first points of a file, each about 800 m from the next."""
    series = drop_duplicates(merge([read(path)]))
    part = slice(number)
    acquisitions = [
        a._replace(values=a.values[part], error=a.error[part], angles=a.angles[part])
        for a in series.acquisitions
    ]
    series = series._replace(acquisitions=acquisitions, pixels=series.pixels.isel(pixel=part))
    task = Task(SEED, MEMBERS, start=acquisitions[0].time, smooth=False)
    return hindcast(listening(), series, task)


def test_a_service_whose_pixels_listen_stands_where_the_hindcast_stands(tmp_path, service):
    path = deliver(tmp_path / "inbox", season(points=300), ALL)
    one = service(model=listening())
    assert one.sweep().assimilated == 7
    outcome = of_points(path, 300)
    assert torch.equal(last(one).ensemble, outcome.state.ensemble)
    assert torch.equal(outcome.state.memory["block"], torch.arange(300) // 256)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").open()]
    (said,) = [r for r in log if r["kind"] == "located"]
    assert said["blocks"] == 2 and said["unit"] == "metres" and "256 ids" in said["message"]
    # The first block does not depend on the second: pixels meet inside their own.
    first = of_points(path, 256)
    assert torch.equal(first.state.ensemble, outcome.state.ensemble[:256])
    alone = hindcast(
        replace(listening(), analyse=etkf),
        drop_duplicates(merge([read(path)])),
        Task(SEED, MEMBERS, start=first.state.time - 30.0, smooth=False),
    )
    assert not torch.equal(alone.state.ensemble, outcome.state.ensemble)


def test_it_ends_and_goes_on_to_the_bit_while_points_are_added(tmp_path, service):
    few, all_of_them = season(points=5), season(points=9)
    for date in ALL:
        deliver(tmp_path / "inbox", few if date < 3 else all_of_them, [date])
    whole = service("whole", model=listening())
    assert whole.sweep().assimilated == 7
    for done in range(len(ALL)):
        parts = service("parts", model=listening())
        swept = parts.sweep(lambda one=parts, done=done: one.store.number > done)
        assert swept.assimilated == 1
    assert states(tmp_path / "parts") == states(tmp_path / "whole")
    place = read_state(tmp_path / "whole" / "states" / "000007.safetensors").memory["place"]
    assert place.shape == (9, 3) and len(torch.unique(place, dim=0)) == 9


def test_a_service_places_its_model_once_per_pixel_axis(tmp_path, service):
    path = deliver(tmp_path / "inbox", season(points=300), ALL)
    one, pixels = service(model=listening()), read(path).pixels
    first = one.located(pixels)
    assert one.located(pixels.copy(deep=True)) is first
    assert one.located(pixels.isel(pixel=slice(299))) is not first


def test_without_places_the_run_says_what_is_missing(tmp_path, service):
    path = deliver(tmp_path / "inbox", season().drop_vars(["x", "y"]), ALL)
    with pytest.raises(InputError, match="nothing says where its points lie"):
        of_points(path, 3)


def scores(folder, pixels, analyse, *settings):
    folder.mkdir()
    path = written(
        folder,
        ("pixels: 40", f"pixels: {pixels}"),
        ("{name: mean_reverting}", "{name: mean_reverting, correlated: {length: 60}}"),
        ("cloud: 0.4", "cloud: 0.8"),
        ("smooth: {name: rts}\n", ""),
        ("score: {horizons: [10]}\n", ""),
        ("members: 48", "members: 64"),
    )
    settings = (f"analyse={analyse}", *settings)
    twins.command(load(path, settings), Options(out=folder / "run", quiet=True))
    return json.loads((folder / "run" / "scores.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("pixels", ["[10, 10]", "100"], ids=["grid", "points"])
def test_neighbours_see_through_clouds(tmp_path, pixels):
    """Truth and members are fields; four of five pixels of a pass are hidden."""
    alone = scores(tmp_path / "alone", pixels, f"[{SYMMETRIC}]")
    near = scores(tmp_path / "near", pixels, f"[{SYMMETRIC}, {{name: neighbours, radius: 10}}]")
    for name in ("ndvi", "B08", "lai"):
        assert near["analysis"][name]["rmse"] < 0.9 * alone["analysis"][name]["rmse"]
        assert near["free_run"][name] == alone["free_run"][name]
    assert near["analysis"]["ndvi"]["coverage_90"] > 0.8


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("forecast.correlated", "{length: 0}", r"forecast\.correlated: correlated: length must"),
        ("forecast.correlated", "{reach: 5}", r"forecast\.correlated\.reach: unknown option"),
        ("source.twin.spacing", "0", "spacing is 0"),
        ("analyse", "[{name: etkf}, {name: neighbours}]", "needs 'radius'"),
    ],
)
def test_what_can_not_be_is_refused(tmp_path, key, value, message):
    with pytest.raises(InputError, match=message):
        twins.command(
            load(written(tmp_path), [f"{key}={value}"]), Options(out=tmp_path / "r", quiet=True)
        )
    assert not np.any([(tmp_path / "r" / "scores.json").exists()])
