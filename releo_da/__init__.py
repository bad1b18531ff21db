"""Data assimilation for land-surface monitoring from satellites.

`simulate` is the physical simulator on labelled arrays; it is imported when it is first used, so
that importing the package costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from releo_da.simulator import simulate as simulate

__version__ = "0.1.0"
__all__ = ["__version__", "simulate"]


def __getattr__(name: str) -> Any:
    if name == "simulate":
        from releo_da.simulator import simulate

        return simulate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
