"""Radiative transfer from named canopy variables to spectra, in torch and differentiable.

`prosail` is the composition; `prospect`, `soil`, `leaf_angles`, `scattering`, `hotspot` and `sail`
are its parts, and `optics` holds the published coefficient tables.
"""
