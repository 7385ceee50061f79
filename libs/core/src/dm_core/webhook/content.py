"""What a message says, from the platform's JSON to a ``Content`` of bounded size.

Optional parts degrade, they never spoil the message: the list of attachment types grows, and an odd one must not cost
a person the answer. Whatever text a part carries is kept, also of kinds nobody has seen yet
(docs/architecture.md#what-a-message-carries).
"""

from typing import Final

from dm_core.messages import MAX_TEXT_CHARS, Attachment, Content, EventKind
from dm_core.webhook.fields import JsonObject, as_list, as_object, flag, message_mid, text, text_or_number, web_url
from dm_core.webhook.words import words_of

MAX_ATTACHMENTS: Final = 10
MAX_TITLE_CHARS: Final = 300
"""Longest title, payload or reference kept, in characters; a longer title is kept whole among the words."""

_MAX_TYPE_CHARS: Final = 40
_MAX_WEBSITE_CHARS: Final = 200
_UNSUPPORTED: Final = "unsupported"
_EMPTY_WITHOUT_LINK: Final = frozenset({"template", "fallback", _UNSUPPORTED})
"""Attachment types that say nothing unless a link or words came with them (a shared comment arrives so)."""

_OF_MESSAGE: Final = frozenset({"mid", "text", "attachments", "attachment", "quick_reply", "referral", "reply_to"})
_OF_POSTBACK: Final = frozenset({"mid", "title", "payload", "referral"})
_OF_ITEM: Final = frozenset({"sender", "recipient", "timestamp", "message", "postback", "referral", "message_edit"})


class NotAMessage(ValueError):
    """A part that makes the message what it is has the wrong type; the argument is our reason."""


def message_content(message: JsonObject, item: JsonObject) -> Content:
    """A ``message`` object and what stands beside it in its item. Raises NotAMessage when ``text`` is not a string."""
    raw_text = message.get("text")
    if raw_text is not None and not isinstance(raw_text, str):
        raise NotAMessage("text is not a string")
    reply_to = as_object(message.get("reply_to")) or {}
    quick_reply = as_object(message.get("quick_reply")) or {}
    said = text(raw_text, MAX_TEXT_CHARS)
    return _readable(
        Content(
            text=said,
            attachments=_attachments(message.get("attachments") or message.get("attachment")),
            quick_reply=text_or_number(quick_reply.get("payload"), MAX_TITLE_CHARS),
            referral=referral_words(message.get("referral") or item.get("referral")),
            reply_to_mid=message_mid(reply_to.get("mid")),
            reply_to_story=_story(reply_to.get("story")),
            unsupported=flag(message.get("is_unsupported")),
            words=words_of([quick_reply, reply_to, _but(message, _OF_MESSAGE), _but(item, _OF_ITEM)], (said,)),
        )
    )


def postback_content(postback: JsonObject, item: JsonObject) -> Content:
    """A tapped button or ice breaker: its title is what the person sees, its payload what it means."""
    title = text(postback.get("title"), MAX_TITLE_CHARS)
    return _readable(
        Content(
            kind=EventKind.POSTBACK,
            text=title,
            postback=text_or_number(postback.get("payload"), MAX_TITLE_CHARS),
            referral=referral_words(postback.get("referral") or item.get("referral")),
            words=words_of([_but(postback, _OF_POSTBACK), _but(item, _OF_ITEM)], (title,)),
        )
    )


def referral_content(referral: JsonObject, item: JsonObject) -> Content:
    """A person came into an existing thread by a link, an ad, a story or the shop."""
    return _readable(
        Content(kind=EventKind.REFERRAL, referral=referral_words(referral), words=words_of(_but(item, _OF_ITEM)))
    )


def referral_words(value: object) -> str | None:
    """Where a person came from, as far as it is given, in one line: reference, ad, product, source, website, and any
    other words. The type alone (``OPEN_THREAD``) only when there is nothing else."""
    referral = as_object(value) or {}
    ad = as_object(referral.get("ads_context_data")) or {}
    product = as_object(referral.get("product")) or {}
    named = (
        text_or_number(referral.get("ref"), MAX_TITLE_CHARS),
        text(ad.get("ad_title"), MAX_TITLE_CHARS),
        _named("product", product.get("id") or ad.get("product_id")),
        text(referral.get("source"), MAX_TITLE_CHARS),
        _website(referral.get("referer_uri")),
    )
    said = tuple(word for word in named if word)
    words = (*said, *words_of(referral, said))
    line = " · ".join(words) or text(referral.get("type"), MAX_TITLE_CHARS)
    return text(line, MAX_TITLE_CHARS * 3)


def _named(what: str, value: object) -> str | None:
    """An id with what it is of; the platform writes ids as strings and as numbers."""
    given = text_or_number(value, MAX_TITLE_CHARS)
    return f"{what} {given}" if given else None


def _website(value: object) -> str | None:
    """A page's address without what follows its path, which is for machines."""
    link = web_url(value)
    return link and text(link.partition("?")[0].partition("#")[0], _MAX_WEBSITE_CHARS)


def _but(part: JsonObject, known: frozenset[str]) -> JsonObject:
    """The parts this version does not know: the platform may have added them since."""
    return {key: value for key, value in part.items() if key not in known}


def _readable(content: Content) -> Content:
    """A message that says nothing we can read is still a DM: shown as unsupported, not as empty (that is unsent)."""
    readable = any((content.text, content.quick_reply, content.postback, content.referral, content.words))
    readable = readable or any(
        attachment.url or attachment.title or attachment.words or attachment.type not in _EMPTY_WITHOUT_LINK
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
    title = next((title for title in (text(given, MAX_TITLE_CHARS) for given in titles) if title), None)
    return Attachment(
        type=text(attachment.get("type"), _MAX_TYPE_CHARS) or _UNSUPPORTED,
        url=next((link for link in map(web_url, links) if link), None),
        title=title,
        words=words_of([value, text(attachment.get("payload"), MAX_TITLE_CHARS)], (title,)),
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
    return web_url(story.get("url")) or text_or_number(story.get("id"), MAX_TITLE_CHARS) or "story"
