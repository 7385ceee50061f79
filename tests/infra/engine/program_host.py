"""Runs a Pulumi program for the engine, in a process of its own.

The engine asks a language host to run the program. The Python one comes with an install of Pulumi and no Go module has
it, so the Automation API's serves here. It leaves event loops, coroutines and threads behind whenever an engine stops
midway; they die with the process. Each is forked from one that has imported the SDK already: 5 s of CPU time, once.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Generator, Mapping
from concurrent import futures
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path

type Program = Callable[[], None]
"""Pickled on its way to the process: a function of an importable module, or a `partial` of one."""

PRELOADED = "tests.infra.engine.preloaded"
"""By its whole name: a module that can't be found is passed over in silence."""
_START_SECONDS = 60.0


def warm_up() -> None:
    """Starts the process that the others are forked from, if there is none yet."""
    forkserver.set_forkserver_preload([PRELOADED])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # it is not handed over for the preload in Python 3.13.0
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextmanager
def hosting(program: Program, folder: Path, environment: Mapping[str, str]) -> Generator[int]:
    """A language host that runs `program` in `folder` with these variables; yields its port on 127.0.0.1."""
    warm_up()
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    host = context.Process(target=_serve, args=(program, folder, dict(environment), theirs), daemon=True)
    host.start()
    try:
        theirs.close()
        if not ours.poll(_START_SECONDS):
            raise TimeoutError(f"no language host within {_START_SECONDS} s")
        yield int(ours.recv())
    finally:
        host.kill()
        host.join()
        host.close()
        ours.close()


def _serve(program: Program, folder: Path, environment: Mapping[str, str], ready: Connection) -> None:
    assert "pulumi_gcp" in sys.modules, f"{PRELOADED} was not loaded beforehand: each program would pay for its imports"
    import grpc
    from pulumi.automation._server import LanguageServer
    from pulumi.runtime.proto import language_pb2_grpc

    os.chdir(folder)
    os.environ.update(environment)
    server = grpc.server(futures.ThreadPoolExecutor(4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageServer(program), server)
    ready.send(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    server.wait_for_termination()
