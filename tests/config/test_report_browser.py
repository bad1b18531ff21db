"""The report of a twin in headless Chromium: as wide as its window, every image drawn.

The page gets a script that writes its measures into an attribute, and the browser prints the page
as it is after that; reports themselves have no script.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from releo_da.config import twin as twins
from releo_da.config.document import load
from releo_da.config.options import Options

pytestmark = pytest.mark.painted

CONFIG = """
seed: 3
members: 8
period: [2023-05-01, 2023-06-15]
source:
  twin:
    pixels: [4, 6]
    cloud: 0.3
    satellites: [{sensor: sentinel2a, channels: [B03, B04, B08, B11], every_days: 6}]
state: {name: prosail, fixed: {n: 1.5, car: 8.0, cbrown: 0.0, cm: 0.005, hspot: 0.2}}
forecast: {name: mean_reverting}
analyse: [{name: etkf}]
smooth: {name: rts}
score: {horizons: [10]}
products: {variables: [lai, ndvi], every_days: 10}
"""
MEASURE = """<script>window.addEventListener("load", () => {
const frame = document.createElement("iframe");
frame.style.cssText = "width: WIDTHpx; height: 900px; border: 0; position: absolute";
frame.onload = () => { const d = frame.contentDocument, images = [...d.images];
document.body.setAttribute("data-measured", [d.documentElement.scrollWidth, images.length,
images.filter(i => i.complete && i.naturalWidth > 0 &&
  (i.closest("figure") || i).clientWidth <= WIDTH).length].join(" ")); };
document.body.appendChild(frame); frame.srcdoc = document.getElementById("page").textContent;
});</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("browser")
    path = folder / "config.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    report = twins.command(load(path), Options(out=folder / "run", quiet=True), workers=1)
    return report.read_text(encoding="utf-8")


def test_a_report_fetches_nothing_and_has_no_script(page: str) -> None:
    sources = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s)>]{1,40})""", page)
    assert sources and all(one.startswith(("#", "data:image/png")) for one in sources)
    assert "<script" not in page and "@import" not in page


def test_a_twin_report_has_its_sections(page: str) -> None:
    assert page.index("Does assimilation pay?") < page.index("What was run")
    for part in ("Where it was clear", "Calibration of the analysis", "Channels of sentinel2a"):
        assert part in page, part
    for figure in ("retrieval", "ranks", "reliability", "spread_skill", "impact", "departures",
                   "map_lai", "hovmoeller_lai", "skill_forecast_lai"):  # fmt: skip
        assert f'<figure id="{figure}">' in page, figure


@pytest.mark.parametrize("width", [1280, 400])
def test_a_report_fits_its_window_and_shows_every_image(
    page: str, width: int, tmp_path: Path
) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no chromium on this machine")
    held = page.replace("</script", "<\\/script")
    holder = tmp_path / "holder.html"
    holder.write_text(
        f'<body><script type="text/plain" id="page">{held}</script>'
        + MEASURE.replace("WIDTH", str(width)),
        encoding="utf-8",
    )
    told = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run", "--dump-dom",
         "--virtual-time-budget=20000", f"--user-data-dir={tmp_path / 'profile'}",
         holder.as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    ).stdout  # fmt: skip
    found = re.search(r'data-measured="(\d+) (\d+) (\d+)"', told)
    assert found is not None, "the page was not measured"
    across, images, drawn = map(int, found.groups())
    assert across <= width, f"the page is {across} pixels wide in a window of {width}"
    assert images == drawn == page.count("<img ")
