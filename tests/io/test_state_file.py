"""A state comes back to the last bit, or is refused."""

import errno
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from releo_da.cycling.recovery import renewed
from releo_da.io import read_state, state_parts, write_state
from releo_da.io.state_parts import writing_state
from releo_da.types import InputError, State


def state(dtype: torch.dtype = torch.float32) -> State:
    generator = torch.Generator().manual_seed(3)
    ensemble = torch.randn(4, 5, 3, generator=generator, dtype=dtype)
    memory = {
        "inflation": torch.rand(4, 3, generator=generator, dtype=dtype),
        "count": torch.arange(4),
        "view": ensemble[:, 0],  # shares memory with the ensemble
        "flags": torch.tensor([True, False, True, False]),
        "empty": torch.zeros(4, 0),
    }
    return State(17897.4523148148, ensemble, torch.tensor([9, 2, 5, 70]), memory)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_round_trip_is_exact(tmp_path: Path, dtype: torch.dtype) -> None:
    written = state(dtype)
    write_state(tmp_path / "a.safetensors", written)
    back = read_state(tmp_path / "a.safetensors")
    assert back.time == written.time
    assert torch.equal(back.ensemble, written.ensemble) and back.ensemble.dtype == dtype
    assert torch.equal(back.pixels, written.pixels) and back.pixels.dtype == torch.int64
    assert back.memory.keys() == written.memory.keys()
    for name, tensor in written.memory.items():
        assert torch.equal(back.memory[name], tensor) and back.memory[name].dtype == tensor.dtype


def test_values_that_are_not_finite_come_back_and_their_pixel_is_drawn_anew(tmp_path: Path) -> None:
    written = state()
    written.ensemble[1, 2, 0] = torch.nan
    written.memory["inflation"][3, 0] = torch.inf
    write_state(tmp_path / "a", written)
    back = read_state(tmp_path / "a")
    assert torch.equal(back.ensemble.isnan(), written.ensemble.isnan())
    fresh = written._replace(ensemble=torch.full_like(written.ensemble, 0.5), memory={})
    whole, drawn = renewed(back, lambda *_: fresh, torch.zeros)
    assert drawn.tolist() == [False, True, False, True]
    assert (whole.ensemble[drawn] == 0.5).all() and whole.ensemble.isfinite().all()
    assert all(tensor.isfinite().all() for tensor in whole.memory.values())
    assert torch.equal(whole.ensemble[~drawn], written.ensemble[~drawn])


def test_a_state_with_gradients_is_written(tmp_path: Path) -> None:
    tracked = state()._replace(ensemble=state().ensemble.requires_grad_())
    write_state(tmp_path / "a", tracked)
    assert not read_state(tmp_path / "a").ensemble.requires_grad


def test_any_flipped_bit_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_state(path, state())
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    rng = random.Random(0)
    places = [*range(0, header, 3), *range(header, len(whole), 5), len(whole) - 1]
    undetected = []
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            read_state(path)
            undetected.append(place)
        except InputError as error:
            assert "a.safetensors" in str(error) and "earlier state" in str(error)
    assert undetected == []


@pytest.mark.parametrize("size", [0, 4, 8, 100, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.safetensors"
    write_state(path, state())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match="damaged"):
        read_state(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no state can be read"):
        read_state(tmp_path / "none")
    save_file({"ensemble": torch.zeros(1)}, tmp_path / "weights", {"format": "pt"})
    with pytest.raises(InputError, match="not a state file"):
        read_state(tmp_path / "weights")


def test_equal_states_are_equal_files(tmp_path):
    state = State(17000.5, torch.rand(3, 4, 2), torch.arange(3), {"b": torch.ones(3, 1)})
    for name in map(str, range(8)):  # the format's own order of keys is random
        write_state(tmp_path / name, state)
    assert len({(tmp_path / name).read_bytes() for name in map(str, range(8))}) == 1
    assert torch.equal(read_state(tmp_path / "0").ensemble, state.ensemble)


def rows(whole: State, first: int, last: int) -> State:
    memory = {name: tensor[first:last] for name, tensor in whole.memory.items()}
    return State(whole.time, whole.ensemble[first:last], whole.pixels[first:last], memory)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_in_parts_it_is_the_file_that_is_written_at_once(
    tmp_path: Path, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_parts, "PIECE", 7)
    whole = state(dtype)
    write_state(tmp_path / "whole", whole)
    with writing_state(tmp_path / "parts", 4) as write:
        for first, last in ((0, 1), (1, 3), (3, 4)):
            write(rows(whole, first, last))
        assert not (tmp_path / "parts").exists()
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()


def test_pixels_that_are_missing_or_too_many_leave_no_file(tmp_path: Path) -> None:
    for count in (3, 5):
        with (
            pytest.raises(ValueError, match="pixels"),
            writing_state(tmp_path / "parts", count) as write,
        ):
            write(state())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_with_the_first_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state_parts.os, "posix_fallocate", full, raising=False)
    with (
        pytest.raises(InputError, match="parts: the state of 9 pixels takes 0.0 GB"),
        writing_state(tmp_path / "parts", 9) as write,
    ):
        write(state())
    assert list(tmp_path.iterdir()) == []
