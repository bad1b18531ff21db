"""Components by name: a configuration entry becomes a function with its options bound.

    analyse: [{name: etkf}, {name: relaxed, factor: 0.3}]   ->   relaxed(etkf, factor=0.3)

An entry of a registry is an ordinary function. Its options are its arguments, their defaults live
in its signature and their meaning in its docstring; there is no second declaration. Arguments of
an entry that never come from a configuration are named once per registry:

    call      arrive when the component is used (prior, observe, y, ...)
    supplied  come from the program when it is built (sensors, generator, decode, ...)
    inner     the component before it in a list, for entries that wrap another

An entry that takes ``call`` arguments is the component itself; any other entry makes one and is
called once, when it is built.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from releo_da.config.document import nearest
from releo_da.config.values import convert
from releo_da.types import InputError

Function = Callable[..., Any]


class Option(typing.NamedTuple):
    """One argument of a function that a configuration may give."""

    name: str
    wanted: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether the function has no default for it."""
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True)
class Registry:
    """The implementations of one kind of component.

    Attributes:
        kind: what the components are, for messages, e.g. ``scheme``.
        entries: name in a configuration -> function.
        call: arguments given each time the component is used.
        supplied: arguments given by the program when the component is built.
        inner: the argument of a wrapper that takes the component before it in a list.
        key: the key that holds the name.
        several: a list means components side by side (sources that are merged) instead of
            wrappers, and `build` always gives a list.
    """

    kind: str
    entries: Mapping[str, Function]
    call: Collection[str] = ()
    supplied: Collection[str] = ()
    inner: str = ""
    key: str = "name"
    several: bool = False

    @property
    def hidden(self) -> set[str]:
        """Arguments that a configuration may not give."""
        return {*self.call, *self.supplied, *([self.inner] if self.inner else [])}

    def build(self, spec: Any, where: str, provided: Mapping[str, Any] | None = None) -> Any:
        """The component that a configuration entry means.

        Args:
            spec: a name, ``{name: ..., option: ...}``, or a list of these, each wrapping the one
                before it (or standing beside it, see ``several``).
            where: key of the entry, for messages.
            provided: values of supplied arguments; each entry gets those it has arguments for.

        Raises:
            InputError: unknown name or option, wrong or missing value, or a list in an order that
                cannot be.
        """
        if isinstance(spec, list):
            if not spec:
                raise InputError(f"{where}: the list is empty; give a {self.kind}")
            if self.several:
                return [
                    self._made(one, f"{where}[{position}]", provided, None)
                    for position, one in enumerate(spec)
                ]
            component = self._made(spec[0], f"{where}[0]", provided, None)
            for position, layer in enumerate(spec[1:], 1):
                component = self._made(layer, f"{where}[{position}]", provided, component)
            return component
        made = self._made(spec, where, provided, None)
        return [made] if self.several else made

    def bind(
        self, spec: Any, where: str, provided: Mapping[str, Any] | None = None
    ) -> partial[Any]:
        """The function of one entry with its options bound, not called.

        Raises:
            InputError: unknown name or option, wrong or missing value.
        """
        function, options = self.find(spec, where)
        return bind(function, options, where, self.hidden, provided, self.entries)

    def find(self, spec: Any, where: str) -> tuple[Function, dict[str, Any]]:
        """The function that an entry names, and its options as given.

        Raises:
            InputError: no name, or an unknown one.
        """
        if isinstance(spec, str):
            spec = {self.key: spec}
        if not isinstance(spec, dict):
            raise InputError(
                f"{where}: wants a {self.kind}, {{{self.key}: ...}}, got {spec!r}; "
                f"{nearest('', self.entries)}"
            )
        if spec.get(self.key) is None:
            raise InputError(f"{where}: needs the key '{self.key}'; {nearest('', self.entries)}")
        name = spec[self.key]
        if not isinstance(name, str) or name not in self.entries:
            raise InputError(
                f"{where}.{self.key}: unknown {self.kind} '{name}'; {nearest(name, self.entries)}"
            )
        return self.entries[name], {key: spec[key] for key in spec if key != self.key}

    def wraps(self, function: Function) -> bool:
        """Whether a function wraps another component."""
        return bool(self.inner) and self.inner in inspect.signature(function).parameters

    def _made(self, spec: Any, where: str, provided: Mapping[str, Any] | None, inner: Any) -> Any:
        function, _ = self.find(spec, where)
        bound = self.bind(spec, where, provided)
        name = spec if isinstance(spec, str) else spec[self.key]
        if self.wraps(function):
            if inner is None:
                raise InputError(
                    f"{where}: '{name}' wraps another {self.kind}; write a list "
                    "and put it after the one it wraps"
                )
            bound = partial(bound, **{self.inner: inner})
        elif inner is not None:
            raise InputError(
                f"{where}: '{name}' does not wrap another {self.kind}; "
                "only the first of a list stands by itself, so move it there"
            )
        if set(self.call) & set(inspect.signature(function).parameters):
            return bound
        return placed(bound, where)


def options_of(function: Function, hidden: Collection[str] = ()) -> dict[str, Option]:
    """The arguments of a function that a configuration may give, by name."""
    plain = function
    while isinstance(plain, partial):
        plain = plain.func
    hints = typing.get_type_hints(plain)
    if inspect.isclass(plain):  # of a record the fields, of another class what makes it
        hints |= typing.get_type_hints(plain.__init__)
    collected = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name: Option(name, hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in hidden
        and parameter.kind not in (*collected, inspect.Parameter.POSITIONAL_ONLY)
    }


def bind(
    function: Function,
    options: Mapping[str, Any] | None,
    where: str,
    hidden: Collection[str] = (),
    provided: Mapping[str, Any] | None = None,
    others: Mapping[str, Function] | None = None,
) -> partial[Any]:
    """A function with options from a configuration bound, each checked against its annotation.

    Args:
        function: its keyword arguments are the options.
        options: key -> value as YAML gave them; None means none.
        where: path of the mapping in the configuration, for messages.
        hidden: arguments that a configuration may not give.
        provided: values of hidden arguments, bound where the function has them.
        others: functions beside it, by name, which are told where an option is theirs.

    Raises:
        InputError: an unknown option, a value of the wrong type, or a missing option.
    """
    provided = provided or {}
    hidden = {*hidden, *provided}
    allowed = options_of(function, hidden)
    if options is not None and not isinstance(options, Mapping):
        raise InputError(
            f"{where}: wants a mapping of options, got {options!r}; {nearest('', allowed)}"
        )
    arguments = {}
    for key, value in (options or {}).items():
        place = f"{where}.{key}"
        if key in hidden and key in inspect.signature(function).parameters:
            raise InputError(f"{place}: is set by the program; remove it from the configuration")
        if key not in allowed:
            having = [n for n, one in (others or {}).items() if key in options_of(one, hidden)]
            theirs = f"option of: {', '.join(having)}; {nearest('', allowed)}"
            hint = theirs if having else nearest(key, allowed)
            raise InputError(f"{place}: unknown option; {hint}")
        arguments[key] = convert(value, allowed[key].wanted, place)
    missing = [repr(n) for n, option in allowed.items() if option.required and n not in arguments]
    if missing:
        raise InputError(f"{where}: needs {', '.join(missing)} (no default); add it")
    parameters = inspect.signature(function).parameters
    given = {name: value for name, value in provided.items() if name in parameters}
    return partial(function, **arguments, **given)


def made(function: Function, options: Mapping[str, Any] | None, where: str) -> Any:
    """What a function makes of the options of a configuration, which `bind` takes.

    Raises:
        InputError: see `bind`; or what the function refuses, with its place.
    """
    return placed(bind(function, options, where), where)


def placed(bound: Callable[[], Any], where: str) -> Any:
    """What a bound function makes; what it refuses is told with its place in the configuration.

    Raises:
        InputError: of the function, which names the place itself or is given it.
    """
    try:
        return bound()
    except InputError as error:
        if str(error).startswith(where):
            raise
        raise InputError(f"{where}: {error}") from error


def description(function: Function) -> str:
    """First line of a function's docstring."""
    return (inspect.getdoc(function) or "").partition("\n")[0]
