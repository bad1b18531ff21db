r"""The triangular ensemble transform filter as one compiled loop over pixels, for a CPU.

The same analysis as `etkf.update`, which makes a dozen passes over tensors of all pixels. Here
(``etkf.c``) one pixel is finished before the next is begun, and all it needs stays in the cache
next to the processor. With the symbols of `linalg`, one elimination does the algebra:

    [G | B | d] = S' [S | A | 0] + [I | 0 | d]        [C, C + L + 1]
    rows k = 0 .. C-1:  row_k /= sqrt(G_kk),  row_i -= G_ki row_k  (i > k)
                        leaves  [Lo' | Lo^-1 S'A | Lo^-1 d]
    rows k = C-1 .. 0:  Q = (Lo' + I)^-1 Lo^-1 S'A    [C, L]
    x_n += (Lo^-1 d)' (Lo^-1 S'A) / sqrt(N-1) - S_n Q

The sizes are constants to the compiler, so each combination of members, channels and latents is
compiled by itself, in about a second, by the C compiler of the machine; the result is kept in the
user's cache folder (``XDG_CACHE_HOME``, by default ``~/.cache``) under a name that follows from
source, compiler and processor. Sums run in a fixed order: a pixel never depends on its neighbours,
to the last bit. The loop is for the small states of a pixel: beyond `WORKSPACE` bytes of tables it
is not taken.

Cost: that of `etkf`, at several times its speed (`releo-da benchmark`). On a CPU and without
gradients only; `reason_against` says what speaks against it, and the caller takes `etkf.update`
instead.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import torch
from torch import Tensor

from releo_da.assimilation.linalg import check_members

WORKSPACE = 1 << 20
"""Bytes of a pixel's tables, on the stack, up to which the loop is taken."""

TYPES = {torch.float32: "float", torch.float64: "double"}
FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-shared", "-fPIC")


def unavailable(device: torch.device) -> str | None:
    """Why there is no compiled loop for a device on this machine, in words; None where there is."""
    if device.type != "cpu":
        return f"the device is {device}, not a CPU"
    made = library(torch.float32, 2, 1, 1)
    return made if isinstance(made, str) else None


def reason_against(prior: Tensor, predicted: Tensor, y: Tensor, precision: Tensor) -> str | None:
    """Why the compiled loop cannot take the arguments of `update`; None where it can."""
    tensors = (prior, predicted, y, precision)
    if any(t.device.type != "cpu" for t in tensors):
        return "the tensors are not on a CPU"
    if prior.dtype not in TYPES or any(t.dtype != prior.dtype for t in tensors):
        return "the tensors are not all of single or all of double precision"
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        return "gradients are asked for"
    made = library(prior.dtype, prior.shape[1], predicted.shape[2], prior.shape[2])
    return made if isinstance(made, str) else None


def update(prior: Tensor, predicted: Tensor, y: Tensor, precision: Tensor) -> Tensor:
    """Analysis ensemble; arguments and result as of `etkf.update`, on a CPU."""
    return transformed(prior, predicted, y, precision)[0]


def transformed(
    prior: Tensor, predicted: Tensor, y: Tensor, precision: Tensor
) -> tuple[Tensor, Tensor]:
    """`update`, and which pixels kept their background as `linalg.refused` tells, ``[pixel]``.

    Raises:
        ValueError: fewer than two members, or the loop cannot be compiled (`reason_against`).
    """
    pixels, members, latents = prior.shape
    check_members(members)
    if 0 in (pixels, latents, y.shape[1]):
        return prior.clone(), torch.zeros(pixels, dtype=torch.bool)
    made = library(prior.dtype, members, y.shape[1], latents)
    if isinstance(made, str):
        raise ValueError(made)
    given = [t.detach().contiguous() for t in (prior, predicted, y, precision)]
    result = torch.empty_like(prior, memory_format=torch.contiguous_format)
    refused = torch.empty(pixels, dtype=torch.bool)
    tensors = (*given, result, refused)
    made.update(ctypes.c_long(pixels), *(ctypes.c_void_p(t.data_ptr()) for t in tensors))
    return result, refused


@lru_cache
def library(dtype: torch.dtype, members: int, channels: int, latents: int) -> ctypes.CDLL | str:
    """The compiled loop for one type and shape, or why there is none."""
    lines = -(-8 * channels // 64) + -(-8 * (latents + 1) // 64)
    if 64 * lines * (members + 2 * channels) > WORKSPACE:
        return f"{members} members, {channels} channels and {latents} latents are too many for it"
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return "there is no C compiler (cc, or the one that CC names)"
    source = files("releo_da.assimilation").joinpath("etkf.c").read_bytes()
    sizes = [f"-Dreal={TYPES[dtype]}", f"-DN={members}", f"-DC={channels}", f"-DL={latents}"]
    parts = [source, *map(str.encode, (compiler, processor(), *FLAGS, *sizes))]
    name = f"etkf-{hashlib.sha256(bytes(1).join(parts)).hexdigest()[:24]}.so"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "releo_da"
    try:
        if not (folder / name).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            compiled(compiler, source, sizes, folder / name)
        return ctypes.CDLL(str(folder / name))
    except OSError as problem:
        return f"the compiled loop cannot be kept or loaded in {folder} ({problem})"
    except subprocess.CalledProcessError as problem:
        return f"{compiler} fails: {problem.stderr.decode(errors='replace').strip()[:200]}"


def compiled(compiler: str, source: bytes, sizes: list[str], path: Path) -> None:
    """Compile the loop into a file that appears whole, also where several processes ask."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / path.name
        command = [compiler, *FLAGS, *sizes, "-x", "c", "-", "-o", str(made), "-lm"]
        subprocess.run(command, input=source, capture_output=True, check=True)
        made.replace(path)


def processor() -> str:
    """What ``-march=native`` means here: a loop for another processor must not be loaded."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    told = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    return "\n".join([platform.machine(), platform.processor(), *sorted(set(told))])
