"""Files in, files out: the only place that knows file conventions.

Readers turn files into a `Series` of acquisitions over one pixel axis; the archive writes a run
directory so that a crash never leaves half a file.
"""

from releo_da.io.archive import JsonLines, create_run_directory, write_json, write_yaml
from releo_da.io.atomic import write_text_atomic
from releo_da.io.cube import read_cube
from releo_da.io.in_situ import InSitu, read_in_situ
from releo_da.io.points import read_points
from releo_da.io.products import Product, products_dataset, read_products, write_products
from releo_da.io.series import Series, drop_duplicates, merge
from releo_da.io.state_file import read_state, write_state
from releo_da.io.table import read_table

__all__ = [
    "InSitu",
    "JsonLines",
    "Product",
    "Series",
    "create_run_directory",
    "drop_duplicates",
    "merge",
    "products_dataset",
    "read_cube",
    "read_in_situ",
    "read_points",
    "read_products",
    "read_state",
    "read_table",
    "write_json",
    "write_products",
    "write_state",
    "write_text_atomic",
    "write_yaml",
]
