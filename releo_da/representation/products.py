r"""Products of small matrices whose sums have one order, whatever stands beside them.

    (a b)_ik = ((a_i0 b_0k + a_i1 b_1k) + a_i2 b_2k) + ...

A library takes such a sum in an order of its own, by the sizes of what it is given and by the place
of a row among the others, and differently on each kind of processor. Here it is taken one term
after the other, so that an element is the same to the last bit beside any others.

Shapes: ``[..., I, J]`` and ``[..., J, K]``; cost as of the product, and J passes over the result.
"""

from __future__ import annotations

from torch import Tensor


def in_order(a: Tensor, b: Tensor) -> Tensor:
    """The product with its sums taken in order, ``[..., I, K]``.

    Args:
        a: ``[..., I, J]``, J at least 1.
        b: ``[..., J, K]``.
    """
    total = a[..., :, 0, None] * b[..., 0, None, :]
    for j in range(1, a.shape[-1]):
        total = total + a[..., :, j, None] * b[..., j, None, :]
    return total
