"""Reflectance of bare soil as a mixture of a dry and a wet spectrum.

    r_soil = rsoil (psoil dry + (1 - psoil) wet)

`psoil` is the dry fraction (0 wet, 1 dry) and `rsoil` a brightness factor; they are easily
exchanged by mistake, which is why every call names them. Spectra as published with PROSAIL
(Jacquemoud et al. 2009, Remote Sensing of Environment 113, S56-S66).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .optics import Optics


def mixture(psoil: Tensor, rsoil: Tensor, optics: Optics) -> Tensor:
    """The mixture for arguments and tables that are shaped to broadcast already."""
    dry, wet = optics.soil_dry, optics.soil_wet
    return torch.addcmul(rsoil * wet, rsoil * psoil, dry - wet)


def soil_reflectance(psoil: Tensor, rsoil: Tensor, optics: Optics) -> Tensor:
    """Lambertian reflectance of soil.

    Args:
        psoil: dry fraction, 0-1, ``[...]``.
        rsoil: brightness, > 0, ``[...]``.
        optics: coefficient tables ``[w]``.

    Returns:
        Reflectance, ``[..., w]``; above 1 only where ``rsoil`` is unphysically large.
    """
    return mixture(psoil.unsqueeze(-1), rsoil.unsqueeze(-1), optics)
