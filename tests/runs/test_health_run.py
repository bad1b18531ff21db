"""A cycling run with a sensor that changes, or stops, against a truth that is known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from releo_da.diagnostics.alarms import Rules
from releo_da.diagnostics.watching import alarms
from releo_da.io import read_products, read_state
from releo_da.io.times import isoformat
from releo_da.runs.open_products import open_products
from releo_da.runs.turn import LAST_SEEN
from releo_da.runs.watched import health_of

from .linear import Open, linear_model, states

POINTS, PASSES, ONSET = 30, 66, 44  # b brings the odd passes, one every 5 days
SHIFT = np.array([0.0, 0.05])


def truth(seed: int, passes: int = PASSES) -> np.ndarray:
    """``[pass, point, channel]``, a draw of the dynamics of the linear model."""
    rng, kept = np.random.default_rng(seed), 0.95**2.5
    found = [0.3 + 0.1 * rng.standard_normal((POINTS, 2))]
    for _ in range(passes - 1):
        drawn = 0.05 * (1.0 - kept) * rng.standard_normal((POINTS, 2))
        found.append(0.3 + kept * (found[-1] - 0.3) + drawn)
    return np.stack(found)


def passes(seed: int, shift: np.ndarray | float = 0.0, number: int = PASSES) -> xr.Dataset:
    """What two satellites see of it; b is off by a shift from the pass ``ONSET`` on."""
    rng, b = np.random.default_rng([seed, 1]), np.arange(number) % 2 == 1
    values = truth(seed, number) + 0.01 * rng.standard_normal((number, POINTS, 2))
    values[b & (np.arange(number) >= ONSET)] += shift
    cloud = rng.uniform(size=(number, POINTS)) < 0.3
    times = np.datetime64("2020-03-01T10:50", "ns") + np.arange(number) * np.timedelta64(60, "h")
    return xr.Dataset(
        {
            "reflectance": (("time", "point", "band"), values),
            "cloud": (("time", "point"), cloud.astype(np.uint8)),
        },
        {
            "time": times,
            "band": ["red", "nir"],
            "platform": ("time", np.where(b, "S2B", "S2A")),
            "x": ("point", 1.0 + 0.01 * np.arange(POINTS)),
            "y": ("point", 43.0 + 0.01 * np.arange(POINTS)),
        },
        {"crs": "EPSG:4326"},
    ).transpose("point", "time", "band")


def put(tmp_path: Path, data: xr.Dataset, name: str = "all.nc") -> None:
    (tmp_path / "inbox").mkdir(exist_ok=True)
    data.to_netcdf(tmp_path / "inbox" / name)


def error(tmp_path: Path, name: str, seed: int) -> float:
    """RMSE of the analysed difference of both channels, ``lai``, after the onset."""
    found = sorted((tmp_path / name / "products").glob("*.nc"))[ONSET:]
    known = truth(seed)[ONSET:]
    said = np.stack([read_products(path)["lai"].values[0] for path in found])
    return float(np.sqrt(np.mean((said - (known[..., 1] - known[..., 0])) ** 2)))


def test_a_biased_sensor_is_found_and_counts_for_less(tmp_path: Path, service: Open) -> None:
    model = linear_model()
    put(tmp_path, passes(0, SHIFT))
    one = service("treated", model=model, members=32)
    one.sweep()
    (alarm,) = alarms(health_of(one.ledger, one.rules, one.store.root)[0], one.rules)
    assert (alarm.kind, alarm.sensor, alarm.channel) == ("biased", "sentinel2b", "B08")
    factors = [cycle.scores["factor"] for cycle in one.ledger.cycles()]
    first = factors.index(5.0)
    assert ONSET < first <= ONSET + 7  # after at most three passes of b
    assert set(factors[0::2]) == {1.0}, "the other sensor goes on"
    assert set(factors[first + 2 :][0::2]) == {5.0} or set(factors[first::2]) == {5.0}
    log = [json.loads(line) for line in (tmp_path / "treated" / "log.jsonl").open()]
    told = [(r["alarm"], r["state"], r["sensor"]) for r in log if r["kind"] == "alarm"]
    assert told == [("biased", "raised", "sentinel2b")]
    found = [read_products(tmp_path / "treated" / cycle.product) for cycle in one.ledger.cycles()]
    carried = [product.attrs.get("alarms", "") for product in found]
    since = isoformat(alarm.since)
    assert carried == [f"biased sentinel2b B08 since {since}" * (k >= first - 1) for k in range(66)]
    with open_products(tmp_path / "treated") as opened:
        assert opened["alarms"].values.tolist() == carried and "alarms" not in opened.attrs
    again = service("untreated", model=model, members=32, rules=Rules(factor=1.0))
    again.sweep()
    treated, untreated = error(tmp_path, "treated", 0), error(tmp_path, "untreated", 0)
    assert treated < 0.8 * untreated


def test_a_replayed_chain_has_the_factors_of_one_in_order(tmp_path: Path, service: Open) -> None:
    data = passes(1, SHIFT)
    put(tmp_path, data)
    rules = {"members": 8, "replay_days": 400.0}
    service("ordered", **rules).sweep()
    (tmp_path / "inbox" / "all.nc").unlink()
    late = [k for k in range(PASSES) if k % 7 == 3]
    rest = [k for k in range(PASSES) if k % 7 != 3]
    for name, dates in (("rest.nc", rest), ("late.nc", late)):
        put(tmp_path, data.isel(time=dates), name)
        last = service("replayed", **rules)
        asked = iter([False] * 30 + [True] * 99)
        last.sweep(lambda asked=asked: next(asked))  # ends on the way, and goes on anew
        last = service("replayed", **rules)
        last.sweep()
    ordered = states(tmp_path / "ordered")
    replayed = states(tmp_path / "replayed")
    for name in ordered:
        if name.startswith("products"):
            assert ordered[name] == replayed[name]
    assert [n for n in ordered if n.startswith("products")] == [
        n for n in replayed if n.startswith("products")
    ]
    factors = [cycle.scores["factor"] for cycle in last.ledger.cycles()]
    assert factors.count(5.0) > 3
    path = tmp_path / "replayed" / last.ledger.last().state
    final = service("ordered", **rules)
    whole = read_state(tmp_path / "ordered" / final.ledger.last().state)
    assert torch.equal(whole.ensemble, read_state(path).ensemble)
    assert torch.equal(whole.memory[LAST_SEEN], read_state(path).memory[LAST_SEEN])


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_no_alarm_in_an_unbiased_season(tmp_path: Path, service: Open, seed: int) -> None:
    put(tmp_path, passes(seed, number=60))
    one = service("quiet", members=16)
    assert one.sweep().assimilated == 60
    log = [json.loads(line) for line in (tmp_path / "quiet" / "log.jsonl").open()]
    assert [record for record in log if record["kind"] == "alarm"] == []
    assert {cycle.scores["factor"] for cycle in one.ledger.cycles()} == {1.0}


def test_a_sensor_that_stops_and_comes_back(tmp_path: Path, service: Open) -> None:
    kept = [k for k in range(44) if not (k % 2 and 20 <= k < 36)]
    put(tmp_path, passes(5, number=44).isel(time=kept))
    one = service("gone", members=8)
    one.sweep()
    log = [json.loads(line) for line in (tmp_path / "gone" / "log.jsonl").open()]
    told = [(r["alarm"], r["state"], r["sensor"]) for r in log if r["kind"] == "alarm"]
    assert told == [("silent", state, "sentinel2b") for state in ("raised", "cleared")]


def test_when_each_pixel_was_seen_is_part_of_the_state(tmp_path: Path, service: Open) -> None:
    data = passes(6, number=30)
    data["cloud"][:10, 8:] = 1  # a third of the points is never seen again
    put(tmp_path, data)
    one = service("stale", members=8, rules=Rules(stale_days=20.0, stale_share=0.2))
    one.sweep()
    cycles = list(one.ledger.cycles())
    held = read_state(tmp_path / "stale" / cycles[-1].state).memory[LAST_SEEN].numpy()
    days = (data.time.values - np.datetime64("1970-01-01", "ns")) / np.timedelta64(1, "D")
    clear = np.where(data["cloud"].values == 0, days, days[0]).max(1)
    np.testing.assert_allclose(held, clear, atol=1e-9)
    counted = [int((days[k] - np.where(data["cloud"].values[:, : k + 1] == 0, days[: k + 1],
               days[0]).max(1) > 20.0).sum()) for k in range(30)]  # fmt: skip
    assert [cycle.scores["stale"] for cycle in cycles] == counted and counted[-1] == 10
    (found,) = alarms(health_of(one.ledger, one.rules, one.store.root)[0], one.rules)
    assert found.kind == "stale" and found.figure == pytest.approx(1 / 3)


def test_a_biased_sensor_that_is_alone_is_left_out_by_a_large_factor(
    tmp_path: Path, service: Open
) -> None:
    """With factor 5 the state follows it, as nobody contradicts; the alarm stands either way."""
    data, b = passes(5, 2 * SHIFT), np.arange(PASSES) % 2 == 1
    put(tmp_path, data.isel(time=b | (np.arange(PASSES) < ONSET)))
    found, alone = {}, np.flatnonzero(b & (np.arange(PASSES) >= ONSET))[4:]  # after the alarm
    for factor in (5.0, 1000.0):
        name = f"factor{factor:g}"
        one = service(name, members=32, rules=Rules(factor=factor))
        one.sweep()
        (alarm,) = [
            a
            for a in alarms(health_of(one.ledger, one.rules, one.store.root)[0], one.rules)
            if a.kind == "biased"
        ]
        assert alarm.sensor == "sentinel2b"
        said = [read_products(p)["lai"].values[0] for p in sorted((tmp_path / name).glob("p*/*"))]
        known = truth(5)[alone, :, 1] - truth(5)[alone, :, 0]
        found[factor] = float(np.mean(np.stack(said)[-len(alone) :] - known))
    assert abs(found[1000.0]) < 0.3 * abs(found[5.0])


def test_corrected_files_leave_no_trace_of_a_bias(tmp_path: Path, service: Open) -> None:
    clean, wrong, first = passes(6), passes(6, SHIFT), ONSET - 16
    for name, data in (("clean", clean), ("cured", wrong)):
        for date in range(first, PASSES):
            put(tmp_path, data.isel(time=[date]), f"{date}.nc")
        one = service(name, members=8, rules=Rules(first=6), replay_days=400.0)
        one.sweep()
    assert any(cycle.scores.get("alarms") for cycle in one.ledger.cycles())
    for date in range(ONSET, PASSES):
        put(tmp_path, clean.isel(time=[date]), f"{date}.nc")
    one = service("cured", members=8, rules=Rules(first=6), replay_days=400.0)
    assert one.sweep().undone == PASSES - ONSET - (ONSET + 1) % 2
    whole, cured = (states(tmp_path / name) for name in ("clean", "cured"))
    assert {n: d for n, d in whole.items() if n[0] == "p"} == {
        n: d for n, d in cured.items() if n[0] == "p"
    }
