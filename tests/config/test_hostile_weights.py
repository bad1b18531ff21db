"""Files of weights that are not what they say: one message, nothing loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from releo_da.config.emulator_weights import read_emulator
from releo_da.config.toy_weights import load_weights as load_toy
from releo_da.config.toy_weights import write_weights as write_toy
from releo_da.config.weights import fitted_knots, load_weights, meaning, write_weights
from releo_da.dynamics.lorenz63 import lorenz63
from releo_da.dynamics.mean_reverting import MeanReverting
from releo_da.observation.error import ObservationError
from releo_da.state.layout import Layout
from releo_da.types import InputError

Held = dict[str, torch.Tensor]
Change = Callable[[Held], Held]


def first(held: Held) -> str:
    return next(name for name, tensor in sorted(held.items(), reverse=True))


def with_value(value: float) -> Change:
    def changed(held: Held) -> Held:
        tensor = held[first(held)].clone()
        tensor.reshape(-1)[0] = value
        return {**held, first(held): tensor}

    return changed


CHANGES: dict[str, Change] = {
    "another shape": lambda h: {**h, first(h): torch.zeros(7, 7, 7)},
    "an empty one": lambda h: {**h, first(h): torch.zeros(0)},
    "a name missing": lambda h: {n: t for n, t in h.items() if n != first(h)},
    "a name too many": lambda h: {**h, "more": torch.zeros(1)},
    "not a number": with_value(float("nan")),
    "infinite": with_value(float("inf")),
    "nothing": lambda h: {},
}


def test_weights_of_another_model_are_named_as_such(tmp_path: Path) -> None:
    layout, path = Layout(("lai",), {}, True, (665.0,)), tmp_path / "w.safetensors"
    save_file({"layers.0.weight": torch.ones(2)}, path, metadata={"retrieval": "{}"})
    with pytest.raises(InputError, match="is no file of a forecaster; make one with `releo-da tr"):
        load_weights(path, layout, MeanReverting(layout), ObservationError({}, (665.0,), {}))


@pytest.mark.parametrize("case", CHANGES)
def test_weights_of_a_forecaster(case: str, tmp_path: Path) -> None:
    layout, path = Layout(("lai",), {}, True, (665.0,)), tmp_path / "w.safetensors"
    forecaster, error = MeanReverting(layout), ObservationError({}, (665.0,), {})
    write_weights(path, layout, forecaster, error)
    held = load_file(path)
    before = {n: t.clone() for n, t in forecaster.state_dict().items()}
    save_file(CHANGES[case](held), path, metadata=meaning(layout, forecaster))
    with pytest.raises(InputError, match=r"w\.safetensors: .*releo-da train"):
        load_weights(path, layout, forecaster, error)
    for name, tensor in forecaster.state_dict().items():
        assert torch.equal(tensor, before[name])
    save_file(held, path, metadata=meaning(layout, forecaster) | {"channels": "665 red"})
    with pytest.raises(InputError, match="its channels are '665 red', no wavelengths"):
        fitted_knots(path, {})


@pytest.mark.parametrize("told", ["kernel", "order"])
def test_weights_of_another_kernel_are_named_by_it(told: str, tmp_path: Path) -> None:
    """Files of before name the order of the process alone."""
    of = {
        name: Layout(("lai",), {}, velocities, (665.0,), rough=rough)
        for name, velocities, rough in (
            ("ou", False, False),
            ("matern32", True, False),
            ("matern32+ou", True, True),
        )
    }
    error, path = ObservationError({}, (665.0,), {}), tmp_path / "w.safetensors"
    for there, made in of.items():
        write_weights(path, made, MeanReverting(made), error)
        if told == "order":
            said = meaning(made, MeanReverting(made))
            order = {"order": "first" if said.pop("kernel") == "ou" else "second"}
            save_file(load_file(path), path, metadata=said | order)
        for here, layout in of.items():
            if here == there:
                load_weights(path, layout, MeanReverting(layout), error)
                continue
            with pytest.raises(InputError) as caught:
                load_weights(path, layout, MeanReverting(layout), error)
            assert f"kernel is {there} there and {here} here" in str(caught.value)


@pytest.mark.parametrize("case", CHANGES)
def test_weights_of_a_toy_model(case: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    forecaster = lorenz63(noise_variance=[0.1, 0.0, 0.2])
    write_toy(path, forecaster)
    held = load_file(path)
    load_toy(path, forecaster)
    save_file(CHANGES[case](held), path, metadata={"model": "Lorenz63 3"})
    with pytest.raises(InputError, match=r"w\.safetensors: "):
        load_toy(path, forecaster)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "1",
        '{"form": 1}',
        '{"form": "x", "ranges": []}',
        "[" * 10_000,
        '{"form": 1, "form": 2}',
    ],
)
def test_an_emulator_that_says_something_else(said: str, tmp_path: Path) -> None:
    held = {"deep.weight": torch.zeros(2, 2), "basis": torch.zeros(2, 2), "centre": torch.zeros(1)}
    save_file(held, tmp_path / "e.safetensors", metadata={"emulator": said})
    with pytest.raises(InputError, match=r"e\.safetensors: "):
        read_emulator(tmp_path / "e.safetensors")


def test_equal_weights_are_equal_files(tmp_path: Path) -> None:
    """The library writes metadata in any order; services tell weights by the bytes of the file."""
    layout = Layout(("lai",), {}, True, (665.0,))
    forecaster, error = MeanReverting(layout), ObservationError({}, (665.0,), {})
    written = set()
    for number in range(8):
        path = tmp_path / f"{number}.safetensors"
        write_weights(path, layout, forecaster, error)
        written.add(path.read_bytes())
    assert len(written) == 1
