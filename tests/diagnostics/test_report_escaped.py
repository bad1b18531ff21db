"""Whatever files and configurations are called, the report shows it as text."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from releo_da.diagnostics.picture import Picture
from releo_da.diagnostics.report import SECTIONS, render, write_report
from releo_da.diagnostics.tables import tables

HOSTILE = (
    "</pre></script><script>alert('1')</script>"
    """"><img src=x onerror="alert(1)">' {{ 7*7 }} {% raw %} &"""
)


class Seen(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def harmless(page: str) -> Seen:
    """The page, in which nothing runs and nothing is fetched."""
    seen = Seen()
    seen.feed(page)
    for tag, attributes in seen.tags:
        assert tag not in ("script", "iframe", "object", "embed", "link", "base", "form"), tag
        assert not any(name.startswith("on") for name in attributes), attributes
        for name in ("src", "href"):
            value = attributes.get(name) or ""
            assert not value or value.startswith(("data:image/png;base64,", "#")), value
    return seen


def picture(text: str) -> dict[str, Any]:
    return {"name": text, "title": text, "caption": text, "data": "AAAA"}


ROW = {"rmse": 0.1, "bias": 0.0, "crps": 0.05, "spread": 0.1, "coverage_90": 0.9, "n": 3, "r2": 0.5}


def test_every_field_of_the_page_is_escaped() -> None:
    content = {
        "title": HOSTILE,
        "summary": [HOSTILE],
        "run": {HOSTILE: HOSTILE, "seed": 1},
        "data": {HOSTILE: HOSTILE},
        "warnings": [HOSTILE],
        "noted": HOSTILE,
        "scores": {"analysis": {HOSTILE: ROW}, "background": {HOSTILE: ROW}},
        "config": HOSTILE,
    }
    seen = harmless(render(content, [picture(HOSTILE)]))
    whole = "".join(seen.text)
    assert whole.count("<script>alert('1')</script>") >= 8
    assert whole.count("{{ 7*7 }} {% raw %}") >= 8, "a text was taken for a template"
    assert set(SECTIONS) <= {a.get("id") for _, a in seen.tags}


def test_tables_of_hostile_scores_are_escaped() -> None:
    scores = {
        "analysis": {HOSTILE: ROW},
        "in_situ": {HOSTILE: {"analysis": ROW, "smoothed": ROW}},
        "forecast": {"5-10": {HOSTILE: ROW}},
        "rejected": {HOSTILE: 3},
    }
    made = tables(scores)
    assert made
    harmless(render({"tables": made, "title": "t"}))


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "a/b"])
def test_a_figure_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "figures").mkdir()
    with pytest.raises(ValueError, match="name of a figure"):
        write_report(tmp_path / "run", {}, [Picture(name, "t", "c", Figure())])
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
