"""The command line: reads arguments, hands them to `releo_da.config`, and decides the exit status.

    0  done
    1  a defect of the program, with its traceback
    2  the input or the configuration is wrong: one message that names the place and the remedy
   74  the disk is full, fails or cannot be written (sysexits.h): a later call goes on from there
   75  another process holds the run directory (the temporary failure of sysexits.h)
  130  interrupted; 143 the same by SIGTERM, of one pass of ``cycle`` after its cycle under way

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import errno
import functools
import sqlite3
import sys
from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from releo_da.config.options import Options

app = typer.Typer(
    name="releo-da",
    help="Data assimilation for land-surface monitoring from optical satellites.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES)
ROOM = "see to the disk, then call again: what was committed is there, the rest is made again"


class Device(StrEnum):
    """Where tensors live."""

    cpu = "cpu"
    cuda = "cuda"
    auto = "auto"


class Factor(StrEnum):
    """Reflectance factors of the simulator."""

    sdr = "sdr"
    bhr = "bhr"
    dhr = "dhr"
    hdr = "hdr"


class Leaf(StrEnum):
    """Leaf models of the simulator."""

    prospect_d = "prospect_d"
    prospect_5 = "prospect_5"


Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="Configuration, a YAML file.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run.")]


def _options(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Directory to write to."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.SUB=VALUE", help="Override a key; repeatable."),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where to compute.")] = Device.cpu,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of all random numbers.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no tables.")] = False,
) -> Options:
    """What every run command takes."""
    from releo_da.config.options import Options

    if out is not None and out.is_file():
        from releo_da.types import InputError

        raise InputError(f"--out: {out} is a file; give a directory, which is made if missing")
    return Options(out, tuple(overrides or ()), device.value, seed, quiet)


def with_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a command whose argument ``options`` is given as common options.

    Args:
        names: of the options that the command heeds; all unless given.
    """

    def register(command: Callable[..., Any]) -> Callable[..., Any]:
        own = signature(command, eval_str=True, globals={**globals(), "Options": Any})
        every = signature(_options, eval_str=True, globals={**globals(), "Options": Any}).parameters
        common = {name: every[name] for name in names or every}

        @functools.wraps(command)
        def run(**arguments: Any) -> None:
            options = _options(**{name: arguments.pop(name) for name in common})
            status = command(**arguments, options=options)
            if status:
                raise typer.Exit(status)

        parameters = [p for p in own.parameters.values() if p.name != "options"]
        parameters += common.values()
        keyword = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in parameters]
        run.__signature__ = Signature(keyword)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in keyword}
        return app.command()(run)

    return register


run_command = with_options()
"""Registers a command that heeds all common options."""


@run_command
def demo(options: Options) -> int | None:
    """Hindcast of a small series that comes with the package; needs no file."""
    from releo_da.config import commands

    return commands.demo(options)


@run_command
def twin(
    config: Config,
    options: Options,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; one per core where the landscape is large enough."),
    ] = None,
) -> int | None:
    """Nature run, simulated acquisitions, assimilation, scores against the truth."""
    from releo_da.config import commands

    return commands.twin(config, options, workers)


@run_command
def hindcast(config: Config, options: Options) -> int | None:
    """Analyse and smooth archived acquisitions, with scores against what was withheld."""
    from releo_da.config import commands

    return commands.hindcast(config, options)


@run_command
def embed(config: Config, options: Options) -> int | None:
    """Embeddings of a series, and variables of the surface without dynamics, as a data set."""
    from releo_da.config import commands

    return commands.embed(config, options)


@run_command
def inspect(config: Config, options: Options) -> int | None:
    """Read everything a run would read and report what was found, without running."""
    from releo_da.config import commands

    return commands.inspect(config, options)


@run_command
def cycle(
    config: Config,
    options: Options,
    once: Annotated[bool, typer.Option("--once", help="One pass over what arrived.")] = False,
) -> int | None:
    """Assimilate what arrived since the last cycle, resuming from the last state."""
    from releo_da.config import commands

    return commands.cycle(config, options, once)


@run_command
def forecast(
    run: Run,
    until: Annotated[
        datetime,
        typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="Last day, YYYY-MM-DD."),
    ],
    options: Options,
    weather: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A scenario: daily weather after the run's last state."),
    ] = None,
) -> int | None:
    """Ensemble forecast from the last state of a run."""
    from releo_da.config import commands

    day: date = until.date()
    return commands.forecast(run, day, options, weather)


@run_command
def train(config: Config, options: Options) -> int | None:
    """Fit dynamics and errors by the likelihood of observations through the filter."""
    from releo_da.config import commands

    return commands.train(config, options)


@run_command
def experiment(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Folder under experiments/.")],
    options: Options,
) -> int | None:
    """Regenerate the table of an experiment: all folds, offsets and seeds."""
    from releo_da.config import commands

    return commands.experiment(name, options)


@with_options("quiet")
def plot(run: Run, options: Options) -> int | None:
    """Redraw the figures and the report of a finished run."""
    from releo_da.config import commands

    return commands.plot(run, options)


@with_options("out", "seed", "quiet")
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN ...", help="Directories of finished runs.")
    ],
    options: Options,
) -> int | None:
    """Put finished runs in one report: scores, paired differences, overlaid curves."""
    from releo_da.config import commands

    return commands.compare(tuple(runs), options)


@app.command()
def status(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Where a cycling run stands: last cycle, what was left out and why."""
    from releo_da.config import commands

    status = commands.status(run, as_json)
    if status:
        raise typer.Exit(status)


@app.command()
def verify(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Check every file of a cycling run against its ledger; changes nothing."""
    from releo_da.config import commands

    status = commands.verify(run, as_json)
    if status:
        raise typer.Exit(status)


@with_options("quiet")
def benchmark(
    options: Options,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the figures as JSON.")
    ] = None,
) -> int | None:
    """Speed of each part beside its peers."""
    from releo_da.config import commands

    return commands.benchmark(options, output)


@app.command()
def simulate(
    table: Annotated[
        Path, typer.Option("--input", metavar="CSV", help="One row of variables per spectrum.")
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Result; standard output if not given.")
    ] = None,
    sensor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name or file of the sensor to simulate.")
    ] = None,
    spectrum: Annotated[
        bool, typer.Option("--spectrum", help="400 ... 2500 nm instead of a sensor's channels.")
    ] = False,
    derived: Annotated[
        bool, typer.Option("--derived", help="Add the columns fapar, fcover and albedo.")
    ] = False,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Add a derived variable or an index; repeatable."),
    ] = None,
    leaf: Annotated[
        Leaf, typer.Option(help="Leaf model; prospect_5 knows no anthocyanins.")
    ] = Leaf.prospect_d,
    soil: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Soil spectra: wavelength, dry and perhaps wet."),
    ] = None,
    factor: Annotated[
        Factor,
        typer.Option(help="What a sensor sees (sdr), black-sky (dhr) or white-sky albedo (bhr)."),
    ] = Factor.sdr,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Simulate reflectances of a table of canopies, one row in, one row out."""
    from releo_da.config.simulate import DERIVED, simulate_table

    names = dict.fromkeys((*(DERIVED if derived else ()), *(also or ())))
    simulate_table(
        table, output, sensor, spectrum, tuple(names), quiet, leaf.value, soil, factor.value
    )


@app.command()
def sensors(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name or file of one sensor to show.")
    ] = None,
) -> None:
    """The catalogue of sensors; channels, centres, widths and noise of one sensor."""
    from releo_da.config.catalogue import show_sensor, show_sensors
    from releo_da.config.sensor_paths import sensor_at

    if name is None:
        show_sensors()
    else:
        show_sensor(sensor_at(name))


@app.command()
def variables() -> None:
    """State variables with their units, bounds and priors."""
    from releo_da.config.catalogue import show_variables

    show_variables()


@app.command()
def schema() -> None:
    """JSON Schema of the configuration, for editors."""
    import json

    from releo_da.config import commands
    from releo_da.config.schema import schema as make

    typer.echo(json.dumps(make(commands.sections()), indent=2))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command and exits with its status; defects leave as exceptions.

    Args:
        arguments: of the command line; those of the process when None.
    """
    try:
        app(args=arguments, prog_name="releo-da")
    except BlockingIOError as error:
        fail(f"{error.filename or error}: another process holds it; wait or give another --out", 75)
    except OSError as error:
        if error.errno not in STORAGE:
            raise
        fail(f"{error.filename or 'a file'}: {error.strerror}; {ROOM}", 74)
    except sqlite3.OperationalError as error:
        fail(f"the ledger: {error}; {ROOM}", 74)
    except sqlite3.DatabaseError as error:
        fail(f"the ledger is damaged ({error}); `releo-da verify` tells more; restore a backup", 2)
    except ValueError as error:
        # Imported here because it brings torch with it, which would slow --help down.
        from releo_da.types import InputError

        if not isinstance(error, InputError):
            raise
        fail(str(error), 2)
    sys.exit(0)


def fail(message: str, status: int) -> NoReturn:
    """Ends the process with one message on the error stream."""
    typer.echo(f"releo-da: {message}", err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
