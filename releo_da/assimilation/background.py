r"""Square roots of the background covariance: the space in which variational schemes minimise.

A control v of k numbers per pixel means the state x = mean + U'v with U'U = B, so that the
background term of a cost function is |v|^2 / 2 whatever B is (preconditioning by B^1/2):

    ensemble    U = A / sqrt(N-1)                          flow-dependent, rank N - 1     k = N
    static      U = b C', C C' = climatology               full rank, the same every day  k = L
    hybrid      U = [sqrt(1-f) ensemble, sqrt(f) static]   B = (1-f) P + f b^2 C C'       k = N + L

A window with noise as control (`releo_da.cycling.window`) appends latents that are standard normal
a priori, exactly and independent of the state: they get the identity as their block of U, and the
state's block stays what it is. Beside U every kind says which controls Z the members of the
background stand for (Z U are their anomalies), so that members can be carried to the analysis.

Cost: none but memory, ``k L`` numbers per pixel; the factor of the climatology is taken once.

Reference: Hamill and Snyder (2000), A hybrid ensemble Kalman filter-3D variational analysis scheme,
Mon. Wea. Rev. 128, 2905-2919; Lorenc (2003), Q. J. R. Meteorol. Soc. 129, 3183-3203.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from releo_da.assimilation.linalg import anomalies, check_members
from releo_da.types import InputError, Noise

Kind = Literal["ensemble", "static", "hybrid"]
"""Where the background covariance comes from."""

APPENDED = "appended"
"""Key of the memory whose last axis is as long as the standard-normal latents at the end."""


def refuse_appended(memory: dict[str, Tensor], who: str) -> None:
    """Refuse a state whose last latents are noise of this window only.

    Raises:
        InputError: ``who`` keeps something per latent from cycle to cycle.
    """
    if APPENDED in memory:
        raise InputError(
            f"{who}: keeps numbers per latent, and a window with model_error: control changes the "
            f"latents; leave {who} out, or give model_error: none"
        )


class Background(NamedTuple):
    """The background as variational schemes meet it.

    Attributes:
        mean: ``[pixel, 1, latent]``.
        root: U, ``[pixel, control, latent]``.
        members: controls Z of the members, ``[pixel, member, control]``.
    """

    mean: Tensor
    root: Tensor
    members: Tensor

    def state(self, v: Tensor) -> Tensor:
        """States ``[pixel, n, latent]`` of controls ``[pixel, n, control]``."""
        return self.mean + v @ self.root


def climatological_root(climatology: Tensor | None, kind: Kind, who: str) -> Tensor | None:
    """C' with C C' = climatology, ``[latent, latent]``; None where the kind needs none.

    Raises:
        InputError: the kind needs a climatology and there is none, or it is no covariance.
    """
    if kind == "ensemble":
        return None
    if climatology is None:
        raise InputError(
            f"{who}: background '{kind}' needs a climatological covariance and this state has "
            "none; use background: ensemble"
        )
    factor, failed = torch.linalg.cholesky_ex(climatology)
    if bool(failed) or not bool(torch.isfinite(climatology).all()):
        raise InputError(
            f"{who}: the climatological covariance is not positive definite; take it from more "
            "states than there are latents, or use background: ensemble"
        )
    return factor.mT


def background(
    prior: Tensor,
    memory: dict[str, Tensor],
    noise: Noise,
    static: Tensor | None = None,
    share: float = 1.0,
) -> Background:
    """The background of an ensemble, with a static part where one is given.

    Args:
        prior: ``[pixel, member, latent]``, appended noise at the end.
        memory: says how many latents are appended.
        noise: draws the controls of members in a static part.
        static: C' times its scale, ``[latent, latent]``, of the latents that are not appended.
        share: f, of the static part; 1 leaves the ensemble out.

    Raises:
        ValueError: fewer than two members.
        InputError: the static part is of another size than the state.
    """
    check_members(prior.shape[1])
    extra = memory[APPENDED].shape[-1] if APPENDED in memory else 0
    latents = prior.shape[-1] - extra
    state, appended = prior[..., :latents], prior[..., latents:]
    mean = torch.cat([state.mean(1, keepdim=True), torch.zeros_like(appended[:, :1])], -1)
    root, members = _state_part(anomalies(state), noise, static, share)
    if extra:
        eye = torch.eye(extra, dtype=prior.dtype, device=prior.device).expand(len(prior), -1, -1)
        above = root.new_zeros(*root.shape[:2], extra)
        below = root.new_zeros(len(prior), extra, latents)
        root = torch.cat([torch.cat([root, above], -1), torch.cat([below, eye], -1)], 1)
        members = torch.cat([members, anomalies(appended)], -1)
    return Background(mean, root, members)


def _state_part(
    a: Tensor, noise: Noise, static: Tensor | None, share: float
) -> tuple[Tensor, Tensor]:
    """U and Z of the latents that are not appended."""
    pixels, number, latents = a.shape
    whole = (number - 1) ** 0.5
    roots, members = [], []
    if static is None or share < 1.0:
        weight = 1.0 if static is None else (1.0 - share) ** 0.5
        eye = torch.eye(number, dtype=a.dtype, device=a.device).expand(pixels, -1, -1)
        roots.append(weight / whole * a)
        members.append(whole * eye)
    if static is not None:
        if static.shape[-1] != latents:
            raise InputError(
                f"variational: the climatology has {static.shape[-1]} latents, the state {latents}"
            )
        drawn = anomalies(noise((pixels, number, latents)))  # sample variance 1 on average
        roots.append(share**0.5 * static.to(a).expand(pixels, -1, -1))
        members.append(drawn)
    return torch.cat(roots, 1), torch.cat(members, -1)
