r"""What the emulator looks at: the variables of the canopy model, and cheap pieces of its physics.

A small network spends most of its neurons on exponentials and products that are known beforehand.
They are given to it, one row each over all spectra: ``[feature, spectrum]``.

- The variables themselves, and what is stated once per geometry: the cosines of both zenith angles
  and of the relative azimuth, the cosine of the angle between both directions, and their distance

      d = sqrt((tan s - tan o)^2 + 4 tan s tan o sin^2(psi / 2)).

- Extinction of leaves on an ellipsoid of axis ratio e (Campbell 1986), by its closed form:

      k(theta) = sqrt(e^2 + tan^2 theta) / (e + 1.774 (e + 1.182)^-0.733).

- Gaps for the sun, for the viewer and, with the hot spot, for both (Kuusk 1985):

      exp(-k_s L),  exp(-k_o L),  exp(y),
      y = -(k_s + k_o) L + sqrt(k_s k_o) L l (1 - exp(-1 / l)),    l = q (k_s + k_o) / (2 d),

  the leaf area that is sunlit and seen, L (exp(y) - 1) / y, and two gaps for diffuse light.
- The dry and the wet part of the soil, bare and seen through these gaps.
- Saturation of each absorber in one layer of the leaf, exp(-content / (n scale)).

They need not be exact: the network learns what is left. Some 60 operations per spectrum without a
wavelength, a quarter of the emulator's time.

References: Campbell (1986), Agricultural and Forest Meteorology 36, 317-321. Kuusk (1985), Soviet
Journal of Remote Sensing 3, 645-658.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from releo_da.physics.campbell import axis_ratio
from releo_da.physics.hotspot import distance
from releo_da.physics.prosail import VARIABLES
from releo_da.types import InputError

SATURATION = {
    "cab": (8.0, 30.0),
    "car": (6.0,),
    "ant": (2.0,),
    "cbrown": (0.5,),
    "cw": (0.01, 0.04),
    "cm": (0.006,),
}
"""Contents (units of the canopy model) of which a layer transmits 1/e in its absorption bands."""

FORM = 1
"""Number of this definition; weights that were fitted to another one are refused."""

GEOMETRY, CANOPY = 5, 16
FEATURES = len(VARIABLES) + GEOMETRY + CANOPY + sum(map(len, SATURATION.values()))
"""Number of features."""


def features(variables: Mapping[str, Tensor], tts: Tensor, tto: Tensor, psi: Tensor) -> Tensor:
    """The features of canopies under given geometries.

    Args:
        variables: those of `releo_da.physics.prosail.VARIABLES`, broadcastable to ``[...]``.
        tts: sun zenith in degrees, broadcastable to ``[...]``; angles that do not vary along the
            last axis (``[pixel, 1]`` against ``[pixel, member]``) cost the least.
        tto: view zenith in degrees.
        psi: relative azimuth in degrees, 0-180.

    Returns:
        ``[feature, ...]`` of the variables' dtype.

    Raises:
        InputError: a variable is missing, or one is given that the emulator does not know.
    """
    if set(variables) != set(VARIABLES):
        odd = ", ".join(sorted(set(variables) ^ set(VARIABLES)))
        raise InputError(
            f"the emulator knows the variables {', '.join(VARIABLES)}, all of them and no others "
            f"(missing or unknown: {odd}); use `observe: {{name: prosail}}`"
        )
    values = [variables[name] for name in VARIABLES]
    angles = [torch.as_tensor(a, dtype=values[0].dtype).to(values[0]) for a in (tts, tto, psi)]
    found = [
        *values,
        *_geometry(*angles),
        *_canopy(variables, *angles),
        *(
            torch.exp(variables[name] / (-scale * variables["n"]))
            for name, scales in SATURATION.items()
            for scale in scales
        ),
    ]
    shape = torch.broadcast_shapes(*(f.shape for f in found))
    return torch.stack([f.expand(shape) for f in found])


def _geometry(tts: Tensor, tto: Tensor, psi: Tensor) -> list[Tensor]:
    s, o, between = (torch.deg2rad(a) for a in (tts, tto, psi))
    cs, co, cpsi = s.cos(), o.cos(), between.cos()
    apart = distance(tts, tto, psi).to(tts)
    return [cs, co, cpsi, cs * co + s.sin() * o.sin() * cpsi, torch.exp(-apart)]


def _canopy(v: Mapping[str, Tensor], tts: Tensor, tto: Tensor, psi: Tensor) -> list[Tensor]:
    """Extinction, gaps, leaf area seen, soil seen, and the number of layers' inverse."""
    lai, e = v["lai"], axis_ratio(v["ala"])
    scale = 1.0 / (e + 1.774 * (e + 1.182).pow(-0.733))
    ks, ko = ((e.square() + torch.deg2rad(a).tan().square()).sqrt() * scale for a in (tts, tto))
    both = ks + ko
    # Below 0.005 exp(-1 / l) is 0; above 1e4 the exact hot spot is reached in single precision.
    length = (v["hspot"] * both / (2.0 * distance(tts, tto, psi).to(lai))).clamp(5e-3, 1e4)
    shared = (ks * ko).sqrt() * length * -torch.expm1(-1.0 / length)
    extinct = (both - shared).clamp_min(1e-6)
    seen = -torch.expm1(-extinct * lai)
    diffuse = torch.exp(-0.7 * lai)
    dry, wet = v["rsoil"] * v["psoil"], v["rsoil"] * (1.0 - v["psoil"])
    gap = 1.0 - seen
    return [
        ks, ko, 1.0 / (1.0 + length),
        torch.exp(-ks * lai), torch.exp(-ko * lai), gap, seen / extinct,
        diffuse, torch.exp(-0.25 * lai), 1.0 / v["n"],
        dry, wet, dry * gap, wet * gap, dry * diffuse.square(), wet * diffuse.square(),
    ]  # fmt: skip
