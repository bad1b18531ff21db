"""Where a cycling run stands, from its ledger: for people as lines, for programs as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from releo_da.config.health import line, run_rules, standing
from releo_da.config.last_call import gone, last_call
from releo_da.config.last_call import line as call_line
from releo_da.config.report import LEDGER
from releo_da.cycling.ledger import Ledger
from releo_da.cycling.records import DUPLICATE, FAILED, LATE, REPLACED, WAITING
from releo_da.io.times import today
from releo_da.runs import axis
from releo_da.runs.store import DIGITS, last_state, named, refuse_lost
from releo_da.types import InputError

LABELS = {
    "cycles": "cycles",
    "files": "files read",
    "refused": "files refused",
    "gone": "files refused that have left the inbox since",
    "known": "acquisitions that had arrived before",
    "waiting": "waiting",
    "undone": "cycles undone for what came late or corrected",
    "duplicate": "duplicates",
    "replaced": "replaced",
    "late": "late",
    "failed": "set aside, as their assimilation failed",
    "unclear": "without a clear pixel",
}
"""Words for the counts of a ledger."""

ACQUISITION = "{time} {sensor} {product} ({file}) {digits}"
"""How an acquisition is told; the digits are those of its content, as in the name of a product."""

SHOWN = 12
"""Names of one kind that are written as lines, the latest."""


def status(root: Path) -> dict[str, Any]:
    """Where a run stands, as plain values.

    ``counts`` by the names of `LABELS`; ``last``, the last cycle, or None; ``waiting``,
    acquisitions to be assimilated; and what was left out: ``duplicate``, ``replaced``, ``late`` and
    ``failed`` acquisitions in the order of all with the reason, ``unclear`` products, ``refused``
    files with their errors, when they were ``read``, and whether they are ``gone`` from the inbox;
    those that are count as gone and not as refused.

    ``alarms``, those that stand, by the clock of the acquisitions and by today's; ``call``, how the
    last call ended (`releo_da.config.last_call`); ``age_days``, from the last acquisition to today;
    ``damaged``, why the last state cannot be resumed from, or None. Its file and that of the pixel
    axis are read once.

    Raises:
        InputError: the directory holds no ledger.
    """
    if not (root / LEDGER).is_file():
        raise InputError(f"{root}: holds no {LEDGER}, so no cycling run; give its run directory")
    with Ledger(root / LEDGER, reads=True) as ledger:
        last = ledger.last()
        found: dict[str, Any] = {"counts": ledger.counts(), "last": None}
        found |= {"call": last_call(root), "age_days": None, "damaged": damaged(root, ledger)}
        if last is not None:
            found["last"] = {
                **_told(last.arrival),
                "state": str(root / last.state),
                "diverged": last.scores["diverged"],
            }
            found["age_days"] = round(today() - last.arrival.time, 2)
        found["alarms"] = standing(ledger, run_rules(root), root)
        for status in (WAITING, DUPLICATE, REPLACED, LATE, FAILED):
            listed = ledger.queue.listed(status)
            found[status] = [{**_told(one.arrival), "reason": one.reason} for one in listed]
        found["unclear"] = [{"product": p, "file": file} for p, file in ledger.files.unclear()]
        at = ledger.files.refused_at()
        found["refused"] = [
            {"file": name, "error": error, "read": at[name], "gone": gone(found["call"], name)}
            for name, error in ledger.files.refused().items()
        ]
        found["counts"]["gone"] = sum(one["gone"] for one in found["refused"])
        found["counts"]["refused"] -= found["counts"]["gone"]
    return found


def damaged(root: Path, ledger: Ledger) -> str | None:
    """Why the last state cannot be resumed from, or None; a service may commit meanwhile."""
    last = ledger.last()
    try:
        refuse_lost(root, ledger)
        last_state(root, ledger)
        axis.check(root)
    except InputError as error:
        with Ledger(root / LEDGER, reads=True) as newer:
            now = newer.last()
            if now is not None and (last is None or now.number != last.number):
                return damaged(root, newer)  # it was given up since its row was read
        return str(error)
    return None


def _told(arrival: Any) -> dict[str, str]:
    """An acquisition as it is named to people: time, sensor, product, file, digits."""
    told = named(arrival)
    return told | {"digits": told.pop("identity")[:DIGITS]}


def call_lines(found: dict[str, Any]) -> list[str]:
    """How old the last acquisition is, and how the last call ended."""
    told = []
    if found["age_days"] is not None:
        told.append(f"age of the last acquisition today: {found['age_days']:.1f} days")
    return told + ([call_line(found["call"])] if found["call"] else [])


def left_since(one: dict[str, Any]) -> str:
    """What is added of a file: when it was read, and that it is no longer in the inbox."""
    read = f"; read {one['read']}" if "read" in one else ""
    return read + ("; gone from the inbox" if one.get("gone") else "")


def lines(found: dict[str, Any]) -> list[str]:
    """The same as lines; of long lists the latest, and how many there are."""
    told = [f"{label}: {found['counts'][name]}" for name, label in LABELS.items()]
    last = found["last"]
    if last is not None:
        told += [
            f"last acquisition: {last['time']} {last['sensor']}",
            f"product: {last['product']}",
            f"state: {last['state']}",
            f"pixels that diverged then, and were recovered: {last['diverged']}",
        ]
    told += call_lines(found)
    if found["damaged"]:
        told.append(f"DAMAGED: {found['damaged']}")
    told += [line(one) for one in found["alarms"]]
    for kind, words in {
        **dict.fromkeys((WAITING, DUPLICATE, REPLACED, LATE, FAILED), ACQUISITION),
        "unclear": "{product} ({file})",
        "refused": "{file}: {error}",
    }.items():
        texts = [f"{kind}: {words.format(**one)}{left_since(one)}" for one in found[kind]]
        if len(texts) > SHOWN:
            told.append(f"{kind}: {len(texts)} in all, --json lists them; the last {SHOWN}:")
        told += texts[-SHOWN:]
    return told
