"""Files in, files out: the only place that knows file conventions.

Readers turn files into a `Series` of acquisitions over one pixel axis; the archive writes a run
directory so that a crash never leaves half a file.
"""

from releo_da.io.cube import read_cube
from releo_da.io.points import read_points
from releo_da.io.series import Series, drop_duplicates, merge

__all__ = ["Series", "drop_duplicates", "merge", "read_cube", "read_points"]
