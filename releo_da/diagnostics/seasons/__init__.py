"""When seasons start, peak and end: dates of curves, of ensembles of curves, and beside a truth.

`windows` says which seasons a pixel has, `dates` reads their dates off curves, `statistics` makes
medians, intervals and probabilities of those of an ensemble, and `beside` scores them.
"""

from releo_da.diagnostics.seasons.beside import Scored, aligned, scored
from releo_da.diagnostics.seasons.dates import KINDS, Dates, dates_in
from releo_da.diagnostics.seasons.statistics import statistics
from releo_da.diagnostics.seasons.windows import Seasons, Windows, windows

__all__ = [
    "KINDS",
    "Dates",
    "Scored",
    "Seasons",
    "Windows",
    "aligned",
    "dates_in",
    "scored",
    "statistics",
    "windows",
]
