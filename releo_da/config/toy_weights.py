"""Learned toy models on file: the parameters of a forecaster, and of which model they are."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from releo_da.dynamics.stepped import Stepped
from releo_da.io.atomic import replacing
from releo_da.io.tensors import read_tensors, refuse_infinite
from releo_da.types import InputError

MODEL = "model"
"""Key of the metadata that names the model."""


def model_name(forecaster: Stepped) -> str:
    """The model step and its number of components."""
    return f"{type(forecaster.step).__name__} {forecaster.size}"


def write_weights(path: Path, forecaster: Stepped) -> None:
    """Write the parameters of a forecaster, whole or not at all."""
    held = {name: t.detach().cpu().contiguous() for name, t in forecaster.state_dict().items()}
    with replacing(path) as temporary:
        save_file(held, str(temporary), metadata={MODEL: model_name(forecaster)})


def load_weights(path: Path, forecaster: Stepped) -> None:
    """Load learned parameters into a forecaster; model error is set to that of the file.

    Raises:
        InputError: the file is no file of weights, or one of another model.
    """
    metadata, held = read_tensors(path, "a file of weights", "make one with `releo-da train`")
    told = metadata.get(MODEL)
    wanted = {name: tensor.shape for name, tensor in forecaster.state_dict().items()}
    if told != model_name(forecaster) or wanted != {n: t.shape for n, t in held.items()}:
        raise InputError(
            f"{path}: weights of {told or 'another system'} ({', '.join(held)}), but the "
            f"configuration names {model_name(forecaster)} ({', '.join(wanted)}); give it the "
            "model and the noise_variance that were trained"
        )
    # The logarithm of a noise that a component does not have is infinite.
    plain = {n: t.exp() if n == "log_noise" else t for n, t in held.items()}
    refuse_infinite(plain, path, "make one with `releo-da train`")
    forecaster.load_state_dict(held)
