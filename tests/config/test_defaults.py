"""The page of defaults holds what the signatures hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from releo_da.config.commands import MAKERS
from releo_da.config.emulation import emulation
from releo_da.config.encoder_section import encoding
from releo_da.config.forecasters import FORECASTERS
from releo_da.config.hindcast import MEMBERS, SEED
from releo_da.config.initial import INITIALS
from releo_da.config.natures import NATURES
from releo_da.config.observing import OPERATORS
from releo_da.config.registry import Function, Option, options_of
from releo_da.config.retrieving import retrieving
from releo_da.config.schemes import SCHEMES, SMOOTHERS
from releo_da.config.sections import products, score
from releo_da.config.train_section import train
from releo_da.config.twin_errors import clouds, instrument
from releo_da.config.twin_source import twin_source
from releo_da.config.values import expressible
from releo_da.learning.gaps import Gaps
from releo_da.learning.hiding import Hiding

PAGE = Path(__file__).resolve().parents[2] / "docs" / "defaults.md"


def shown(option: Option) -> str:
    """``factor: 0.5``; an option without a default by its name alone."""
    if option.required:
        return f"`{option.name}` (must be given)"
    endless = {float("inf"): ".inf", float("-inf"): "-.inf"}
    value = option.default
    if isinstance(value, float):
        value = endless.get(value, value)
    if isinstance(value, Mapping | tuple | list):
        value = json.loads(json.dumps(value))
    text = "none" if value is None else str(value).replace("'", "").replace("\n", " ")
    return f"`{option.name}: {text}`"


def line(name: str, function: Function, hidden: set[str]) -> str:
    """A row: the name, and its options as they are when left out."""
    held = [o for o in options_of(function, hidden).values() if expressible(o.wanted)]
    return f"| `{name}` | {', '.join(map(shown, held)) or 'no options'} |"


def rows() -> dict[str, list[str]]:
    """Rows of every table of the page, by its heading."""
    registries = {
        "analyse": SCHEMES,
        "smooth": SMOOTHERS,
        "forecast": FORECASTERS,
        "forecast.initial": INITIALS,
        "observe": OPERATORS,
        "source.twin.nature": NATURES,
    }
    found = {
        key: [line(name, function, held.hidden) for name, function in held.entries.items()]
        for key, held in registries.items()
    }
    alone = {
        "score": score,
        "products": products,
        "source.twin": twin_source,
        "source.twin.cloud": clouds,
        "source.twin.instrument": instrument,
        "train.gaps": Gaps,
        "train.hiding": Hiding,
    }
    trainings = {"dynamics": train, "emulator": emulation, "encoder": encoding}
    trainings["retrieval"] = retrieving
    assert trainings.keys() - {"dynamics"} == MAKERS.keys()
    found["train"] = [line(name, function, {"target"}) for name, function in trainings.items()]
    found["sections"] = [line(key, function, set()) for key, function in alone.items()]
    return found


def test_the_page_of_defaults_is_that_of_the_signatures() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for key, expected in rows().items():
        part = text.split(f"\n## {key}\n", 1)[1].split("\n## ", 1)[0]
        told = [row for row in part.splitlines() if row.startswith("| `")]
        assert told == expected, key
    assert f"`seed: {SEED}`" in text and f"`members: {MEMBERS}`" in text
