"""Campaigns steered by libFuzzer (atheris): the same targets and strategies, the core's branches as feedback.

Each target gets a process of its own, in which the core is instrumented while it is imported. libFuzzer's bytes are
the choices that hypothesis makes an input of. Corpus and findings stay in ``.state/fuzz/TARGET``, and the next campaign
goes on from that corpus (remove the folder to begin anew).
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

FOLDER: Final = Path(".state/fuzz")
HOW_TO_INSTALL: Final = "the engine atheris is not installed: uv sync --group fuzz"
_FLAGS: Final = (
    "-use_value_profile=1",
    "-max_len=4096",
    "-timeout=120",
    "-rss_limit_mb=1024",
    "-print_final_stats=1",
)


def installed() -> bool:
    """Whether atheris can be imported; it is in no default environment."""
    return find_spec("atheris") is not None


def again(path: Path) -> str:
    """The command that checks one kept input."""
    return f"python -m dm_sandbox.fuzzing --reproduce {path}"


def steered(name: str, runs: int | None, seconds: float | None, seed: int, folder: Path = FOLDER) -> bool:
    """A campaign in a process of its own, which tells its figures on standard error; whether everything held."""
    home = folder.absolute() / name
    (home / "corpus").mkdir(parents=True, exist_ok=True)
    own_seed = f"-seed={seed or 1}"  # 0 means a random one to libFuzzer
    flags = [*_FLAGS, own_seed, f"-artifact_prefix={home}/", str(home / "corpus")]
    flags += [f"-runs={runs}"] if runs else []
    flags += [f"-max_total_time={int(seconds)}"] if seconds else []
    module = ["-W", "ignore::UserWarning", "-m", "dm_sandbox.fuzzing.libfuzzer"]
    # The functions log to standard output; nobody reads that here. A set hash seed makes two campaigns alike.
    ended = subprocess.run(  # noqa: S603
        [sys.executable, *module, name, str(home), *flags],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=False,
    )
    return ended.returncode == 0


def main(name: str, home: Path, flags: Sequence[str]) -> None:
    """The process that libFuzzer lives in, and ends: with what breaks first, or when runs or time are used up."""
    atheris = import_module("atheris")
    atheris.instrument_imports(include=["dm_core"]).__enter__()  # stays: some parts of the core are imported late
    from dm_sandbox.fuzzing.campaign import Campaign
    from dm_sandbox.fuzzing.targets import TARGETS

    campaign = Campaign(TARGETS[name]()).__enter__()
    check = campaign.fuzzed()

    def one(data: bytes) -> None:
        try:
            check(data)
        except Exception:
            for what, broken in campaign.report.findings.items():
                kept = home / f"{name}-{sha256(broken).hexdigest()[:12]}"
                kept.write_bytes(broken)
                print(f"FOUND {what}\n    again: {again(kept)}", file=sys.stderr)
            raise

    atheris.Setup([sys.argv[0], *flags], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
