"""What ``mutants --json`` wrote, for the page: both tables of how the evals themselves were tried."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class MutantRow(_Part):
    """One alteration.

    ``word``: caught or survived, passed or failed, impossible; ``expected``: the check meant for it.
    """

    name: str
    about: str
    scenario: str
    word: str
    expected: str
    outcome: str


class MutantTables(_Part):
    """Bad agents that must be caught, harmless variants that must pass; how long both took, in seconds."""

    seconds: float
    bad_agents: tuple[MutantRow, ...]
    harmless_variants: tuple[MutantRow, ...]

    @property
    def caught(self) -> int:
        return sum(row.word == "caught" for row in self.bad_agents)

    @property
    def passed(self) -> int:
        return sum(row.word == "passed" for row in self.harmless_variants)


class BrokenTables(Exception):
    """The file is not what ``mutants --json`` writes."""


def load_tables(path: Path) -> MutantTables:
    """Raises BrokenTables."""
    try:
        return MutantTables.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise BrokenTables(f"{path} can't be read as the tables of `make evals-mutants`: {reason}") from None
