"""No file can make this package run code: what would allow it does not occur in the sources.

The syntax tree is walked, so that a word in a docstring does not count and an import within a
function does.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted([*(ROOT / "releo_da").rglob("*.py"), *(ROOT / "experiments").rglob("*.py")])

MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
"""Modules that make objects of any class from bytes."""

CALLS = {"eval", "exec", "compile", "__import__"}
"""Functions of Python that run text."""

METHODS = {
    ("torch", "load"), ("torch", "save"), ("torch.jit", "load"), ("os", "system"), ("os", "popen"),
    ("yaml", "load"), ("yaml", "full_load"), ("yaml", "unsafe_load"), ("yaml", "load_all"),
    ("pd", "read_pickle"), ("pandas", "read_pickle"), ("pd", "eval"), ("pandas", "eval"),
}  # fmt: skip
LOADERS = {"Loader", "FullLoader", "UnsafeLoader", "CLoader", "CUnsafeLoader"}
KEYWORDS = {"allow_pickle", "shell"}
"""Arguments that may only be given as False."""


def dotted(node: ast.AST) -> str:
    """``torch.load`` of a name with attributes, or nothing."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(source: str) -> list[str]:
    """What a source holds that could run code from a file, with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names if a.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [module] if module.partition(".")[0] in MODULES else []
            names += [
                f"{module}.{a.name}" for a in node.names if (module, a.name) in METHODS | {
                    ("torch.serialization", "load"), ("subprocess", "getoutput"),
                    ("subprocess", "getstatusoutput")}
            ]  # fmt: skip
        elif isinstance(node, ast.Call):
            called = dotted(node.func)
            before, _, name = called.rpartition(".")
            if called in CALLS or (before, name) in METHODS or name == "read_pickle":
                names = [called]
            names += [
                f"{k.arg}="
                for k in node.keywords
                if k.arg in KEYWORDS
                and not (isinstance(k.value, ast.Constant) and k.value.value is False)
            ]
            if (before, name) in {("np", "load"), ("numpy", "load")}:
                names = [called]
        elif isinstance(node, ast.Attribute) and dotted(node.value) == "yaml":
            names = [node.attr] if node.attr in LOADERS else []
        found += [f"line {getattr(node, 'lineno', 0)}: {name}" for name in names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_source_runs_code_of_a_file(path: Path) -> None:
    assert dangers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("import pickle", 1),
        ("def f():\n    from pickle import loads", 1),
        ("import torch\ntorch.load('x')", 1),
        ("from torch import load", 1),
        ("np.load('x', allow_pickle=True)", 1),
        ("store.open('x', allow_pickle=True)", 1),
        ("store.open('x', allow_pickle=flag)", 1),
        ("store.open('x', allow_pickle=False)", 0),
        ("subprocess.run('x', shell=True)", 1),
        ("subprocess.run(['x'], shell=False)", 0),
        ("yaml.load(text, yaml.Loader)", 2),
        ("yaml.SafeLoader(text)", 0),
        ("eval('1')", 1),
        ("model.eval()", 0),
        ("re.compile('x')", 0),
        ("exec(text)", 1),
        ("import os\nos.system('x')", 1),
        ("pd.read_pickle('x')", 1),
        ("'''pickle, eval(x)'''", 0),
    ],
)
def test_the_walk_sees_what_it_should(source: str, count: int) -> None:
    assert len(dangers(source)) == count
