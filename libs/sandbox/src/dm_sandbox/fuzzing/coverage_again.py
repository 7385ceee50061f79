"""A kept input once more, without libFuzzer: the file's name says the target, its content is the input."""

from pathlib import Path

from dm_sandbox.fuzzing.engine import Campaign, Report, Target, quiet


def target_of(path: Path, named: str, known: frozenset[str]) -> str:
    """The named target, else the one in the file's name. Raises ValueError, in one line, when there is none."""
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    name = path.name.partition("-")[0] if named == "all" else named
    if name not in known:
        raise ValueError(f"{path.name} does not begin with a target's name: say which with --target")
    return name


async def once_more(target: Target, data: bytes) -> str:
    """What the input breaks now, or what became of it, on one line; the target is entered."""
    report = Report(target.name, 0)
    target.deep = True
    with quiet():
        await Campaign(target, shrinking=0).one(data, report)
    if report.findings:
        return f"{target.name}: FOUND {report.findings[0].what} ({len(data)} bytes)"
    return f"{target.name}: holds, {next(iter(report.outcomes))} ({len(data)} bytes)"
