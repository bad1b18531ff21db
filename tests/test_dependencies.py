"""The direction in which things flow: who may import whom, checked on the source.

The table is that of docs/architecture.md. Imports are found by walking the syntax tree, so that
one inside a function or under TYPE_CHECKING counts as well.
"""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "releo_da"

# room -> the siblings it may import, besides itself and `types`
SIBLINGS: dict[str, set[str]] = {
    "types": set(),
    "strict_text": set(),
    "strict_yaml": set(),
    "strict_json": set(),
    "physics": set(),
    "sensors": {"strict_text", "strict_yaml"},
    "assimilation": set(),
    "state": set(),
    "observation": {"physics", "sensors", "state"},
    "dynamics": {"state"},
    "representation": {"state"},
    "cycling": {"assimilation", "strict_json"},
    "learning": {"cycling", "assimilation"},
    "io": {"sensors", "strict_json"},
    "diagnostics": set(),
    "nature": {"physics", "sensors", "state", "observation", "io"},
    "simulator": {"physics", "sensors", "observation", "state", "io"},
    "runs": {"cycling", "learning", "io", "diagnostics", "sensors", "state", "representation"},
    "config": {
        "physics", "sensors", "assimilation", "state", "observation", "dynamics", "representation",
        "cycling", "learning", "io", "diagnostics", "nature", "runs", "simulator", "strict_text",
        "strict_yaml", "strict_json",
    },
    "cli": {
        "physics", "sensors", "assimilation", "state", "observation", "dynamics", "representation",
        "cycling", "learning", "io", "diagnostics", "nature", "runs", "simulator", "config",
    },
}  # fmt: skip

# room -> what it may import from outside, where that is part of its promise
OUTSIDE: dict[str, set[str]] = {
    "types": {"torch"},
    "strict_text": set(),
    "strict_yaml": {"yaml"},
    "strict_json": set(),
    "physics": {"torch", "numpy"},
    "sensors": {"torch", "numpy"},
    "assimilation": {"torch", "numpy", "filterpy"},  # the last two for the reference scheme
    "cycling": {"torch"},
    "dynamics": {"torch"},
    "representation": {"torch"},
    "observation": {"torch", "numpy", "scipy"},
    "learning": {"torch"},
}

DISTRIBUTION = {"yaml": "pyyaml"}  # where the import has another name


def room_of(path: Path, package: Path = PACKAGE) -> str:
    """The room a file belongs to; the files at the top are rooms of their own."""
    return path.relative_to(package).with_suffix("").parts[0]


def imports(source: str, module: tuple[str, ...]) -> set[str]:
    """Dotted names that a source imports; relative ones are made absolute by `module`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = module[: len(module) - node.level] if node.level else ()
            start = ".".join((*base, *((node.module,) if node.module else ())))
            # What is named after `import` may be a room itself: from releo_da import physics.
            found |= {f"{start}.{alias.name}" for alias in node.names}
    return found


def violations(path: Path, package: Path = PACKAGE) -> list[str]:
    """One line for each import of a file that its room may not have."""
    parts = path.relative_to(package.parent).with_suffix("").parts
    room = room_of(path, package)
    bad = []
    for name in sorted(imports(path.read_text(encoding="utf-8"), parts)):
        first, *rest = name.split(".")
        if first == package.name:
            sibling = rest[0] if rest else ""
            allowed = sibling in SIBLINGS[room] | {room, "types", "__version__"}
        else:
            outside = first not in sys.stdlib_module_names and first != "__future__"
            allowed = not outside or room not in OUTSIDE or first in OUTSIDE[room]
        if not allowed:
            bad.append(f"{path.relative_to(package.parent)} imports {name}")
    return bad


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_room_is_in_the_table() -> None:
    assert {room_of(path) for path in FILES} <= set(SIBLINGS)
    assert len(FILES) > 1


@pytest.mark.parametrize("room", sorted(SIBLINGS))
def test_room_imports_only_what_it_may(room: str) -> None:
    files = [path for path in FILES if room_of(path) == room]
    assert [line for path in files for line in violations(path)] == []


def test_only_cli_imports_config() -> None:
    assert [room for room, may in SIBLINGS.items() if "config" in may] == ["cli"]


def test_the_table_has_no_ring() -> None:
    """Rooms can be put in an order in which each imports only earlier ones."""
    left = dict(SIBLINGS)
    while left:
        free = {room for room, may in left.items() if not may & set(left)}
        assert free, f"a ring among {sorted(left)}"
        left = {room: may for room, may in left.items() if room not in free}


def test_the_page_shows_this_table() -> None:
    """Each row of the table in docs/architecture.md names the rooms that SIBLINGS names."""
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", page, flags=re.MULTILINE))
    for room in set(SIBLINGS) - {"types", "config", "cli"}:
        assert set(re.findall(r"`(\w+)`", rows[room])) == SIBLINGS[room], room


def test_what_is_imported_is_declared() -> None:
    """Every package imported from outside is a dependency in pyproject.toml."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.split(r"[<>=]", entry)[0].lower() for entry in project["dependencies"]}
    imported = set()
    for path in FILES:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        firsts = {name.partition(".")[0] for name in imports(path.read_text("utf-8"), parts)}
        imported |= firsts - sys.stdlib_module_names - {PACKAGE.name, ""}
    assert {DISTRIBUTION.get(name, name.lower()) for name in imported} <= declared


@pytest.mark.parametrize(
    ("place", "source", "count"),
    [
        ("physics/sail.py", "import torch\nimport math\nfrom .prospect import x", 0),
        ("physics/sail.py", "from releo_da.types import InputError", 0),
        ("physics/sail.py", "from releo_da.state import variables", 1),
        ("physics/sail.py", "from releo_da import state", 1),
        ("physics/sail.py", "from ..state.prior import draw", 1),
        ("physics/sail.py", "import pandas as pd", 1),
        ("cycling/cycle.py", "def f():\n    import releo_da.config.document", 1),
        ("cycling/deep/er.py", "from ...io import points", 1),
        ("io/points.py", "import xarray\nfrom releo_da.sensors.sensor import Sensor", 0),
        ("io/archive.py", "from releo_da import __version__", 0),
    ],
)
def test_the_walk_sees_what_it_should(tmp_path: Path, place: str, source: str, count: int) -> None:
    package = tmp_path / "releo_da"
    path = package / place
    path.parent.mkdir(parents=True)
    path.write_text(source, encoding="utf-8")
    assert len(violations(path, package)) == count
