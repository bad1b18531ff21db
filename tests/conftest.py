"""What every test may ask for: a device, a number type, and the folder of the real data."""

import os

# Before torch or numpy is imported: tests run on one thread, as the workers of a run do.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import hypothesis
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]

torch.set_num_threads(1)
hypothesis.settings.register_profile("releo", deadline=None, derandomize=True)
hypothesis.settings.load_profile("releo")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="torch device of the tensors (cpu, cuda)")
    parser.addoption(
        "--dtype",
        default="float64",
        choices=("float32", "float64"),
        help="number type of the tests that do not choose one themselves",
    )


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    """The device given by --device; asking for one that is not there is an error, not a skip."""
    device = torch.device(request.config.getoption("--device"))
    torch.empty(0, device=device)
    return device


@pytest.fixture(scope="session")
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """The number type given by --dtype, float64 by default, where laws hold exactly."""
    return getattr(torch, request.config.getoption("--dtype"))


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of the public data sets: RELEO_DATA, or ../shared/data beside the project."""
    named = os.environ.get("RELEO_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}: set RELEO_DATA to the folder of the data sets")
    return folder
