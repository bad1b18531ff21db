"""The documentation holds: blocks marked `<!-- test -->` run, names and links exist.

A marked python block runs after those before it on its page, in one namespace; a text block right
after it is what it prints, numbers within 2 % or a unit of the last digit. A marked console block
runs its lines that begin with `$ ./run` or `$ cat` and shows what they print in between.
"""

import contextlib
import importlib
import importlib.util
import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import typer
import yaml

from releo_da.cli import app, main
from releo_da.config.document import load

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
BLOCK = re.compile(
    r"^<!-- (?P<mark>[^>]+) -->\n```(?P<language>\w+)\n(?P<body>.*?)^```\n"
    r"(?:```text\n(?P<output>.*?)^```\n)?",
    flags=re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


class Block(NamedTuple):
    mark: str
    language: str
    body: str
    output: str | None


def blocks(text: str) -> list[Block]:
    fields = Block._fields
    return [Block(*match.group(*fields)) for match in BLOCK.finditer(text)]


def same(printed: str, shown: str) -> bool:
    """Equal up to blanks, and decimal numbers up to 2 % or one unit of the last digit shown."""
    words = [NUMBER.sub("#", text).split() for text in (printed, shown)]
    numbers = [NUMBER.findall(text) for text in (printed, shown)]
    return words[0] == words[1] and all(
        float(one) == pytest.approx(float(other), rel=0.02, abs=1.01 * unit(other))
        for one, other in zip(*numbers, strict=True)
    )


def unit(number: str) -> float:
    """One unit of the last digit of a decimal number as written."""
    digits, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))


def marked(page: Path) -> list[Block]:
    return [block for block in blocks(page.read_text("utf-8")) if block.mark == "test"]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run_python(block: Block, page: Path, namespace: dict[str, object]) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(block.body, str(page), "exec"), namespace)
    assert block.output is None or same(out.getvalue(), block.output), out.getvalue()


def said_by(line: str, arguments: list[str]) -> str:
    """What a command prints; in this process, as another takes as long to start as most to run."""
    out, err = io.StringIO(), io.StringIO()
    streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    with streams[0], streams[1], pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code, f"{line}\n{err.getvalue()}"
    return out.getvalue()


def run_console(block: Block, folder: Path) -> None:
    for session in re.split(r"^\$ ", block.body, flags=re.MULTILINE)[1:]:
        line, _, shown = session.partition("\n")
        program, *arguments = shlex.split(line)
        if program == "cat":
            printed = "".join((folder / name).read_text("utf-8") for name in arguments)
        else:
            assert program == "./run"
            printed = said_by(line, arguments)
        assert not shown.strip() or same(printed, shown), f"{line}\n{printed}"


@pytest.mark.parametrize("page", [page for page in PAGES if marked(page)], ids=name_of)
def test_blocks(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    namespace: dict[str, object] = {"__name__": "__main__"}
    with torch.random.fork_rng(), torch.set_grad_enabled(True):
        for block in marked(page):
            if block.language == "python":
                run_python(block, page, namespace)
            else:
                assert block.language == "console"
                run_console(block, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_names_exist(page: Path) -> None:
    """What is written as `releo_da.room.module.name` can be imported."""
    for dotted in sorted(set(re.findall(r"`(releo_da(?:\.\w+)+)`", page.read_text("utf-8")))):
        parts, thing = dotted.split("."), None
        for cut in range(len(parts), 0, -1):
            module = ".".join(parts[:cut])
            with contextlib.suppress(ModuleNotFoundError):
                thing = importlib.import_module(module)
                break
        for attribute in parts[cut:]:
            assert hasattr(thing, attribute), f"{name_of(page)} names {dotted}"
            thing = getattr(thing, attribute)


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name_of(page)} links to {link}"
        assert not anchor or anchor in anchors(target), f"{name_of(page)} links to {link}"


def test_every_page_is_in_the_navigation() -> None:
    def leaves(node: object) -> list[str]:
        if isinstance(node, str):
            return [node]
        children = node.values() if isinstance(node, dict) else node
        return [leaf for child in children for leaf in leaves(child)]

    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    written = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert sorted(leaves(navigation)) == sorted(written)


def test_the_machinery_sees_blocks() -> None:
    page = "x\n<!-- test -->\n```python\nprint(1.0)\n```\n```text\n1.01\n```\n\n```python\n0\n```\n"
    assert blocks(page) == [Block("test", "python", "print(1.0)\n", "1.01\n")]
    assert same("a 1.0", "a  1.1")
    assert same("a 1.00", "a 1.02")
    assert not same("a 1.0", "a 1.2")
    assert not same("a 1.00", "a 1.03")
    assert not same("a 1.0", "b 1.0")


def test_the_page_of_commands_has_them_all() -> None:
    page = (DOCS / "commands.md").read_text("utf-8")
    shown = re.findall(r"^\| `(\w+)[^|]*\|", page, flags=re.MULTILINE)
    assert sorted(shown) == sorted(typer.main.get_command(app).commands)


def write_example(mark: str, folder: Path, name: str = "configuration.md") -> Path:
    """The marked configuration of a page as a file."""
    page = (DOCS / name).read_text("utf-8")
    found = [block.body for block in blocks(page) if block.mark == mark]
    assert len(found) == 1
    path = folder / "config.yaml"
    path.write_text(found[0], encoding="utf-8")
    return path


def test_the_point_example_is_a_valid_document(tmp_path: Path, data_root: Path) -> None:
    document = load(write_example("config: point", tmp_path))
    assert document.values["analyse"][1] == {"name": "relaxed", "factor": 0.3}
    places = (document.values["source"][0]["path"], document.values["score"]["in_situ"]["path"])
    assert all(document.resolve(path).is_relative_to(data_root) for path in places)


@pytest.mark.slow
def test_the_point_example_runs(
    tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELEO_DATA", str(data_root))
    config = write_example("config: point", tmp_path)
    with pytest.raises(SystemExit) as done:
        main(["hindcast", str(config), "--out", str(tmp_path / "run"), "--quiet"])
    assert done.value.code == 0
    scores = json.loads((tmp_path / "run" / "scores.json").read_text("utf-8"))
    assert 0.0 < scores["smoothed"]["ndvi"]["rmse"] < 0.3


@pytest.mark.parametrize(
    "settings",
    [
        ("source.twin.steps=40", "score.burn_in=1.0"),
        pytest.param((), marks=pytest.mark.slow),
    ],
    ids=["short", "as written"],
)
def test_the_benchmark_example_runs(tmp_path: Path, settings: tuple[str, ...]) -> None:
    config = write_example("config: benchmark", tmp_path)
    options = [word for setting in settings for word in ("--set", setting)]
    with pytest.raises(SystemExit) as done:
        main(["twin", str(config), "--out", str(tmp_path / "run"), "--quiet", *options])
    assert done.value.code == 0
    scores = json.loads((tmp_path / "run" / "scores.json").read_text("utf-8"))
    row = scores["analysis"]["state"]
    assert 0.0 < row["rmse"] < 0.5
    if not settings:  # published: 0.18
        assert row["rmse"] == pytest.approx(0.18, rel=0.15)
        assert row["n"] == 40 * 601


def test_the_twin_example_runs(tmp_path: Path) -> None:
    """As written but for its size: the map, the members and the period are smaller."""
    config = write_example("config: nature", tmp_path, "how-to/twin.md")
    few = ("source.twin.pixels=[4, 6]", "members=8", "period=[2023-05-01, 2023-06-15]")
    options = [word for setting in few for word in ("--set", setting)]
    with pytest.raises(SystemExit) as done:
        main(["twin", str(config), "--out", str(tmp_path / "run"), "--quiet", *options])
    assert done.value.code == 0
    scores = json.loads((tmp_path / "run" / "scores.json").read_text("utf-8"))
    assert scores["analysis"]["lai"]["rmse"] < scores["free_run"]["lai"]["rmse"]
    assert scores["smoothed"]["lai"]["n"] == scores["analysis"]["lai"]["n"]


@pytest.mark.slow
def test_strict_build(tmp_path: Path) -> None:
    if not importlib.util.find_spec("mkdocs"):
        pytest.skip("mkdocs is not installed: ./run docs installs it")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
