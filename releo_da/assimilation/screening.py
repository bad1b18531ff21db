r"""Checks of the observations against the background, before they are used.

With the innovation d = y - mean H(x_b), the ensemble covariance S of H(x_b) and the error
covariance R, an innovation should be a draw of N(0, S + R). Four things refuse a value; the code of
the first one that applies is what `screen` returns:

    0  KEPT        used, or never seen (precision 0 to begin with)
    1  CHANNEL     |d_i| > threshold sqrt(S_ii + R_ii)                    this channel only
    2  BRIGHT      d_i > bright_threshold sqrt(S_ii + R_ii) for all seen  the whole pixel
                   channels i in ``bright``
    3  SHARE       more than ``share`` of the seen channels fail CHANNEL  the whole pixel
    4  PIXEL       d'(S + R)^-1 d over the channels that are left is       the whole pixel
                   beyond its quantile ``pixel_quantile``

An undetected cloud is seldom far off in every channel, and the channels that happen to agree with
the background are wrong as well; hence the three rules for the whole pixel. A single faulty channel
costs that channel only, as PIXEL looks at what CHANNEL has left.

Clouds move on, a burnt or felled forest stays as it is. A filter whose model knows no such change
would refuse all that follows it, so `screened` may be given ``patience``: a pixel of which so many
acquisitions in a row were refused whole believes the next ones, until one passes the checks by
itself. That is the rule of consecutive anomalies by which change is detected in series of images.

The quadratic form is T2 = |Lo^-1 R^-1/2 d|^2 with Lo Lo' = G = I + R^-1/2 S R^-1/2 (see `linalg`):
nothing is divided by R and masked channels add 0. Errors with a correlation (`whitening`) are made
independent first; a channel by itself does not meet it. S comes from N members, so T2 is
Hotelling's and not chi-square: with n channels and nu degrees of freedom

    F = T2 (nu - n + 1) / (n nu)  is F(n, nu - n + 1),   nu = (N-1) n / tr((I - G^-1)^2)

where nu (Satterthwaite's) is N - 1 if the ensemble dominates S + R and infinite, the chi-square
case, if R does. Taking chi-square throughout would refuse 2 % of perfect data at 32 members and 10
channels where 0.01 % is asked. Cost per pixel: N C^2 + C^3.

References: Ingleby and Lorenc (1993), Bayesian quality control using multivariate normal
distributions, Q. J. R. Meteorol. Soc. 119, 1195-1225; Paulson (1942), An approximate normalization
of the analysis of variance distribution, Ann. Math. Stat. 13, 233-235; Zhu and Woodcock (2014),
Continuous change detection and classification of land cover using all available Landsat data,
Remote Sens. Environ. 144, 152-171.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import torch
from torch import Tensor

from releo_da.assimilation.linalg import innovation_factor, solve_lower, weighted
from releo_da.assimilation.whitening import Correlation, checked, error_factor, independent
from releo_da.types import Analysis, InputError, Noise, Observe, Scheme

KEPT, CHANNEL, BRIGHT, SHARE, PIXEL = range(5)
REASONS = ("kept", "channel", "bright", "share", "pixel")
"""Name of each code that `screen` returns, by position."""


@torch.no_grad()
def screen(
    predicted: Tensor,
    y: Tensor,
    precision: Tensor,
    threshold: float = 4.0,
    pixel_quantile: float | None = 0.9999,
    share: float = 0.25,
    bright: Sequence[int] = (),
    bright_threshold: float = 2.5,
    correlation: Correlation = 0.0,
) -> Tensor:
    """Why each value is refused: a code of `REASONS` per value, 0 where it is kept.

    A pure function of what a `Step` holds, so that the reasons of a finished run can be counted
    from its steps: ``screen(step.predicted, step.acquisition.values, step.acquisition.precision)``.

    Args:
        predicted: H of each background member, ``[pixel, member, channel]``.
        y: observations, ``[pixel, channel]``.
        precision: 1 / error**2, ``[pixel, channel]``, 0 where not seen.
        threshold: largest accepted |innovation| of a channel, in its standard deviations.
        pixel_quantile: probability with which a correct set of channels passes the joint check;
            ``None`` switches it off.
        share: largest share of the seen channels of a pixel that may fail ``threshold``.
        bright: positions of channels that a cloud brightens (the visible ones); none: no check.
        bright_threshold: all of ``bright`` above this many standard deviations refuse the pixel.
        correlation: of the errors, see `whitening`.

    Returns:
        ``[pixel, channel]`` uint8.

    Raises:
        ValueError: fewer than two members.
        InputError: ``pixel_quantile`` is not strictly between 0 and 1.
    """
    seen = precision > 0
    s, d = weighted(predicted, y, precision)
    deviation = (1.0 + s.square().sum(1)).sqrt()
    failed = seen & (d.abs() > threshold * deviation)
    whole = [
        (BRIGHT, _all_bright(d, deviation, seen, bright, bright_threshold)),
        (SHARE, failed.sum(-1) > share * seen.sum(-1)),
    ]
    if pixel_quantile is not None:
        kept = seen & ~failed
        lower = error_factor(checked(correlation, "screened"), precision * kept)
        joint = independent(s * kept[:, None], d * kept, lower)
        score = joint_score(*joint, kept.sum(-1))
        whole.append((PIXEL, score > _normal_quantile(pixel_quantile)))
    code = torch.where(failed, CHANNEL, KEPT).to(torch.uint8)
    for reason, refused in reversed(whole):
        code = torch.where(refused[:, None] & seen & (code == KEPT), reason, code)
    return code


def _all_bright(
    d: Tensor, deviation: Tensor, seen: Tensor, bright: Sequence[int], threshold: float
) -> Tensor:
    """True for pixels whose seen channels in ``bright`` are all too bright, ``[pixel]``."""
    listed = seen.new_zeros(seen.shape[-1:])
    for k in bright:
        listed[k : k + 1] = True  # a slice, since a request has no channels
    chosen = seen & listed
    too_bright = d > threshold * deviation
    return chosen.any(-1) & (too_bright | ~chosen).all(-1)


def _normal_quantile(probability: float) -> float:
    """Standard-normal quantile; an InputError where there is none."""
    if not 0.0 < probability < 1.0:
        raise InputError(
            f"screened: pixel_quantile must lie strictly between 0 and 1, got {probability}; "
            "0.9999 refuses one correct acquisition in 10,000, null switches the check off"
        )
    return NormalDist().inv_cdf(probability)


def joint_score(s: Tensor, d: Tensor, count: Tensor) -> Tensor:
    """Innovations of a pixel, jointly, as one standard-normal number (large: incredible).

    Hotelling's T2 as an F ratio, made normal by Paulson's cube root.

    Args:
        s: weighted anomalies, ``[pixel, member, channel]``, 0 in masked channels.
        d: weighted innovation, ``[pixel, channel]``, 0 in masked channels.
        count: number n of channels in use, ``[pixel]``.

    Returns:
        ``[pixel]``; about -3 where no channel is in use.
    """
    lower = innovation_factor(s)
    eye = torch.eye(lower.shape[-1], dtype=lower.dtype, device=lower.device)
    inverse = solve_lower(lower, eye)
    distance = (inverse @ d[..., None]).square().sum((-2, -1))
    sampled = (eye - inverse.mT @ inverse).square().sum((-2, -1))
    n = count.to(d.dtype).clamp(min=1.0)
    nu = (s.shape[1] - 1) * n / sampled.clamp(min=1e-6)
    m = (nu - n + 1.0).clamp(min=1.0)
    root = (distance * m / (n * nu)).pow(1.0 / 3.0)
    numerator, denominator = 2.0 / (9.0 * n), 2.0 / (9.0 * m)
    score = (1.0 - denominator) * root - (1.0 - numerator)
    return score / (denominator * root.square() + numerator).sqrt()


def remembered(observe: Observe, prior: Tensor, predicted: Tensor) -> Observe:
    """``observe`` that already knows the answer for ``prior``, by identity and not by value.

    The operator is nine tenths of a run: a wrapper that needs H of the background hands it on to
    the scheme inside through this, and the scheme stays unaware.
    """
    return lambda ensemble: predicted if ensemble is prior else observe(ensemble)


def screened(
    scheme: Scheme,
    threshold: float = 4.0,
    pixel_quantile: float | None = 0.9999,
    share: float = 0.25,
    bright: Sequence[int] = (),
    bright_threshold: float = 2.5,
    patience: int = 0,
    correlation: Correlation = 0.0,
) -> Scheme:
    """Refuse values that the background makes incredible: they enter with precision 0.

    The other options are those of `screen`. H of the background is evaluated once and shared with
    ``scheme``. What was refused is read from the result: ``precision`` is 0 where the acquisition's
    is not. Wrap iterated or tempered schemes, not the other way round, so that the decision is
    taken once, on the background.

    Args:
        scheme: what analyses the values that are kept.
        threshold: largest accepted |innovation| of a channel, in its standard deviations.
        pixel_quantile: probability with which a correct set of channels passes the joint check.
        share: largest share of the seen channels of a pixel that may fail ``threshold``.
        bright: positions of channels that a cloud brightens.
        bright_threshold: all of ``bright`` above this many standard deviations refuse the pixel.
        patience: a pixel of which so many acquisitions in a row were refused whole believes the
            next; 0 never does. The number so far is carried in the memory of the state.
        correlation: that of `whitened` inside; a configuration fills it in.

    Raises:
        InputError: ``pixel_quantile`` is not strictly between 0 and 1, ``patience`` is negative, or
            no correlation.
    """
    given = checked(correlation, "screened")
    if pixel_quantile is not None:
        _normal_quantile(pixel_quantile)
    if patience < 0:
        raise InputError(f"screened: patience is {patience}; give 0 (never) or a number of passes")

    def analyse(
        prior: Tensor,
        observe: Observe,
        y: Tensor,
        precision: Tensor,
        noise: Noise,
        memory: dict[str, Tensor],
    ) -> Analysis:
        predicted = observe(prior)
        code = screen(
            predicted, y, precision, threshold, pixel_quantile, share, bright, bright_threshold,
            given,
        )  # fmt: skip
        if patience:
            code, row = _believed(code, precision > 0, memory.get(IN_A_ROW), patience)
            memory = {**memory, IN_A_ROW: row.to(y.dtype)}
        trusted = torch.where(code == KEPT, precision, 0.0)
        known = remembered(observe, prior, predicted)
        return scheme(prior, known, y, trusted, noise, memory)

    return analyse


IN_A_ROW = "refused_in_a_row"
"""Name in the memory of a state: ``[pixel]`` acquisitions refused whole since one passed."""


def _believed(
    code: Tensor, seen: Tensor, before: Tensor | None, patience: int
) -> tuple[Tensor, Tensor]:
    """Codes with all kept where patience has run out, and the rows of refusals so far, ``[pixel]``.

    A row ends where the checks keep a value, not where one is believed against them.
    """
    some = seen.any(-1)
    row = torch.zeros_like(some, dtype=torch.float32) if before is None else before
    refused = some & ~(seen & (code == KEPT)).any(-1)
    believed = refused & (row >= patience)
    after = torch.where(refused, row + 1.0, torch.where(some, 0.0, row))
    return torch.where(believed[:, None], KEPT, code), after
