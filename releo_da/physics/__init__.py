"""Radiative transfer from named canopy variables to spectra, in torch and differentiable.

`prosail` is the composition. Its parts: `prospect` (leaf), `soil`, `leaf_angles` (`campbell` or
`verhoef`), `scattering` and `hotspot` (what has no wavelength, joined in `structure`), `layer` (the
four-stream equations) and `sail` (layer and soil). `optics` holds the published coefficient tables,
`special` the functions whose derivatives need care; `absorbed` (fAPAR, cover) and `albedo` follow
from the same equations and, where sun and sky meet, from `light`.
"""
