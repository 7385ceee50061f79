"""Whose words an echo repeats: ours or a human's (design.md section 7, facts/meta.md section 1.8)."""

from enum import Enum

from dm_core.store.port import EchoView
from dm_core.webhook.events import Echo


class Author(Enum):
    """Who wrote what the account sent."""

    KNOWN = "known"  # stored already: our reply, or a second delivery
    OURS = "ours"  # this agent, its result not recorded yet
    HUMAN = "human"  # a person in the app, or another tool


def author_of(echo: Echo, view: EchoView) -> Author:
    """Ours by recorded id, or by a text we have planned; else a human's.

    An echo may beat the answer to the call that caused it, so the text counts as well as the id. Never decided by
    ``app_id``: replies sent by API often come back without one. The platform may trim a text's outer white space.
    """
    if view.known:
        return Author.KNOWN
    if echo.mid in view.mids:
        return Author.OURS
    said = (echo.content.text or "").strip()
    return Author.OURS if said and said in {text.strip() for text in view.ours} else Author.HUMAN
