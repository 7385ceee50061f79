"""What a message says, from the platform's JSON to a ``Content`` of bounded size (facts/meta.md sections 1.3 and 1.6).

Optional parts degrade, they never spoil the message: the list of attachment types grows, and an odd one must not cost
a person the answer.
"""

from typing import Final

from dm_core.messages import MAX_TEXT_CHARS, Attachment, Content, EventKind
from dm_core.webhook.fields import JsonObject, as_list, as_object, flag, message_mid, text, web_url

MAX_ATTACHMENTS: Final = 10
MAX_TITLE_CHARS: Final = 300
"""Longest title, payload or reference kept, in characters."""

_MAX_TYPE_CHARS: Final = 40
_UNSUPPORTED: Final = "unsupported"
_EMPTY_WITHOUT_LINK: Final = frozenset({"template", "fallback", _UNSUPPORTED})
"""Attachment types that say nothing unless a link or a title came with them (a shared comment arrives so)."""


class NotAMessage(ValueError):
    """A part that makes the message what it is has the wrong type; the argument is our reason."""


def message_content(message: JsonObject) -> Content:
    """A ``message`` object. Raises NotAMessage when its text is no text."""
    raw_text = message.get("text")
    if raw_text is not None and not isinstance(raw_text, str):
        raise NotAMessage("text is not a string")
    reply_to = as_object(message.get("reply_to")) or {}
    quick_reply = as_object(message.get("quick_reply")) or {}
    return _told(
        Content(
            text=text(raw_text, MAX_TEXT_CHARS),
            attachments=_attachments(message.get("attachments")),
            quick_reply=text(quick_reply.get("payload"), MAX_TITLE_CHARS),
            referral=referral_words(message.get("referral")),
            reply_to_mid=message_mid(reply_to.get("mid")),
            reply_to_story=_story(reply_to.get("story")),
            unsupported=flag(message.get("is_unsupported")),
        )
    )


def postback_content(postback: JsonObject) -> Content:
    """A tapped button or ice breaker: its title is what the person sees, its payload what it means."""
    return _told(
        Content(
            kind=EventKind.POSTBACK,
            text=text(postback.get("title"), MAX_TITLE_CHARS),
            postback=text(postback.get("payload"), MAX_TITLE_CHARS),
            referral=referral_words(postback.get("referral")),
        )
    )


def referral_content(referral: JsonObject) -> Content:
    """A person came into an existing thread by a link or an ad."""
    return _told(Content(kind=EventKind.REFERRAL, referral=referral_words(referral)))


def referral_words(value: object) -> str | None:
    """The reference, the ad's title and the product of a referral, as far as given, in one line."""
    referral = as_object(value) or {}
    ad = as_object(referral.get("ads_context_data")) or {}
    product = as_object(referral.get("product")) or {}
    product_id = text(product.get("id"), MAX_TITLE_CHARS)
    words = (
        text(referral.get("ref"), MAX_TITLE_CHARS),
        text(ad.get("ad_title"), MAX_TITLE_CHARS),
        f"product {product_id}" if product_id else None,
    )
    return " · ".join(word for word in words if word) or None


def _told(content: Content) -> Content:
    """A message that says nothing we can read is still a DM: shown as unsupported, not as empty (that is unsent)."""
    readable = any((content.text, content.quick_reply, content.postback, content.referral))
    readable = readable or any(
        attachment.url or attachment.title or attachment.type not in _EMPTY_WITHOUT_LINK
        for attachment in content.attachments
    )
    if readable:
        return content
    return Content(
        kind=content.kind,
        attachments=content.attachments,
        reply_to_mid=content.reply_to_mid,
        reply_to_story=content.reply_to_story,
        unsupported=True,
    )


def _attachments(value: object) -> tuple[Attachment, ...]:
    if value is None:
        return ()
    items = as_list(value)
    if items is None:
        items = (value,)
    return tuple(_attachment(item) for item in items[:MAX_ATTACHMENTS])


def _attachment(value: object) -> Attachment:
    attachment = as_object(value) or {}
    payload = as_object(attachment.get("payload")) or {}
    links = (payload.get("url"), payload.get("story_media_url"), attachment.get("url"))
    titles = (payload.get("title"), attachment.get("title"), _element_title(payload))
    return Attachment(
        type=text(attachment.get("type"), _MAX_TYPE_CHARS) or _UNSUPPORTED,
        url=next((link for link in map(web_url, links) if link), None),
        title=next((title for title in (text(given, MAX_TITLE_CHARS) for given in titles) if title), None),
    )


def _element_title(payload: JsonObject) -> object:
    """Title of a template's first element."""
    generic = as_object(payload.get("generic")) or payload
    elements = as_list(generic.get("elements")) or ()
    first = as_object(elements[0]) if elements else None
    return first.get("title") if first else None


def _story(value: object) -> str | None:
    """The story replied to: its link (valid for some 24 h), else its id, else only that there was one."""
    story = as_object(value)
    if story is None:
        return None
    return web_url(story.get("url")) or text(story.get("id"), MAX_TITLE_CHARS) or "story"
