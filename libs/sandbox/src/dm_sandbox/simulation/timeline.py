"""A simulation's course as text: a lane for everybody who took part, time going down."""

from collections.abc import Sequence

from dm_sandbox.simulation.journal import Entry

_MARKS = {"→": "●", "◀": "◆", "✗": "✗", "↯": "↯", "†": "†"}


def drawn(entries: Sequence[Entry]) -> str:
    """The timeline: ``●`` a call, ``◆`` what the outside saw, ``↯`` a fault, ``†`` a death, ``✗`` what is wrong."""
    lanes = tuple(dict.fromkeys(entry.who for entry in entries))
    heads = [f"{'':>10}  {'│ ' * number}┌ {lane}" for number, lane in enumerate(lanes)]
    rows = [f"{entry.at:9.3f}s  {_lanes(lanes, entry)}  {entry.who}: {entry.what}" for entry in entries]
    return "\n".join((*heads, *rows))


def _lanes(lanes: Sequence[str], entry: Entry) -> str:
    mark = next((mark for sign, mark in _MARKS.items() if sign in entry.what), "○")
    return " ".join(mark if lane == entry.who else "│" for lane in lanes)
