"""The one door to netCDF files.

The netCDF and HDF5 libraries are not safe under threads, even on different files: two threads that
write at once end the process. Every read and write of this package therefore passes through this
module and its one lock.

A file of HDF5 is first opened on trial, beside this process (`releo_da.io.trial`): damaged bytes
can keep the library busy for ever. The header of a classic file is walked (`releo_da.io.classic`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb

import netCDF4
import xarray as xr

from releo_da.io.classic import check_classic
from releo_da.io.limits import check_array, check_sizes
from releo_da.io.trial import try_open
from releo_da.types import InputError

NETCDF = threading.RLock()

DECODING = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What xarray raises of attributes of another type than it takes them for."""

XARRAY = (xr.DataArray, xr.Dataset, xr.Variable)


@contextmanager
def opened(path: str | Path, chunks: dict[str, int] | None = None) -> Iterator[xr.Dataset]:
    """An open netCDF file with CF conventions decoded; the lock is held while it is open.

    Args:
        path: of the file.
        chunks: as xarray has them; ``{}`` for arrays that are not read before they are needed.

    Raises:
        InputError: the file is missing, is not netCDF, its times cannot be decoded, or numbers
            read inside the block are damaged.
    """
    path = Path(path)
    if not path.is_file():
        found = "is a folder, not a file or Zarr store" if path.is_dir() else "does not exist"
        raise InputError(
            f"{path}: the file {found}; give the path of a netCDF file or Zarr store, beside the "
            "configuration or under the data folder (RELEO_DATA)"
        )
    with NETCDF:
        try:
            _check(path)
            dataset = xr.open_dataset(path, engine="netcdf4", chunks=chunks)
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{path}: not readable as netCDF ({getattr(error, 'strerror', None) or error}); "
                "check the file, and copy it again if the copy was cut short"
            ) from None
        except InputError:
            raise
        except ValueError as error:
            raise InputError(
                f"{path}: its metadata cannot be decoded ({error}); correct the units attribute "
                "of its time variable to the form 'days since 1970-01-01'"
            ) from None
        except DECODING as error:
            raise _undecoded(path, error) from None
        with dataset:
            try:
                yield dataset
            except (OSError, RuntimeError) as error:
                # Numbers are read inside the block; the library says NetCDF when it fails there.
                if "NetCDF" not in str(error):
                    raise
                raise InputError(
                    f"{path}: damaged, its numbers cannot be read ({error}); "
                    "copy or make the file again"
                ) from None
            except DECODING as error:
                if not _while_decoding(error):
                    raise
                raise _undecoded(path, error) from None


def _undecoded(path: Path, error: Exception) -> InputError:
    """The error of a file that says how to decode it by attributes that cannot be meant."""
    return InputError(
        f"{path}: its values cannot be decoded as its attributes say ({error}); correct attributes "
        "such as _Encoding, _FillValue, scale_factor and units, or make the file again"
    )


def _while_decoding(error: BaseException) -> bool:
    """Whether an error comes out of where xarray decodes what it reads.

    An AttributeError that a property of xarray meets there comes out as one of the property itself,
    raised in ``__getattr__`` and without the frames below.
    """
    frames = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    hidden = isinstance(error, AttributeError) and isinstance(error.obj, XARRAY)
    return hidden or any(name.startswith("xarray.coding.") for name in frames)


def _check(path: Path) -> None:
    """Refuse a file that says it is larger than can be read; its coordinates are, at once."""
    if not check_classic(path):
        try_open(path)
    with netCDF4.Dataset(path) as file:
        check_sizes(path, {name: len(dim) for name, dim in file.dimensions.items()})
        for name, variable in file.variables.items():
            chunking = variable.chunking()
            chunk = chunking if isinstance(chunking, list) else ()
            check_array(path, name, variable.shape, chunk, getattr(variable.dtype, "itemsize", 8))
