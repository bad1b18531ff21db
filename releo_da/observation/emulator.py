r"""A neural stand-in for the canopy model that serves every sensor.

    x = (features(variables, angles) - centre) / scale                     [F]
    h_1 = silu(W_1 x + b_1),   h_i = silu(W_i h_{i-1} + b_i)               [width]
    a = spread (A h + C x + d)                                             [K]
    spectrum = mean + B' a                                                 [2101],  B [K, 2101]

The basis B is that of the principal components of spectra of the canopy model, and everything after
the last hidden layer is linear. A sensor with the response r [band, 2101] therefore needs no
training: its bands

    r spectrum = r B' spread A h + r B' spread C x + r (mean + B' spread d)

are a small matrix product, made once (`Emulator.head`). Nothing in the weights knows a sensor.

The error is known in the same basis. With e = true - emulated coefficients of spectra that the
weights were not fitted to, S = E[e e'] [K, K], and t [2101] the rms of what the basis leaves out,

    E[errors of bands r, q]  ~  r B' S B q' + (r t) (q t),

whose second term bounds the variance of a band by Minkowski's inequality: the rms of an average is
at most the average of the rms. Its diagonal enters R as the error of a band quadrature does.

Cost: about 1 us per canopy and core with 3 layers of 160, nearly the same for ten bands and for a
hundred. A network means nothing outside its ranges (`releo_da.observation.draws`): the state never
leaves them, and what was seen under angles beyond them gets an infinite error.

References: Gomez-Dans, Lewis and Disney (2016), Remote Sensing 8, 119 (emulators of radiative
transfer models, spectra by principal components); Elfwing, Uchibe and Doya (2018), Neural Networks
107, 3-11 (silu).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from releo_da.observation.basis import Basis
from releo_da.observation.features import FEATURES, features

WAVELENGTHS = 2101

CHUNK = 1 << 12
"""Canopies that go through the network at once on a CPU."""

LANES = 32
"""Vectorised loops finish what is left of this many numbers differently; see `physics.prosail`."""


class Head(NamedTuple):
    """The linear map from features and last hidden layer to the bands of a sensor.

    Attributes:
        deep: ``[band, width]``.
        direct: ``[band, feature]``.
        offset: ``[band]``.
    """

    deep: Tensor
    direct: Tensor
    offset: Tensor


class Emulator(nn.Module):
    """Network, basis and error; made by `releo-da train`, or read from a file of weights.

    Args:
        width: neurons per hidden layer.
        depth: hidden layers.
        coefficients: K, spectra of the basis.
    """

    centre: Tensor
    scale: Tensor
    spread: Tensor
    mean: Tensor
    basis: Tensor
    moment: Tensor
    left_out: Tensor

    def __init__(self, width: int, depth: int, coefficients: int) -> None:
        super().__init__()
        sizes = [FEATURES, *[width] * depth]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False))
        self.deep = nn.Linear(width, coefficients)
        self.direct = nn.Linear(FEATURES, coefficients, bias=False)
        self.register_buffer("centre", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))
        self.register_buffer("spread", torch.ones(coefficients))
        self.register_buffer("mean", torch.zeros(WAVELENGTHS))
        self.register_buffer("basis", torch.zeros(coefficients, WAVELENGTHS))
        self.register_buffer("moment", torch.zeros(coefficients, coefficients))
        self.register_buffer("left_out", torch.zeros(WAVELENGTHS))

    @torch.no_grad()
    def prepare(
        self, basis: Basis, table: Tensor, targets: Tensor, generator: torch.Generator
    ) -> None:
        """Take basis and units from the data, and draw the weights that a fit starts from.

        Args:
            basis: of the spectra.
            table: features ``[n, F]`` of the data.
            targets: coefficients ``[n, K]`` of the data.
            generator: of the first weights, uniform with the variance 1 / (3 inputs).
        """
        self.mean.copy_(basis.mean)
        self.basis.copy_(basis.components)
        self.centre.copy_(table.mean(0))
        self.scale.copy_(table.std(0))
        self.spread.copy_(targets.std(0))
        for layer in (*self.layers(), self.deep, self.direct):
            limit = layer.in_features**-0.5
            for parameter in layer.parameters():
                parameter.uniform_(-limit, limit, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Coefficients in units of their spread ``[n, K]`` of standardised features ``[n, F]``."""
        h = x
        for layer in self.layers():
            h = silu(layer(h))
        return self.deep(h) + self.direct(x)

    def layers(self) -> list[nn.Linear]:
        """The hidden layers, in order."""
        return [layer for layer in self.hidden if isinstance(layer, nn.Linear)]

    def basis_of(self) -> Basis:
        """The basis of the spectra."""
        return Basis(self.mean, self.basis)

    def head(self, response: Tensor) -> Head:
        """The bands of a sensor as a linear map.

        Args:
            response: ``[band, 2101]``, rows that sum to 1.
        """
        response = response.to(self.basis.device).double()
        weights = response @ self.basis.double().T * self.spread.double()
        offset = response @ self.mean.double() + weights @ self.deep.bias.double()
        deep, direct = (weights @ m.weight.double() for m in (self.deep, self.direct))
        return Head(*(t.detach().float() for t in (deep, direct, offset)))

    def band_covariance(self, response: Tensor) -> Tensor:
        """Mean products of the errors of bands on held-out spectra, ``[band, band]`` float64.

        Args:
            response: ``[band, 2101]``.
        """
        response = response.cpu().double()
        basis, moment, left = (t.cpu().double() for t in (self.basis, self.moment, self.left_out))
        weights = response @ basis.T
        beside = response @ left
        return weights @ moment @ weights.T + torch.outer(beside, beside)

    def band_error(self, response: Tensor) -> Tensor:
        """Root mean square error of bands on held-out spectra, ``[band]`` float64."""
        return self.band_covariance(response).diagonal().sqrt()

    def bands(
        self, variables: Mapping[str, Tensor], tts: Tensor, tto: Tensor, psi: Tensor, head: Head
    ) -> Tensor:
        """Band reflectances of canopies.

        Args:
            variables: those of the canopy model, each ``[...]``.
            tts: sun zenith in degrees, broadcastable to ``[...]``.
            tto: view zenith in degrees.
            psi: relative azimuth in degrees, 0-180.
            head: of the sensor, on the device of the variables.

        Returns:
            ``[..., band]``.

        Raises:
            InputError: a variable is missing, or one is given that the emulator does not know.
        """
        given = [*variables.values(), tts, tto, psi]
        shape = torch.broadcast_shapes((1,), *(t.shape for t in given))
        rest = math.prod(shape[1:])
        most = CHUNK * (1 if given[0].device.type == "cpu" else 256)
        unit = LANES // math.gcd(rest, LANES)
        rows = max(unit, most // max(rest, 1) // unit * unit)

        def cut(t: Tensor, start: int) -> Tensor:
            t = t.reshape((1,) * (len(shape) - t.dim()) + t.shape)
            return t if t.shape[0] == 1 else t[start : start + rows]

        parts = []
        for start in range(0, max(shape[0], 1), rows):
            inside = {name: cut(t, start) for name, t in variables.items()}
            found = features(inside, *(cut(a, start) for a in (tts, tto, psi)))
            out = self._through(found.flatten(1).T, head)
            parts.append(out.reshape(*found.shape[1:], out.shape[-1]))
        joined = torch.cat(parts) if len(parts) > 1 else parts[0]
        return joined.reshape(*torch.broadcast_shapes(*(t.shape for t in given)), joined.shape[-1])

    def _through(self, x: Tensor, head: Head) -> Tensor:
        """Bands ``[n, band]`` of features ``[n, F]`` that are not standardised."""
        inverse = 1.0 / self.scale.to(x)
        first, *others = self.layers()
        weight = first.weight.to(x) * inverse
        h = silu(linear(x, weight, first.bias.to(x) - weight @ self.centre.to(x)))
        for layer in others:
            h = silu(linear(h, layer.weight.to(x), layer.bias.to(x)))
        deep, direct, offset = (t.to(x) for t in head)
        direct = direct * inverse
        return torch.addmm(linear(x, direct, offset - direct @ self.centre.to(x)), h, deep.T)
