"""Whether a run directory holds all that its ledger says, byte by byte; nothing is changed.

    ledger.sqlite    SQLite's own checks, and rows that fit together (`cycling.snapshot`)
    states/          of every current cycle whose state is kept: there, with the checksum of its row
    products/        of every current cycle: the same
    acquisitions/    every copy that is kept: its own checksum, and the identity in its name
    pixels.nc        the checksum beside it (`runs.axis`), and the pixels of the last state

A service may be at work. The rows are those of one instant, and the files are looked at after it:
what is not as it should be by then may have been given up or made again meanwhile. So whatever is
found wrong is looked up in the ledger once more, and counts only where the newer rows say the same
of the file and it is still wrong. Immutable files under names that are never used again make this
enough; a product that is made again is replaced in one step, and its row follows.

Cost: every file is read once, SHA-256 takes 0.5 to 3 seconds per gigabyte.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from releo_da.cycling.identity import identity
from releo_da.cycling.snapshot import Snapshot, contradictions, snapshot
from releo_da.io.acquisition_file import read_acquisition
from releo_da.io.atomic import checksum
from releo_da.io.state_rows import state_head
from releo_da.runs.accept import COPIES
from releo_da.runs.axis import PIXELS, SUMS, pixels_of, sums
from releo_da.runs.retention import PRODUCTS, STATES
from releo_da.runs.store import DIGITS, ids_of
from releo_da.types import InputError

LEDGER = "ledger.sqlite"
FOLDERS = (STATES, PRODUCTS, COPIES)
RESTORE = "restore it from a backup"
TOGETHER = f"restore {PIXELS} and {SUMS} from one backup"
AGAIN = (
    "restore it from a backup, or deliver the acquisitions again with another --out: "
    "the same files come out"
)

Check = Callable[[Path], str]
"""``check(path)``: what is wrong with a file, in words; nothing of a sound one."""


class Damage(NamedTuple):
    """Something that is not as the ledger says.

    Attributes:
        file: name from the run directory.
        problem: what is wrong.
        remedy: what to do.
    """

    file: str
    problem: str
    remedy: str


class Verified(NamedTuple):
    """What verifying a run directory found.

    Attributes:
        counts: acquisitions by status, ``cycles`` of the chain, ``checked`` files.
        damage: what is wrong.
        rests: files that a crash left behind or that are no longer needed; the next sweep that
            comes to its end removes or overwrites them.
        unknown: files of which the ledger knows nothing; they are left alone.
        notes: what could not be checked, and why.
    """

    counts: dict[str, int]
    damage: list[Damage]
    rests: list[str]
    unknown: list[str]
    notes: list[str]


def verify(root: Path) -> Verified:
    """Check a run directory; see above."""
    path = root / LEDGER
    try:
        held = snapshot(path)
        expected = _expected(root, held)
        wrong = {name for name, (check, _) in expected.items() if check(root / name)}
        rests, unknown = _others(root, held)
        if wrong or unknown:
            held = snapshot(path)
            expected = _expected(root, held)
            rests, unknown = _others(root, held)
    except InputError as error:
        problem, _, remedy = str(error).removeprefix(f"{path}: ").rpartition("; ")
        return Verified({}, [Damage(LEDGER, problem, remedy)], [], [], [])
    damage = [Damage(LEDGER, said, RESTORE) for said in contradictions(held)]
    for name in sorted(wrong & expected.keys()):
        check, remedy = expected[name]
        if said := check(root / name):
            damage.append(Damage(name, said, remedy))
    counts = {**held.counts, "cycles": len(held.chain), "checked": len(expected) + 1}
    return Verified(counts, damage, rests, unknown, _notes(root, PIXELS in expected))


def _expected(root: Path, held: Snapshot) -> dict[str, tuple[Check, str]]:
    """Files that have to be there, how each is checked, and the remedy."""
    found: dict[str, tuple[Check, str]] = {}
    for one in held.chain:
        found[one.product] = (_summed(one.product_sha256), AGAIN)
        if one.retained:
            found[one.state] = (_summed(one.sha256), AGAIN)
            found[PIXELS] = (partial(_axis_problem, root, root / one.state), TOGETHER)
    for name, row in held.acquisitions.items():
        if row.kept:
            found[f"{COPIES}/{name}.safetensors"] = (_copy_problem, RESTORE)
    return found


def _summed(sha256: str) -> Check:
    """A check of a file by its checksum."""

    def check(path: Path) -> str:
        try:
            return "" if checksum(path) == sha256 else "is not what was committed"
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"cannot be read ({error.strerror})"

    return check


def _copy_problem(path: Path) -> str:
    """What is wrong with the copy of an acquisition."""
    if not path.is_file():
        return "is missing"
    try:
        acquisition, pixels = read_acquisition(path)
    except InputError as error:
        return str(error).removeprefix(f"{path}: ").rpartition("; ")[0]
    same = identity(acquisition, ids_of(pixels)) == path.stem
    return "" if same else "holds another acquisition than its name says"


def _axis_problem(root: Path, state: Path, path: Path) -> str:
    """What is wrong with the pixel axis of a state."""
    if not path.is_file():
        return "is missing"
    try:
        known = sums(root)
    except InputError:
        return f"cannot be checked, as {SUMS} holds no checksum"
    if known is not None and checksum(path) not in known:
        return "is not what was committed"
    try:
        head = state_head(state)
    except InputError:  # told of the state
        return ""
    try:
        pixels_of(root, head)
    except InputError as error:
        return str(error).removeprefix(f"{path}: ").rpartition("; ")[0]
    return ""


def _notes(root: Path, needed: bool) -> list[str]:
    """What could not be checked of a run directory whose pixel axis is needed or not."""
    if not needed or (root / SUMS).is_file():
        return []
    return [
        f"{PIXELS}: no checksum of it is kept, as in a run of an earlier version, so that not "
        "every flipped bit of it is found; the next cycle notes one"
    ]


def _others(root: Path, held: Snapshot) -> tuple[list[str], list[str]]:
    """Names of files in the folders of the run that are not needed, and of those not known."""
    chain = held.chain
    needed = {one.product for one in chain} | {one.state for one in chain if one.retained}
    needed |= {f"{COPIES}/{n}.safetensors" for n, row in held.acquisitions.items() if row.kept}
    known = {one.state for one in held.cycles} | {one.product for one in held.cycles}
    known |= {f"{COPIES}/{name}.safetensors" for name in held.acquisitions}
    following = max((one.number for one in held.cycles), default=0) + 1
    known.add(f"{STATES}/{following:06d}.safetensors")  # its row was not written
    digits = {identity[:DIGITS] for identity in held.acquisitions}
    rests: list[str] = []
    unknown: list[str] = []
    for path in sorted(p for folder in FOLDERS for p in (root / folder).glob("*")):
        name = f"{path.parent.name}/{path.name}"
        if name in needed:
            continue
        begun = name.startswith(PRODUCTS) and path.stem.rpartition("_")[2] in digits
        left = begun or name in known or path.name.endswith(".tmp")
        (rests if left else unknown).append(name)
    rests += [path.name for path in sorted(root.glob(".*.tmp"))]
    return rests, unknown
