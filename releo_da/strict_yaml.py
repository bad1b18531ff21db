"""YAML as plain values, strictly: no repeated key, no tag that builds an object.

YAML keeps the last of two equal keys and says nothing, which hides the commonest slip of a long
file. Repeated keys are found on the tree of nodes, before it becomes values.
"""

from __future__ import annotations

from typing import Any

import yaml

from releo_da.types import InputError


def parse(text: str, where: str) -> Any:
    """YAML text as plain Python values, refusing repeated keys.

    Args:
        text: the document.
        where: its file, the beginning of messages.

    Raises:
        InputError: no valid YAML, a repeated key, or a tag that would build an object.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_repeated(node, where, set())
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{where}{line}: not valid YAML: {error.problem}; correct it") from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: not valid YAML: {error}; correct it") from None


def _refuse_repeated(node: yaml.Node, where: str, visited: set[int]) -> None:
    """Walks the tree of nodes before it becomes values: afterwards the first entry is lost."""
    if id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeated(child, where, visited)
    if isinstance(node, yaml.MappingNode):
        first: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            _refuse_repeated(value, where, visited)
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if (key.tag, key.value) in first:
                raise InputError(
                    f"{where}, line {line}: key '{key.value}' appears twice (first on line "
                    f"{first[key.tag, key.value]}); keep one of them"
                )
            first[key.tag, key.value] = line
