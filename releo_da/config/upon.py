"""Components that are made upon others of their kind: the options of both, side by side.

    {name: hybrid, strength: 0.5, kernel: ou}   ->   hybrid(mean_reverting(kernel="ou"), 0.5)

In a list of wrappers (`releo_da.config.registry`) a user chooses what is wrapped. Here the inner
component is always the same one, so its options stand beside those of the outer one, each declared
once: in the signature and the docstring of the function that has it.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from functools import wraps
from typing import Any

from releo_da.config.registry import Function

BASE = "base"
"""The argument by which a function takes what it is made upon."""


def upon(under: Function) -> Callable[[Function], Function]:
    """A decorator: the function takes the arguments of ``under`` too, and gets what that makes.

    Args:
        under: makes the inner component. Arguments that both have are given to both; ``upon`` can
            be stacked.

    Returns:
        What turns a function with an argument `BASE` into one without, which is called by keyword;
        a TypeError then tells of an argument that neither has.
    """
    beneath = inspect.signature(under).parameters

    def decorate(function: Function) -> Function:
        own = dict(inspect.signature(function).parameters)
        del own[BASE]

        parameters = {**own, **{name: p for name, p in beneath.items() if name not in own}}
        signature = inspect.Signature(
            [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters.values()]
        )

        @wraps(function)
        def both(**given: Any) -> Any:
            signature.bind(**given)
            inner = under(**{name: given[name] for name in beneath if name in given})
            return function(inner, **{name: given[name] for name in own if name in given})

        both.__signature__ = signature  # type: ignore[attr-defined]
        hints = {**typing.get_type_hints(under), **typing.get_type_hints(function)}
        both.__annotations__ = {name: hint for name, hint in hints.items() if name != BASE}
        both.upon = under  # type: ignore[attr-defined]
        return both

    return decorate
