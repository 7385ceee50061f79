"""Whose words an echo repeats: ours, the account's own automatic ones, or a human's.

See docs/architecture.md#echoes-and-takeover.
"""

from enum import Enum

from dm_core.same_text import normal_form
from dm_core.store.port import EchoView
from dm_core.webhook.automatic import AutomaticTexts, said
from dm_core.webhook.events import Echo


class Author(Enum):
    """Who wrote what the account sent."""

    KNOWN = "known"  # stored already: our reply, or a second delivery
    OURS = "ours"  # this agent, its result not recorded yet
    AUTOMATIC = "automatic"  # the account by itself: a welcome, away or FAQ message
    REPORT = "report"  # nobody wrote: it only says that somebody was mentioned in a story
    HUMAN = "human"  # a person in the app, or another tool


def author_of(echo: Echo, view: EchoView, texts: AutomaticTexts) -> Author:
    """Ours by recorded id, or by a text we have planned; automatic by the deployer's list; else a human's.

    An echo may beat the answer to the call that caused it, so the text counts as well as the id. Never decided by
    ``app_id``: replies sent by API often come back without one. The platform may change how a text is written.
    """
    if view.known:
        return Author.KNOWN
    if echo.mid in view.mids:
        return Author.OURS
    text = normal_form(echo.content.text or "")
    if text and text in {normal_form(ours) for ours in view.ours}:
        return Author.OURS
    if _is_report(echo):
        return Author.REPORT
    return Author.AUTOMATIC if said(echo.content) in texts.listed - {""} else Author.HUMAN


def _is_report(echo: Echo) -> bool:
    """A mention in a story, without words: an act, but no answer to anybody."""
    content = echo.content
    mentions = [attachment.type == "story_mention" for attachment in content.attachments]
    return bool(mentions) and all(mentions) and not content.text
