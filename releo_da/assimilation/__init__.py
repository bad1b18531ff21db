"""Data assimilation as pure functions on tensors; knows nothing about leaves or satellites.

A scheme is a function ``analyse(prior, observe, y, precision, noise, memory) -> Analysis``, one
file per scheme; keyword-only arguments after those six are its options. A wrapper takes a scheme
first and returns a scheme. They compose from the inside out::

    analyse = screened(relaxed(etkf, 0.3), threshold=4.0)

Every array is ``[pixel, member, ...]`` and pixels never mix. The laws that each scheme keeps are
declared and checked in ``tests/laws``.
"""

from releo_da.assimilation.adaptive import adaptive
from releo_da.assimilation.denkf import denkf
from releo_da.assimilation.enkf import enkf
from releo_da.assimilation.enkf_n import enkf_n
from releo_da.assimilation.enks import enks
from releo_da.assimilation.ensrf import ensrf
from releo_da.assimilation.envar4d import envar4d
from releo_da.assimilation.etkf import etkf
from releo_da.assimilation.ienks import ienks
from releo_da.assimilation.inflation import additive, inflated, relaxed, relaxed_spread, rotated
from releo_da.assimilation.iterated import esmda, iterated, multiple
from releo_da.assimilation.localization import grouped, letkf, localized, sl_eakf
from releo_da.assimilation.neighbours import neighbours
from releo_da.assimilation.particle import particle
from releo_da.assimilation.quantile import quantile
from releo_da.assimilation.reference import filterpy
from releo_da.assimilation.robust import huber
from releo_da.assimilation.screening import screen, screened
from releo_da.assimilation.smoother import rts
from releo_da.assimilation.tapers import Places
from releo_da.assimilation.tuned import tuned
from releo_da.assimilation.variational import variational
from releo_da.assimilation.whitening import whitened

__all__ = [
    "Places",
    "adaptive",
    "additive",
    "denkf",
    "enkf",
    "enkf_n",
    "enks",
    "ensrf",
    "envar4d",
    "esmda",
    "etkf",
    "filterpy",
    "grouped",
    "huber",
    "ienks",
    "inflated",
    "iterated",
    "letkf",
    "localized",
    "multiple",
    "neighbours",
    "particle",
    "quantile",
    "relaxed",
    "relaxed_spread",
    "rotated",
    "rts",
    "screen",
    "screened",
    "sl_eakf",
    "tuned",
    "variational",
    "whitened",
]
