"""An encoder on file: its weights, the state it speaks of, and what it was trained on.

A safetensors file. Its metadata hold the version of the form, the table of its variables (bounds,
prior and correlations, without which its coordinates mean nothing), the sizes of the network, the
misfits of series that were held back from training, and what made it; no sensor and no channel, of
which an encoder knows none. A file of another form or table is refused.

`PACKAGED` comes with the package where weights have been made for this version, and is what
``default`` means. `releo-da train` with ``train: {target: encoder}`` makes one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file

from releo_da.config.weight_paths import DEFAULT
from releo_da.io.atomic import replacing
from releo_da.io.tensors import read_tensors, refuse_infinite
from releo_da.representation.domain import Domain
from releo_da.representation.encoder import Encoder
from releo_da.state.layout import Layout
from releo_da.state.prior import correlation
from releo_da.state.variables import variables
from releo_da.strict_json import parse
from releo_da.types import InputError

FORM = 2
"""Version of what the tensors mean. Change it with the equations of `releo_da.representation`."""

PLAIN = 1
"""The form without a discrepancy, which is read as one of no modes."""

KEY = "encoder"
"""Entry of the metadata, a JSON object."""

PACKAGED = "encoder.safetensors"
ROUNDED = 2e-6
"""Numbers of a table of variables are the same where they differ by less."""

REMEDY = "make one with `releo-da train` and train: {target: encoder}"
MOST = {"width": 512, "heads": 64, "layers": 16, "waves": 512, "modes": 32}
"""Largest sizes of a network that are read."""

LEAST = {"modes": 0}
"""Smallest ones, where they are not 1."""


class Kept(NamedTuple):
    """An encoder from a file.

    Attributes:
        encoder: without gradients.
        domain: misfits of series held back from training; None where the file has none.
        made: what made it, as its metadata say.
        digest: SHA-256 of the file.
        name: of the file, or ``default``.
    """

    encoder: Encoder
    domain: Domain | None
    made: dict[str, Any]
    digest: str
    name: str


def table_of(names: tuple[str, ...]) -> dict[str, Any]:
    """The variables of an encoder as JSON: bounds, prior, and correlations row by row."""
    rows = correlation(names).tolist()
    return {
        name: {
            "lower": v.lower,
            "upper": v.upper,
            "mean": v.mean,
            "sd": v.sd,
            "correlation": [round(value, 6) for value in row],
        }
        for (name, v), row in zip(variables(names).items(), rows, strict=True)
    }


def write_encoder(
    path: Path, encoder: Encoder, domain: Domain | None, made: Mapping[str, Any]
) -> None:
    """Write an encoder, whole or not at all.

    Args:
        path: of the file.
        encoder: with its weights.
        domain: misfits of series held back from training.
        made: what made it and how well it does, anything that JSON holds.
    """
    told = {
        "form": FORM,
        "variables": table_of(encoder.names),
        "sizes": encoder.sizes,
        "domain": None if domain is None else domain._asdict(),
        "made": dict(made),
    }
    tensors = {
        name: tensor.detach().float().cpu().contiguous()
        for name, tensor in encoder.state_dict().items()
    }
    with replacing(path) as temporary:
        save_file(tensors, str(temporary), metadata={KEY: json.dumps(told, default=str)})


def encoder_of(where: str, given: str | Path) -> Kept:
    """The encoder that a configuration names.

    Args:
        where: key of the entry, for messages.
        given: ``default``, or the path of a file.

    Raises:
        InputError: this version has no packaged weights, or as `read_encoder`.
    """
    if str(given) != DEFAULT:
        return read_encoder(Path(given))
    with as_file(files("releo_da.representation") / "weights" / PACKAGED) as path:
        if not path.is_file():
            raise InputError(
                f"{where}: this version comes without weights of an encoder, so that '{DEFAULT}' "
                f"means nothing; {REMEDY}, then name the file here"
            )
        return read_encoder(path)._replace(name=DEFAULT)


def read_encoder(path: Path) -> Kept:
    """Read an encoder.

    Raises:
        InputError: the file is missing, no encoder, damaged, or made for another form or table of
            variables than this version's.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of an encoder; {REMEDY}")
    metadata, held = read_tensors(path, "a file of an encoder", REMEDY)
    told = parse(metadata.get(KEY, "{}"), f"{path}: metadata '{KEY}'", REMEDY)
    if isinstance(told, dict) and told.get("form") == PLAIN and isinstance(told.get("sizes"), dict):
        told = {**told, "form": FORM, "sizes": {**told["sizes"], "modes": 0}}
    fault = _fault(told)
    if fault:
        raise InputError(f"{path}: {fault}; {REMEDY}")
    names, sizes = tuple(told["variables"]), {name: told["sizes"][name] for name in MOST}
    with torch.random.fork_rng(devices=[]):  # what fills it is thrown away
        encoder = Encoder(names, **sizes)
    wanted = {name: tensor.shape for name, tensor in encoder.state_dict().items()}
    wrong = [n for n in wanted | held if n not in wanted or n not in held]
    wrong = wrong or [n for n in wanted if held[n].shape != wanted[n]]
    wrong = wrong or [n for n in wanted if held[n].dtype != torch.float32]
    if wrong:
        raise InputError(
            f"{path}: {', '.join(wrong[:4])}{' and more' if wrong[4:] else ''} missing, or of "
            f"another shape or type than its sizes ask for; {REMEDY}"
        )
    refuse_infinite(held, path, REMEDY)
    encoder.load_state_dict(held)
    made = told.get("made")
    return Kept(
        encoder.requires_grad_(False).eval(),
        _domain(told.get("domain"), path),
        made if isinstance(made, dict) else {},
        sha256(path.read_bytes()).hexdigest(),
        path.name,
    )


def check_layout(kept: Kept, layout: Layout, where: str) -> None:
    """Refuse an encoder of another state than that of the run.

    Raises:
        InputError: names, order or priors of the estimated variables differ.
    """
    names = kept.encoder.names
    if names == layout.names and not layout.priors:
        return
    told = [f"it speaks of {', '.join(names)}"]
    if names != layout.names:
        told.append(f"the state holds {', '.join(layout.names)}")
    if layout.priors:
        told.append(f"state.priors changes {', '.join(sorted(layout.priors))}")
    raise InputError(
        f"{where}: the encoder {kept.name} was made for another state ({'; '.join(told)}); use "
        "state: {name: prosail} as it comes, or "
        + REMEDY.replace("make one", "make one for this state")
    )


def _fault(told: Any) -> str | None:
    """Why metadata are not those of an encoder of this version, in words, or None."""
    rows = told.get("variables") if isinstance(told, dict) else None
    if not isinstance(rows, dict) or not rows:
        return "is no file of an encoder"
    if told.get("form") != FORM:
        return f"is of another version (form {told.get('form')}, this version reads {FORM})"
    names = tuple(rows)
    try:
        wanted = table_of(names)
    except InputError as error:
        return f"was made for another table of variables ({error})"
    differ = [name for name in names if not _alike(rows[name], wanted[name])]
    if differ:
        return (
            "was made for another table of variables (bounds, prior or correlations of "
            f"{', '.join(differ)} differ from those of `releo-da variables`)"
        )
    sizes = told.get("sizes")
    if not isinstance(sizes, dict) or not all(
        type(sizes.get(n)) is int and LEAST.get(n, 1) <= sizes[n] <= most
        for n, most in MOST.items()
    ):
        return f"has the sizes {sizes}, none of an encoder"
    if sizes["width"] % sizes["heads"]:
        return f"has {sizes['heads']} heads for a width of {sizes['width']}"
    return None


def _alike(told: Any, wanted: dict[str, Any]) -> bool:
    """Whether a row of a table is that of this version, up to the rounding of its numbers."""
    if not isinstance(told, dict) or set(told) != set(wanted):
        return False
    one, other = (
        [*(row[n] for n in sorted(row) if n != "correlation"), *row["correlation"]]
        for row in ({**told, "correlation": list(told["correlation"] or [])}, wanted)
    )
    numbers = all(isinstance(n, int | float) for n in one) and len(one) == len(other)
    return numbers and all(abs(a - b) <= ROUNDED for a, b in zip(one, other, strict=True))


def _domain(told: Any, path: Path) -> Domain | None:
    """The misfits that a file tells of.

    Raises:
        InputError: they are no quantiles.
    """
    if told is None:
        return None
    given = [told.get(n) for n in Domain._fields] if isinstance(told, dict) else []
    rows = [tuple(n for n in row if isinstance(n, float)) for row in given if type(row) is list]
    if [len(row) for row in rows] == [len(row) for row in given if row] and len(rows) == 2:
        levels, misfits = rows
        rising = all(list(row) == sorted(row) for row in rows) and len(levels) == len(misfits)
        if rising and levels[0] > 0 and levels[-1] < 1 and misfits[0] >= 0:
            return Domain(levels, misfits)
    raise InputError(f"{path}: its domain is no table of quantiles; {REMEDY}")
