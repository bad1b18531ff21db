"""Rows of a state are those of the whole, and a state that is damaged is refused in the end."""

import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from releo_da.io import read_state, state_rows, write_state
from releo_da.io.state_rows import reading_state, state_head
from releo_da.types import InputError, State

COUNT = 11


@pytest.fixture(params=[torch.float32, torch.float64, torch.bfloat16])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    generator = torch.Generator().manual_seed(3)
    ensemble = torch.randn(COUNT, 5, 3, generator=generator).to(request.param)
    memory = {
        "inflation": torch.rand(COUNT, 3, generator=generator).to(request.param),
        "flags": torch.arange(COUNT) % 2 == 0,
        "empty": torch.zeros(COUNT, 0),
    }
    pixels = torch.arange(COUNT) * 7 % 101
    write_state(tmp_path / "state", State(17897.4523148148, ensemble, pixels, memory))
    return tmp_path / "state"


def equal(found: State, whole: State, rows: torch.Tensor) -> None:
    assert found.time == whole.time
    assert torch.equal(found.ensemble, whole.ensemble[rows])
    assert found.ensemble.dtype == whole.ensemble.dtype
    assert torch.equal(found.pixels, whole.pixels[rows])
    assert found.memory.keys() == whole.memory.keys()
    for name, tensor in whole.memory.items():
        assert torch.equal(found.memory[name], tensor[rows])


@pytest.mark.parametrize(
    "parts",
    [
        [range(COUNT)],
        [range(4), range(4, 4), range(4, 9), range(9, COUNT)],
        [range(9, COUNT), range(4), [5, 4, 8]],
        [[3, 1, 7]],
        [],
    ],
)
def test_rows_are_those_of_the_whole(
    path: Path, parts: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_rows, "PIECE", 100)
    whole = read_state(path)
    with reading_state(path) as held:
        for part in parts:
            rows = torch.tensor(list(part), dtype=torch.int64)
            equal(held.take(rows), whole, rows)
    head = state_head(path)
    assert (head.path, head.time, head.shape) == (path, whole.time, (COUNT, 5, 3))
    assert torch.equal(head.pixels, whole.pixels)


def test_any_flipped_bit_is_refused_in_the_end(path: Path) -> None:
    whole = path.read_bytes()
    rng = random.Random(0)
    undetected = []
    for place in [*range(0, len(whole), 7), len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            with reading_state(path) as held:
                for first in range(0, COUNT, 4):
                    held.take(torch.arange(first, min(first + 4, COUNT)))
            undetected.append(place)
        except InputError as error:
            assert "state: " in str(error) and "earlier state" in str(error)
    assert undetected == []


@pytest.mark.parametrize("size", [0, 4, 8, 100, -1])
def test_a_file_cut_short_is_refused_at_once(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    for opened in (state_head, lambda path: reading_state(path).__enter__()):
        with pytest.raises(InputError, match="damaged"):
            opened(path)


def test_a_file_that_is_cut_while_it_is_read_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="damaged"), reading_state(path) as held:
        path.write_bytes(path.read_bytes()[:700])
        held.take(torch.arange(COUNT))
        held.verify()


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no state can be read"):
        state_head(tmp_path / "none")
    said = {"format": "releo_da state 1", "time": "0x0p+0", "sha256": "0"}
    ensemble, pixels = torch.zeros(3, 2, 1), torch.arange(2)
    for name, (tensors, metadata) in enumerate(
        [
            ({"ensemble": ensemble, "pixels": torch.arange(3)}, {"format": "pt"}),
            ({"ensemble": ensemble}, said),
            ({"ensemble": ensemble, "pixels": pixels}, said),
            ({"ensemble": ensemble[0], "pixels": pixels}, said),
            ({"ensemble": ensemble, "pixels": torch.arange(3), "memory.b": pixels}, said),
            ({"ensemble": ensemble, "pixels": torch.arange(3)}, {**said, "format": "2"}),
        ]
    ):
        save_file(tensors, tmp_path / str(name), metadata)
        with pytest.raises(InputError, match="not a state file"):
            state_head(tmp_path / str(name))
