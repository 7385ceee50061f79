"""What a storm or a load run was, in figures, and what it found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dm_core.messages import Disposition, Status
from dm_core.runs import ActionState
from dm_sandbox.chaos.verdict import Crime, Evidence, Finding

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Report:
    """``figures`` in the order in which they are shown; ``settled`` False: something never came to rest."""

    title: str
    figures: Mapping[str, object]
    findings: Sequence[Finding]
    settled: bool

    @property
    def kept(self) -> bool:
        """Every promise was kept."""
        return self.settled and not self.findings

    def __str__(self) -> str:
        width = max(len(name) for name in self.figures)
        lines = [self.title, *(f"  {name:<{width}}  {value}" for name, value in self.figures.items())]
        if not self.settled:
            lines.append("  NOT SETTLED: nothing moved any more and not everything had ended")
        for crime in Crime:
            words = [finding.words for finding in self.findings if finding.crime is crime]
            lines += [f"  {crime.upper()}: {each}" for each in words[:MOST_SHOWN]]
            lines += [f"  {crime.upper()}: … and {len(words) - MOST_SHOWN} more"] if len(words) > MOST_SHOWN else []
        return "\n".join(lines)


def outcome_figures(evidence: Evidence, findings: Sequence[Finding]) -> dict[str, object]:
    """How the DMs ended, and the crimes by kind (each kind is named, also at 0)."""
    ids = {dm.id for dm in evidence.dms}
    messages = [m for account in evidence.accounts.values() for m in account.messages if m.id in ids]
    runs = [run for account in evidence.accounts.values() for run in account.runs]
    actions = Counter(action.state for run in runs for action in run.actions)
    crimes = Counter(finding.crime for finding in findings)
    return {
        "DMs acknowledged": len(evidence.dms),
        "answered": sum(m.status is Status.PROCESSED and m.disposition is None for m in messages),
        "uncertain, manager told": sum(m.disposition is Disposition.UNCERTAIN for m in messages),
        "failed, manager told": sum(m.status is Status.FAILED for m in messages),
        "texts sent / reactions / alerts": f"{len(evidence.sent)} / {len(evidence.reactions)} / {len(evidence.alerts)}",
        "runs ended": len(runs),
        "DMs of more than one attempt": sum(message.attempts > 1 for message in messages),
        "actions done / uncertain": f"{actions[ActionState.DONE]} / {actions[ActionState.UNCERTAIN]}",
        **{f"found {crime}": crimes[crime] for crime in Crime},
    }
