"""A sensor that changes is found within three scenes; seasons, snow and clouds are not one."""

import copy

import numpy as np
import pytest

from releo_da.diagnostics.health import CALM, FACTOR, FIRST, Watched, factor, history, judged
from releo_da.diagnostics.scenes import Scene, scene, usual, weighted_median
from releo_da.diagnostics.streaming import sums
from releo_da.diagnostics.verification import FIELDS

NAMES = tuple(f"B{k}" for k in range(8))
PIXELS, SCATTER, EXPECTED = 400.0, 0.02, 0.03


def series(seed: int, cycles: int, r: float, haze: float = 0.03) -> np.ndarray:
    """Mean innovations ``[cycle, channel]``: autocorrelated, half shared by the channels, a season
    of 73 cycles, haze in some scenes."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((cycles, 1)) + rng.standard_normal((cycles, len(NAMES)))
    noise *= 0.006 * np.sqrt(0.5)
    for t in range(1, cycles):
        noise[t] = r * noise[t - 1] + np.sqrt(1.0 - r**2) * noise[t]
    phase = rng.uniform(0.0, 2.0 * np.pi, len(NAMES))
    noise += 0.003 * np.sin(2.0 * np.pi * np.arange(cycles)[:, None] / 73 + phase)
    hazy = (rng.uniform(size=cycles) < haze) * rng.exponential(0.03, cycles)
    noise[:, :4] += hazy[:, None]
    return noise


def one(
    time: float,
    mean: np.ndarray,
    sensor: str = "b",
    number: float = PIXELS,
    scatter: float = SCATTER,
) -> Scene:
    whole = [np.full(len(NAMES), x) for x in (number, scatter, EXPECTED)]
    return Scene(time, sensor, NAMES, whole[0], mean, *whole[1:])


def scenes(means: np.ndarray, sensor: str = "b", every: float = 5.0) -> list[Scene]:
    return [one(every * k, mean, sensor) for k, mean in enumerate(means)]


def flags(found: list[Scene]) -> np.ndarray:
    return np.array([made.biased for made in history(found)[1]])


def raised(flagged: np.ndarray) -> int:
    """How often an alarm began."""
    return int((flagged & ~np.r_[False, flagged[:-1]]).sum())


@pytest.mark.parametrize(("r", "most"), [(0.0, 0.5), (0.3, 1.0), (0.6, 2.0)])
def test_false_alarms_are_rare(r, most):
    """Per 1,000 cycles once 60 are known; the table of the docstring is of 27,200 cycles."""
    count = sum(raised(flags(scenes(series(seed, 360, r)))[60:]) for seed in range(7))
    assert 1000.0 * count / (7 * 300) <= most


def test_no_alarm_in_unbiased_seasons_of_60_cycles():
    found = [raised(flags(scenes(series(100 + seed, 60, 0.3)))) for seed in range(20)]
    assert sum(found) == 0


BIASES = {
    "offset of half of the channels": np.r_[np.full(4, 0.03), np.zeros(4)],
    "processing baseline": np.full(8, -0.1),
    "10 % of the near infrared": np.r_[np.zeros(6), 0.04, 0.04],
}


@pytest.mark.parametrize("name", BIASES)
def test_a_bias_is_found_within_three_cycles(name):
    """The state takes up 15 % of it per cycle; what the rule misses are scenes of wide spread."""
    found = []
    for seed in range(40):
        means = series(seed, 63, 0.3)
        means[60:] += BIASES[name] * 0.85 ** np.arange(3)[:, None]
        found.append(flags(scenes(means))[60:])
    share = np.mean([part.any() for part in found])
    assert share >= (1.0 if "baseline" in name else 0.7)


def test_one_hazy_scene_is_no_bias():
    means = quiet(80)
    means[[30, 45, 60]] += 0.1
    assert not flags(scenes(means)).any()


def test_runs_rules_buy_what_they_find_with_more_false_alarms():
    """Two of three scenes beyond 3.5 deviations, from the same centres and deviations."""

    def rule(found: list[Scene]) -> np.ndarray:
        made = history(found, limit=np.inf)[1]  # nothing is ever raised, nothing is frozen
        z = np.array(
            [(m.mean - m.centre) / m.sd if m.said == "judged" else 0 * m.mean for m in made]
        )
        hits = []
        for beyond in (z > 3.5, z < -3.5):
            padded = np.pad(beyond.astype(int), [(2, 0), (0, 0)])
            hits.append((padded[2:] + padded[1:-1] + padded[:-2] >= 2).any(1))
        return hits[0] | hits[1]

    quiet = [scenes(series(seed, 360, 0.6)) for seed in range(7)]
    ours = sum(raised(flags(found)[60:]) for found in quiet)
    assert ours < sum(raised(rule(found)[60:]) for found in quiet)


def quiet(cycles: int = 40, seed: int = 3) -> np.ndarray:
    return series(seed, cycles, 0.3, haze=0.0)


def test_a_season_is_no_bias():
    """Innovations off by up to 0.015 for half of each year, slowly coming and going, 10 times."""
    season = 0.015 * np.sin(2.0 * np.pi * np.arange(219) / 73)[:, None]
    assert sum(raised(flags(scenes(quiet(219, seed) + season))) for seed in range(10)) <= 2


def test_snow_in_patches_says_nothing():
    found = scenes(quiet())
    found += [one(200.0 + 5 * k, quiet()[k] + 0.06, scatter=0.15) for k in range(6)]
    sensors, made = history(found)
    assert [m.said for m in made[-6:]] == ["uneven"] * 6
    assert sensors["b"].bias is None


def test_a_cover_of_snow_says_nothing():
    found = scenes(quiet()) + [one(200.0 + 5 * k, quiet()[k] + 0.4) for k in range(6)]
    sensors, made = history(found)
    assert [m.said for m in made[-6:]] == ["large"] * 6
    assert sensors["b"].bias is None


def test_a_cloudy_scene_of_few_pixels_weighs_little():
    """Means of 4 pixels instead of 400 are off by ten times as much."""
    found = scenes(quiet())
    for k in range(6):
        found.append(one(200.0 + 5 * k, 10.0 * quiet(seed=k)[0], number=4.0))
    assert not flags(found).any()


def test_what_is_usual_is_kept_while_biased_and_the_sensor_comes_back():
    means = quiet(80)
    means[40:60] += 0.05
    sensors, made = history(scenes(means))
    held = [m for m in made if m.biased]
    assert 1 <= made.index(held[0]) - 40 <= 2 and 60 + CALM - 2 <= made.index(held[-1]) < 64
    assert all(np.array_equal(m.centre, held[1].centre) for m in held[1:])
    assert sensors["b"].bias is None and len(sensors["b"].history) < 80


def test_the_other_sensors_are_not_blamed():
    """What b had drawn the state to is seen by a with the opposite sign."""
    a, b = scenes(quiet(60, 1), "a"), scenes(quiet(60, 2), "b")
    for k in (40, 41, 42):
        b[k] = one(b[k].time, b[k].mean + 0.1, "b")
        a[k] = one(a[k].time + 2.5, a[k].mean - 0.05, "a")
    both = sorted([*a, *b], key=lambda seen: seen.time)
    made = history(both)[1]
    assert {m.sensor for m in made if m.biased} == {"b"}
    assert [m.said for m in made if m.sensor == "a"][41:44].count("settling") == 2


def test_a_sensor_is_not_judged_before_it_is_known():
    means = quiet(FIRST)
    means[4:] += 0.1
    sensors, made = history(scenes(means))
    assert {m.said for m in made} == {"early"} and sensors["b"].bias is None


def test_a_factor_depends_on_the_scenes_before_it_alone():
    means = quiet(60)
    means[45:] += 0.1
    found = scenes(means)
    whole = {}
    for k, seen in enumerate(found):
        kept = copy.deepcopy(whole)
        after, _ = judged(whole, seen)
        again, _ = history(found[: k + 1])
        assert factor(after, "b") == factor(again, "b") == (FACTOR if k >= 46 else 1.0)
        assert whole.keys() == kept.keys()
        for name in kept:  # what was known stays as it was
            assert np.array_equal(whole[name].history, kept[name].history, equal_nan=True)
        whole = after
    assert factor({}, "b") == 1.0


def test_channels_come_and_go():
    """A channel without values in some scenes is judged by those in which it has some."""
    found = scenes(quiet(60))
    for k in range(0, 60, 3):
        s = found[k]
        found[k] = Scene(s.time, s.sensor, s.channels[:5], *(part[:5] for part in s[3:]))
    found += [one(300.0 + 5 * k, quiet()[k] + 0.05 * (np.arange(8) == 7)) for k in range(3)]
    sensors, made = history(found)
    assert made[-1].biased and sensors["b"].bias.channel == "B7"
    assert np.isfinite(usual(sensors["b"].history).centre).all()


def test_a_scene_is_what_its_values_are():
    rng = np.random.default_rng(5)
    numbers = np.full((50, 3, len(FIELDS)), np.nan)
    place = {name: k for k, name in enumerate(FIELDS)}
    numbers[..., :] = rng.normal(0.3, 0.05, numbers.shape)
    numbers[10:, 1] = np.nan
    observed, mean = numbers[..., place["observed"]], numbers[..., place["mean"]]
    terms = dict(zip(("B02", "B03", "ndvi"), sums(numbers).tolist(), strict=True))
    seen = scene(7.0, "b", terms)
    assert seen.channels == ("B02", "B03") and seen.number.tolist() == [50, 10]
    for k in (0, 1):
        d = (observed - mean)[:, k]
        d = d[np.isfinite(d)]
        assert seen.mean[k] == pytest.approx(d.mean())
        assert seen.scatter[k] == pytest.approx(d.std())
    assert seen.expected[0] == pytest.approx(np.sqrt((numbers[:, 0, place["sd"]] ** 2).mean()))
    assert scene(7.0, "b", {"ndvi": terms["ndvi"]}).channels == ("ndvi",)  # an index of its own
    assert history([scene(7.0, "b", {})])[0]["b"].channels == Watched().channels


def test_the_weighted_median_is_that_of_repeated_values():
    rng = np.random.default_rng(2)
    values, weight = rng.normal(size=(9, 4)), rng.integers(1, 6, 9)
    whole = np.repeat(values, 2 * weight, 0)
    lower = np.sort(whole, 0)[(len(whole) - 1) // 2]
    np.testing.assert_array_equal(weighted_median(values, weight), lower)
    values[3] = np.nan
    kept = np.delete(values, 3, 0), np.delete(weight, 3)
    np.testing.assert_array_equal(weighted_median(values, weight), weighted_median(*kept))
