"""How an analysis grows: slopes of known laws, and memory that is that of a block."""

import time

import pytest
import torch

from releo_da.config import benchmark_scaling as scaling


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_slope_of_a_power_law_is_its_exponent(power: float) -> None:
    sizes = (3, 30, 300)
    assert scaling.slope(sizes, [5.0 * n**power for n in sizes]) == pytest.approx(power)


def test_short_work_is_repeated_and_long_work_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    scaling.seconds(lambda: calls.append(1))
    assert len(calls) == scaling.REPEATS
    monkeypatch.setattr(scaling, "LONG", 0.001)
    end = time.process_time() + 0.002

    def busy() -> None:
        calls.append(1)
        while time.process_time() < end:
            pass

    assert scaling.seconds(busy) > 0.001 and len(calls) == scaling.REPEATS + 1


@pytest.mark.parametrize("name", scaling.TIMED)
def test_every_scheme_meets_blocks_and_no_more(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scheme, met = scaling.scheme_of(name), []

    def watched(prior, observe, y, *rest):
        met.append(len(y))
        assert y.shape[1] == scaling.CHANNELS and prior.shape[2] == scaling.LATENTS
        return scheme(prior, observe, y, *rest)

    with torch.no_grad():
        scaling.sweep(watched, 300, 8)
    assert met == [256, 44]


def test_memory_does_not_grow_with_pixels() -> None:
    """Thirty blocks need what two do; at once their numbers alone would be 30 MiB more."""
    found = scaling.scaling(("etkf",), (512, 7680), (8, 16))["etkf"]
    assert found["peak_mib"]["7680"] - found["peak_mib"]["512"] < 8.0
