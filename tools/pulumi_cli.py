"""Finds the Pulumi CLI, or builds it: prints its path on stdout, everything else on stderr.

    python tools/pulumi_cli.py            # make pulumi-cli: finds, else builds into .tools/pulumi-cli/
    python tools/pulumi_cli.py --find     # only finds

A `pulumi` on PATH of at least `oldest_version` that has its Python language host beside it is used as it is. Otherwise
the one that the Go module beside this file pins is built into `.tools/pulumi-cli/` (no Python or npm package carries
the binary: npm's `pulumi` is a downloader), with a language host of that module and Pulumi's own script that starts a
program.
Each is written beside its target and renamed at the end, the CLI last, so an interrupted build is never mistaken for a
CLI, and Go's own build cache lets the next one go on where it stopped.

Standard library only: it runs before any environment exists.
"""

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

MODULE = Path(__file__).resolve().parent / "pulumi-cli"
BUILT = Path(__file__).resolve().parents[1] / ".tools" / "pulumi-cli" / "pulumi"
PROJECT = Path(__file__).resolve().parents[1] / "infra" / "Pulumi.yaml"
HOST = "pulumi-language-python"
SCRIPT = "pulumi-language-python-exec"

_SDK = "github.com/pulumi/pulumi/sdk/v3"
_PACKAGE = "github.com/pulumi/pulumi/pkg/v3"
_VERSION_VARIABLE = f"{_SDK}/go/common/version.Version"
_OWN_TOOLCHAINS = (1, 21)
"""Since this Go, `GOTOOLCHAIN=auto` fetches a newer toolchain when a module asks for one."""

type Version = tuple[int, int, int]

_UNKNOWN: Version = (0, 0, 0)


class CliUnavailable(Exception):
    """No usable Pulumi CLI, and none could be built; the text says what to install."""


def pinned_version(module: Path = MODULE) -> Version:
    """The version of Pulumi that `module`'s go.mod requires."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(_PACKAGE)}\s+(v\S+)", _go_mod(module), re.MULTILINE)
    version = parse_version(found[1]) if found else None
    if version is None:
        raise CliUnavailable(f"{module}/go.mod requires no {_PACKAGE}: restore the file")
    return version


def parse_version(text: str) -> Version | None:
    """The first `1.2.3` in what a tool prints (`v3.250.0`, `go version go1.26 linux/amd64`); None if there is none."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def oldest_version(project: Path = PROJECT) -> Version:
    """The oldest CLI that the program runs with: `requiredPulumiVersion` of Pulumi.yaml, which the CLI reads too."""
    found = re.search(r"^requiredPulumiVersion:(.*)$", project.read_text(encoding="utf-8"), re.MULTILINE)
    version = parse_version(found[1]) if found else None
    if version is None:
        raise CliUnavailable(f"{project} has no requiredPulumiVersion: restore the file")
    return version


def find(built: Path = BUILT, module: Path = MODULE) -> Path | None:
    """The CLI to use without building anything: PATH's if recent enough, else the one built earlier."""
    on_path = shutil.which("pulumi")
    if on_path and shutil.which(HOST) and (_version_of(Path(on_path)) or _UNKNOWN) >= oldest_version():
        return Path(on_path)
    return built if _is_current(built, module) else None


def build(built: Path = BUILT, module: Path = MODULE) -> Path:
    """Builds the pinned CLI to `built`, unless it's there already.

    Raises CliUnavailable if Go is missing, too old, or the build fails.
    """
    go = _go(module)
    built.parent.mkdir(parents=True, exist_ok=True)
    with (built.parent / ".lock").open("w") as lock:  # two `make` at once build once
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_current(built, module):
            _compile(go, built, module)
    return built


def _compile(go: str, built: Path, module: Path) -> None:
    wanted = _dotted(pinned_version(module))
    _say(f"building the Pulumi CLI {wanted} with Go into {built.parent} (14 minutes of CPU time, once)")
    unfinished = built.with_name(f"{built.name}.unfinished")
    flags = f"-s -w -X {_VERSION_VARIABLE}=v{wanted}"
    build = [go, "build", "-trimpath", "-ldflags", flags, "-o", str(unfinished)]
    for package, target in ((f"./{HOST}", built.with_name(HOST)), (f"{_PACKAGE}/cmd/pulumi", built)):
        done = subprocess.run([*build, package], cwd=module, stdout=sys.stderr, check=False)
        if done.returncode:
            raise CliUnavailable(
                "Go could not build the Pulumi CLI, see above. Is the Go module proxy reachable (go env GOPROXY)? "
                "Run this again to go on, or install Pulumi: https://www.pulumi.com/docs/install/"
            )
        if target == built:
            _copy_script(go, built, module)
        unfinished.replace(target)
    if not _is_current(built, module):
        raise CliUnavailable(f"{built} was built but does not answer `version` with v{wanted}")
    _say(f"built {built}")


def _copy_script(go: str, built: Path, module: Path) -> None:
    """The script that starts a program, from the same version of the SDK; modules keep no run bit."""
    folder = _output([go, "list", "-m", "-f", "{{.Dir}}", _SDK], module)
    if not folder:
        raise CliUnavailable(f"Go does not say where {_SDK} is: run `go mod download` in {module}")
    script = built.with_name(SCRIPT)
    shutil.copyfile(Path(folder) / "python" / "cmd" / SCRIPT, script)
    script.chmod(0o755)


def _go(module: Path) -> str:
    go = shutil.which("go")
    needed = _go_needed(module)
    if go is None:
        raise CliUnavailable(
            f"no Pulumi CLI of at least {_dotted(oldest_version())} on PATH and no Go to build one: install Pulumi "
            f"(https://www.pulumi.com/docs/install/), or Go {_dotted(needed)} or newer (https://go.dev/doc/install)"
        )
    have = parse_version(_output([go, "env", "GOVERSION"], MODULE.parent)) or _UNKNOWN
    may_fetch = have[:2] >= _OWN_TOOLCHAINS and _output([go, "env", "GOTOOLCHAIN"], MODULE.parent) != "local"
    if have < needed and not may_fetch:
        raise CliUnavailable(
            f"{go} is Go {_dotted(have)}, the Pulumi CLI needs {_dotted(needed)}: install a newer Go "
            "(https://go.dev/doc/install), set GOTOOLCHAIN=auto so that Go fetches it, or install Pulumi itself"
        )
    return go


def _go_needed(module: Path) -> Version:
    found = re.search(r"^go\s+(\S+)", _go_mod(module), re.MULTILINE)
    return (found and parse_version(found[1])) or _UNKNOWN


def _go_mod(module: Path) -> str:
    return (module / "go.mod").read_text(encoding="utf-8")


def _is_current(built: Path, module: Path) -> bool:
    whole = all(built.with_name(name).is_file() for name in (built.name, HOST, SCRIPT))
    return whole and _version_of(built) == pinned_version(module)


def _version_of(cli: Path) -> Version | None:
    return parse_version(_output([str(cli), "version"], cli.parent))


def _output(command: list[str], folder: Path) -> str:
    environment = os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Prints the path; exit code 1 and one line of what to install when there is none."""
    parser = argparse.ArgumentParser(description="find the Pulumi CLI, or build it")
    parser.add_argument("--find", action="store_true", help="never build")
    only_find = parser.parse_args(arguments).find
    try:
        cli = find() or (None if only_find else build())
    except CliUnavailable as unavailable:
        _say(f"pulumi: {unavailable}")
        return 1
    except KeyboardInterrupt:
        _say("pulumi: interrupted; run this again and Go goes on where it stopped")
        return 130
    if cli is None:
        _say("pulumi: not found; run `make pulumi-cli`")
        return 1
    print(cli)
    return 0


if __name__ == "__main__":
    sys.exit(main())
