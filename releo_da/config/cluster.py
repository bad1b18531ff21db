"""Processes that work on tiles: of this machine, of a scheduler, or of a batch system.

    {workers: 4}                                          LocalCluster, one process each
    {scheduler: "tcp://host:8786"}                        whatever workers that scheduler has
    {jobqueue: {system: slurm, cores: 1, memory: 4GB}}    one batch job per worker

A task is a function of this package, by its import path, with plain texts and numbers; so are its
results. At most as many tasks are under way as there are threads of workers. A task that takes too
long ends its own process, by a timer that needs neither the interpreter nor the network, with the
traceback of where it hung on the error stream; dask starts another worker in its place. One whose
worker ended sooner (killed, out of memory) is begun again, a given number of times. Either way the
others go on, and it is reported.

Reference: Rocklin 2015, Dask: parallel computation with blocked algorithms and task scheduling,
Proc. 14th Python in Science Conf., doi:10.25080/Majora-7b98e3ed-013.
"""

from __future__ import annotations

import faulthandler
import importlib
import re
import shlex
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, NamedTuple
from uuid import uuid4

import dask
from distributed import CancelledError, Client, Future, KilledWorker, LocalCluster, wait

from releo_da.config.document import nearest
from releo_da.runs.stopping import TICK
from releo_da.types import InputError

SYSTEMS = {
    "htcondor": "HTCondorCluster",
    "lsf": "LSFCluster",
    "moab": "MoabCluster",
    "oar": "OARCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "slurm": "SLURMCluster",
}
"""Batch systems that dask-jobqueue knows, by the name in a configuration."""

PASSED = (
    "account",
    "cores",
    "death_timeout",
    "interface",
    "job_cpu",
    "job_extra_directives",
    "job_mem",
    "job_name",
    "local_directory",
    "log_directory",
    "memory",
    "processes",
    "project",
    "queue",
    "walltime",
)
"""Options of a batch job; what runs commands, as a prologue does, stands in dask's own file."""

PLAIN = re.compile(r"[\w./:@=,+%~-]*")
DIRECTIVE = re.compile(r"[\w./:@=,+%~\- \[\]]*")
"""Characters of a text that becomes part of a job script; none of them begins a command."""

ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), 1)
"""Of a worker: one thread each, because several threads in several processes hinder each other."""

GRACE = 30.0
"""Seconds beyond its time after which a task is given up whose worker says nothing."""

TOO_LONG = "took more than cycle.tiles.timeout_minutes and was ended"

PATIENCE = 60.0
"""Seconds without any worker after which this is said."""

Plain = dict[str, Any]
Work = Callable[..., Plain]


@dataclass(frozen=True)
class Workers:
    """Where tasks run.

    Attributes:
        number: processes, or batch jobs.
        scheduler: address of one that runs already, or None.
        jobqueue: the batch system and the options of a job, or None.
        seconds: longest time of a task.
        retries: how often a task is begun again whose worker ended.
    """

    number: int
    scheduler: str | None
    jobqueue: Mapping[str, Any] | None
    seconds: float
    retries: int


def checked_jobqueue(options: Mapping[str, Any]) -> None:
    """Refuse options of a batch job that are none.

    Raises:
        InputError: no batch system, an unknown option, or a value that could be a command.
    """
    where = "cycle.tiles.jobqueue"
    system = options.get("system")
    if system not in SYSTEMS:
        raise InputError(f"{where}.system is {system!r}; {nearest(str(system), SYSTEMS)}")
    for key, value in options.items():
        if key == "system":
            continue
        if key not in PASSED:
            raise InputError(f"{where}: unknown option '{key}'; {nearest(key, PASSED)}")
        listed = value if isinstance(value, list) else [value]
        allowed = DIRECTIVE if key == "job_extra_directives" else PLAIN
        for one in listed:
            if isinstance(one, bool) or not isinstance(one, int | float | str):
                raise InputError(f"{where}.{key} is {one!r}; give a number or a text")
            if isinstance(one, str) and not allowed.fullmatch(one):
                raise InputError(
                    f"{where}.{key}: {one!r} holds characters that a job script could run; "
                    "write such options into dask's own jobqueue.yaml"
                )


def batch_cluster(options: Mapping[str, Any]) -> Any:
    """A cluster of batch jobs, none of them asked for yet.

    Raises:
        InputError: dask-jobqueue is not installed, or refuses the options.
    """
    checked_jobqueue(options)
    try:
        systems = importlib.import_module("dask_jobqueue")
    except ImportError:
        raise InputError(
            "cycle.tiles.jobqueue: needs the package dask-jobqueue; install releo-da[cluster]"
        ) from None
    made = getattr(systems, SYSTEMS[options["system"]])
    given = {"cores": 1, "memory": "4GB", **options}
    del given["system"]
    try:
        return made(**given)
    except (TypeError, ValueError) as error:
        raise InputError(f"cycle.tiles.jobqueue: {options['system']} refuses it: {error}") from None


def check_submits(cluster: Any) -> None:
    """Refuse a cluster of batch jobs on a machine that cannot submit them, where tiles would wait.

    Raises:
        InputError: the command that submits a job is not there.
    """
    command = shlex.split(cluster.job_cls.submit_command)[0]
    if shutil.which(command) is None:
        cluster.close()
        raise InputError(
            f"cycle.tiles.jobqueue: this machine has no command '{command}'; call from one that "
            "submits jobs, or give cycle.tiles.workers without jobqueue"
        )


@contextmanager
def client_of(wanted: Workers, tasks: int) -> Iterator[Client]:
    """A client of the workers, which end with the block unless they are another scheduler's.

    Args:
        wanted: where tasks run.
        tasks: how many there are; no more processes are started.

    Raises:
        InputError: the scheduler does not answer, or the batch system cannot be used.
    """
    settings = {
        "distributed.scheduler.allowed-failures": 0,  # retries are counted in `outcomes`
        "distributed.nanny.pre-spawn-environ": ENVIRONMENT,
    }
    number = max(1, min(wanted.number, tasks))
    with dask.config.set(settings):
        if wanted.scheduler is not None:
            try:
                client = Client(wanted.scheduler, set_as_default=False)
            except (OSError, ValueError) as error:
                raise InputError(
                    f"cycle.tiles.scheduler: {wanted.scheduler} does not answer ({error}); start "
                    "it, or leave the key out to work on this machine"
                ) from None
            with client:
                yield client
            return
        if wanted.jobqueue is not None:
            cluster = batch_cluster(wanted.jobqueue)
            check_submits(cluster)
            cluster.scale(number)
        else:
            cluster = LocalCluster(
                n_workers=number,
                threads_per_worker=1,
                processes=True,
                memory_limit=None,
                dashboard_address="127.0.0.1:0",
                silence_logs=50,
                preload=["releo_da.config.worker_signals"],
            )
        with cluster, Client(cluster, set_as_default=False) as client:
            yield client


class Running(NamedTuple):
    """A task under way: its name, when it was submitted, and how often before."""

    name: str
    began: float
    tries: int


def outcomes(
    client: Client,
    work: Work,
    tasks: Mapping[str, Sequence[Any]],
    wanted: Workers,
    stop: Callable[[], bool] = lambda: False,
    warn: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[str, Plain]]:
    """What each task gave, as they end; ``{outcome: lost, error: ..}`` of one that has no result.

    Args:
        client: of the workers.
        work: a function of a module that workers can import.
        tasks: name -> arguments.
        wanted: the longest time of a task, and how often one is begun again.
        stop: whether to end; nothing is begun any more, what is under way comes to its end.
        warn: told once where no worker is there for a minute.
    """
    waiting, running = deque((name, 0) for name in tasks), dict[Future, Running]()
    alone: float | None = monotonic()
    while running or (waiting and not stop()):
        threads = sum(client.ncores().values())
        if threads:
            alone = None
        elif alone is not None and monotonic() - alone > PATIENCE:
            warn("releo-da: no worker has come yet; tiles wait for one")
            alone = None
        while waiting and len(running) < threads and not stop():
            name, tries = waiting.popleft()
            key = f"tile-{name}-{uuid4().hex}"
            future = client.submit(limited, work, wanted.seconds, *tasks[name], key=key, pure=False)
            running[future] = Running(name, monotonic(), tries)
        done = _finished(client, list(running))
        for future in done:
            one = running.pop(future)
            late = monotonic() - one.began >= wanted.seconds
            if _killed(future) and not late and one.tries < wanted.retries:
                waiting.append((one.name, one.tries + 1))
            else:
                yield one.name, _result(future, late)
        given_up = monotonic() - wanted.seconds - GRACE
        for future in [f for f, one in running.items() if one.began < given_up]:
            client.cancel([future])  # its worker does not answer, or has begun it once more
            yield running.pop(future).name, {"outcome": "lost", "error": TOO_LONG}


def limited(work: Work, seconds: float, *arguments: Any) -> Plain:
    """What a task gives, in a process that ends when the task takes too long."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)
    try:
        return work(*arguments)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _finished(client: Client, running: list[Future]) -> list[Future]:
    """Those that ended, after waiting a little for one to end."""
    if not running:
        sleep(TICK)
    try:
        with client.as_current():
            wait(running, timeout=TICK, return_when="FIRST_COMPLETED")
    except (TimeoutError, CancelledError):  # a scheduler that went away cancels
        pass
    return [future for future in running if future.done()]


def _killed(future: Future) -> bool:
    """Whether the worker of a task ended under it."""
    return future.status == "error" and isinstance(future.exception(), KilledWorker)


def _result(future: Future, late: bool) -> Plain:
    """What a task gave, or why there is nothing."""
    if future.status == "finished":
        found: Plain = future.result()
        return found
    error = str(future.exception() if future.status == "error" else future.status)
    if _killed(future):
        error = TOO_LONG if late else "its worker ended under it (killed, or out of memory)"
    return {"outcome": "lost", "error": error}
