"""YAML as plain values, strictly: bounded, no repeated key, no tag, keys that are texts or numbers.

YAML keeps the last of two equal keys and says nothing, which hides the commonest slip of a long
file. Aliases make a document of a few hundred characters stand for billions of values, tags build
objects, and brackets nest as deep as a file is long. So, before a value is made, on the nodes:

    size      at most `LARGEST` bytes
    depth     at most `DEEPEST` levels, counted while the document is read
    values    at most `VALUES`, each alias counted as all that it stands for
    scalars   numbers of at most `DIGITS` characters (some are computed with in quadratic time)
    tags      none, not even those of YAML itself: 1 is a number and "1" a text without them
    keys      texts, numbers and dates; each once in its mapping

References: YAML 1.1, sections 3.2.1 and 7.1 (aliases); C. Wheeler, "Billion laughs", 2003 for XML.
"""

from __future__ import annotations

from typing import Any

import yaml

from releo_da.types import InputError

LARGEST = 1 << 20
DEEPEST = 32
VALUES = 100_000
DIGITS = 400
PLAIN = {"str", "int", "float", "timestamp", "bool", "merge"}
"""What a key may be; ``on`` and ``yes`` are truth values in YAML and names to those who write them,
so they are left to whoever looks the key up."""

NUMBERS = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp")}


class _Loader(yaml.SafeLoader):
    """The safe loader, which stops at a level that is too deep and at a tag."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """One more level: the parser calls this for each value and, within it, for its parts."""
        event = self.peek_event()
        tag = getattr(event, "tag", None)
        if tag is not None and not isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem=f"the tag {tag[:60]!r} is refused; remove it", problem_mark=event.start_mark
            )
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.MarkedYAMLError(
                problem=f"nested more than {DEEPEST} levels deep", problem_mark=event.start_mark
            )
        node = super().compose_node(parent, index)  # type: ignore[arg-type]
        self.depth -= 1
        return node


def parse(text: str, where: str) -> Any:
    """YAML text as plain Python values, within the bounds of this module.

    Args:
        text: the document.
        where: its file, the beginning of messages.

    Raises:
        InputError: no valid YAML, a repeated key, a tag, or a bound is passed.
    """
    if len(text) > LARGEST:
        raise InputError(
            f"{where}: has more than {LARGEST:,} characters of YAML; keep what a configuration "
            "needs, and data in files of their own"
        )
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_many(node, where)
        _refuse_repeated(node, where, set())
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{where}{line}: not valid YAML: {error.problem}; correct it") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: not valid YAML: {error}; correct it") from None


def _refuse_many(root: yaml.Node, where: str) -> None:
    """Count the values, those behind an alias as often as it is used; each node is walked once."""
    counted: dict[int, int] = {}
    within: set[int] = set()

    def count(node: yaml.Node) -> int:
        if id(node) in within:
            raise InputError(
                f"{where}, line {node.start_mark.line + 1}: an alias stands for what it is part "
                "of; write the value out"
            )
        if id(node) not in counted:
            within.add(id(node))
            total = 1
            for child in _children(node):
                total += count(child)
                if total > VALUES:
                    raise InputError(
                        f"{where}, line {node.start_mark.line + 1}: holds more than {VALUES:,} "
                        "values, aliases counted as what they stand for; write fewer"
                    )
            within.discard(id(node))
            counted[id(node)] = total
        return counted[id(node)]

    count(root)


def _children(node: yaml.Node) -> list[yaml.Node]:
    """The nodes below a node, keys included."""
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _refuse_repeated(node: yaml.Node, where: str, visited: set[int]) -> None:
    """Walks the tree of nodes before it becomes values: afterwards the first entry is lost."""
    if id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        node.value.encode("utf-8")  # half of a pair is no character and can be written nowhere
    if isinstance(node, yaml.ScalarNode) and node.tag in NUMBERS and len(node.value) > DIGITS:
        raise InputError(
            f"{where}, line {node.start_mark.line + 1}: a number of {len(node.value):,} "
            "characters; shorten it, or put a text in quotes"
        )
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeated(child, where, visited)
    if isinstance(node, yaml.MappingNode):
        first: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag.rpartition(":")[2] not in PLAIN:
                raise InputError(
                    f"{where}, line {line}: a key that is no text; write names as keys, in quotes "
                    "where YAML would read something else"
                )
            _refuse_repeated(key, where, visited)
            _refuse_repeated(value, where, visited)
            if (key.tag, key.value) in first:
                raise InputError(
                    f"{where}, line {line}: key '{key.value}' appears twice (first on line "
                    f"{first[key.tag, key.value]}); keep one of them"
                )
            first[key.tag, key.value] = line
