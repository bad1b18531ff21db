"""Follow the branches of a parser with changing contents, for as long as is asked.

    pip install 'releo-da[fuzz]'
    python -m tests.fuzz.run --seconds 60 yaml json sensor_rows     # or no name: all of them

Each target runs in a process of its own by atheris (libFuzzer), with the Python of this package
instrumented, from the sound contents of `tests/fuzz/targets.py`. Contents that raise anything but
InputError, take longer than 20 s or more than 4 GiB are findings: they are kept under
``fuzz-findings/<target>/``, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

SLOWEST, MEGABYTES = 20, 4096


def one(name: str, folder: Path, options: list[str]) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["releo_da", "yaml"]):
        from releo_da.types import InputError
        from tests.fuzz.targets import TARGETS

    warnings.simplefilter("ignore")
    work = Path(tempfile.mkdtemp(dir=folder))

    def tried(data: bytes) -> None:
        for left in work.iterdir():
            if left.is_file():
                left.unlink()
        try:
            TARGETS[name].read(work, data)
        except InputError:
            return

    atheris.Setup([sys.argv[0], *options], tried)
    atheris.Fuzz()


def run(name: str, seconds: int, findings: Path) -> bool:
    """Fuzz one target in a new process; whether nothing was found."""
    from tests.fuzz.targets import TARGETS

    kept = findings / name
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus, work = Path(folder, "corpus"), Path(folder, "work")
        corpus.mkdir()
        work.mkdir()
        for number, data in enumerate(TARGETS[name].seeds(work)):
            (corpus / str(number)).write_bytes(data)
        options = [
            f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MEGABYTES}",
            f"-artifact_prefix={kept}/", "-max_len=65536", "-print_final_stats=1", str(corpus),
        ]  # fmt: skip
        command = [sys.executable, "-m", "tests.fuzz.run", "--one", name, str(work), *options]
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace")
    count = re.findall(r"number_of_executed_units: *(\d+)", ended.stderr)
    branches = re.findall(r" cov: (\d+)", ended.stderr)
    found = sorted(path.name for path in kept.iterdir())
    done, seen = (numbers[-1] if numbers else "?" for numbers in (count, branches))
    print(
        f"{name:16} {done:>9} executions, {seen} branches, {len(found)} findings",
        flush=True,
    )
    if ended.returncode or found:
        print(ended.stderr[-2000:])
    return ended.returncode == 0 and not found


def main() -> int:
    """All targets that the command line names."""
    from tests.fuzz.targets import TARGETS

    reading = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    reading.add_argument("names", nargs="*", help=f"of {', '.join(TARGETS)}")
    reading.add_argument("--seconds", type=int, default=60, help="for each target")
    reading.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    given = reading.parse_args()
    unknown = [name for name in given.names if name not in TARGETS]
    if unknown:
        reading.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    sound = [run(name, given.seconds, given.findings) for name in given.names or TARGETS]
    return 0 if all(sound) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    else:
        sys.exit(main())
