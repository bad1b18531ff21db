"""An encoder on file: what is written is read, anything else is refused with one message."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from releo_da.config.encoder_weights import (
    FORM,
    PACKAGED,
    PLAIN,
    check_layout,
    encoder_of,
    read_encoder,
    write_encoder,
)
from releo_da.representation.domain import Domain
from releo_da.representation.encoder import Encoder
from releo_da.state.layout import Layout
from releo_da.types import InputError

NAMES = ("cab", "cw", "lai")
DOMAIN = Domain((0.5, 0.95), (0.9, 2.5))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "e.safetensors"
    write_encoder(path, Encoder(NAMES, 16, 2, 1, 8), DOMAIN, {"seed": 4})
    return path


def test_what_is_written_is_what_is_read(weights: Path, tmp_path: Path) -> None:
    kept = read_encoder(weights)
    assert kept.encoder.names == NAMES
    assert kept.domain == DOMAIN
    assert kept.made == {"seed": 4}
    assert not any(p.requires_grad for p in kept.encoder.parameters())
    again = tmp_path / "again.safetensors"
    write_encoder(again, kept.encoder, kept.domain, kept.made)
    assert again.read_bytes() == weights.read_bytes()
    with safe_open(weights, framework="pt") as file:
        said = file.metadata()["encoder"]
    assert "sensor" not in said
    assert "channel" not in said


def test_reading_takes_no_random_numbers(weights: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    read_encoder(weights)
    assert torch.equal(torch.get_rng_state(), before)


def test_default_is_what_the_package_holds() -> None:
    """Without weights in the package the message says how to make some."""
    if (files("releo_da.representation") / "weights" / PACKAGED).is_file():
        kept = encoder_of("state.encoder", "default")
        assert kept.domain is not None
        check_layout(kept, Layout(kept.encoder.names), "state.encoder")
    else:
        with pytest.raises(InputError, match=r"state\.encoder: .*releo-da train.*target: encoder"):
            encoder_of("state.encoder", "default")


Change = Callable[[dict[str, torch.Tensor], dict[str, Any]], None]


def other_prior(tensors: dict[str, torch.Tensor], told: dict[str, Any]) -> None:
    told["variables"]["lai"]["mean"] += 0.5


def other_correlation(tensors: dict[str, torch.Tensor], told: dict[str, Any]) -> None:
    told["variables"]["lai"]["correlation"][0] += 0.1


WRONG: dict[str, tuple[Change, str]] = {
    "version": (lambda t, s: s.update(form=FORM + 1), f"another version .form {FORM + 1}"),
    "prior": (other_prior, "table of variables .*of lai differ"),
    "correlation": (other_correlation, "table of variables .*of lai differ"),
    "variable": (
        lambda t, s: s.update(variables={**s["variables"], "tea": {}}),
        "'tea' is not a state variable",
    ),
    "no variable": (lambda t, s: s.update(variables={}), "no file of an encoder"),
    "sizes": (lambda t, s: s["sizes"].update(width=10**9), "sizes .* none of an encoder"),
    "other sizes": (lambda t, s: s["sizes"].update(width=32), "missing, or of another shape"),
    "heads": (lambda t, s: s["sizes"].update(heads=3), "3 heads for a width of 16"),
    "half": (
        lambda t, s: t.update({n: x.half() for n, x in t.items()}),
        "another shape or type",
    ),
    "name": (lambda t, s: t.update(more=torch.zeros(1)), "more missing, or"),
    "infinite": (lambda t, s: t["head.bias"].fill_(torch.inf), "head.bias: .* not a finite"),
    "domain": (lambda t, s: s["domain"].update(misfits=[2.0, 1.0]), "no table of quantiles"),
    "domain of texts": (lambda t, s: s["domain"].update(levels=["a", "b"]), "no table of quant"),
    "nothing": (lambda t, s: s.clear(), "no file of an encoder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_another_file_is_refused(case: str, weights: Path, tmp_path: Path) -> None:
    change, message = WRONG[case]
    with safe_open(weights, framework="pt") as file:
        told = json.loads(file.metadata()["encoder"])
    tensors, path = load_file(weights), tmp_path / "w.safetensors"
    change(tensors, told)
    save_file(tensors, path, metadata={"encoder": json.dumps(told)})
    with pytest.raises(InputError, match=message) as error:
        read_encoder(path)
    assert "w.safetensors" in str(error.value)
    assert "releo-da train" in str(error.value)


def test_weights_without_a_discrepancy_are_read(tmp_path: Path) -> None:
    """The form before it: no size of modes, and a posterior of the state alone."""
    path = tmp_path / "plain.safetensors"
    plain = Encoder(NAMES, 16, 2, 1, 8, modes=0)
    write_encoder(path, plain, None, {})
    with safe_open(path, framework="pt") as file:
        told = json.loads(file.metadata()["encoder"])
    del told["sizes"]["modes"]
    save_file(load_file(path), path, metadata={"encoder": json.dumps({**told, "form": PLAIN})})
    assert read_encoder(path).encoder.sizes == plain.sizes


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file of an encoder"):
        read_encoder(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("weights")
    with pytest.raises(InputError, match="is not a file of an encoder"):
        read_encoder(tmp_path / "text.safetensors")


def test_another_state_is_refused(weights: Path) -> None:
    kept = read_encoder(weights)
    check_layout(kept, Layout(NAMES), "here")
    with pytest.raises(InputError, match=r"here: .*speaks of cab, cw, lai; the state holds lai"):
        check_layout(kept, Layout(("lai",)), "here")
    with pytest.raises(InputError, match=r"state\.priors changes lai"):
        check_layout(kept, Layout(NAMES, priors={"lai": (1.0, 1.0)}), "here")
