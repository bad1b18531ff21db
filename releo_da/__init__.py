"""Data assimilation for land-surface monitoring from satellites.

`simulate` is the physical simulator on labelled arrays, `open_products` opens the products of a
cycling run; they are imported when they are first used, so that importing this costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from releo_da.runs.open_products import open_products as open_products
    from releo_da.simulator import simulate as simulate

__version__ = "0.1.0"
__all__ = ["__version__", "open_products", "simulate"]


def __getattr__(name: str) -> Any:
    if name == "simulate":
        from releo_da.simulator import simulate

        return simulate
    if name == "open_products":
        from releo_da.runs.open_products import open_products

        return open_products
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
