"""Instagram's messaging API, both flavours: send, react, sender actions, conversations, profile, token, subscription.

Paths, shapes and errors: docs/platforms/instagram.md#sending and below. What the account sends comes back as an echo
webhook, without ``app_id``, when a webhook is connected. Another server's clock is this one's ``clock``.
"""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dm_core.clock import Clock, system_clock
from dm_core.messages import WINDOW_MS
from dm_sandbox.platforms.cdn import PATH, Cdn
from dm_sandbox.platforms.faults import Fault, FaultKind
from dm_sandbox.platforms.graph import GraphError, graph_reply, scripted_error
from dm_sandbox.platforms.mailbox import Contact, Mailbox, SentMessage, conversation_id
from dm_sandbox.platforms.meta import Mids, WebhookSender, envelope
from dm_sandbox.platforms.server import Call, Platform, Reply, as_object, bearer

Flavor = Literal["instagram", "page"]
MAX_TEXT_BYTES = 1_000

IG_FIELDS = (
    "messages,message_reactions,messaging_postbacks,messaging_seen,messaging_referral,messaging_handover,standby,"
    "message_echoes,message_edit"
)
SENDER_ACTIONS = ("typing_on", "typing_off", "mark_seen", "react", "unreact")


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction of the account to a person's message; ``reaction`` None means it was taken back."""

    user_id: str
    mid: str
    reaction: str | None
    at: int


class Instagram(Platform):
    """The simulator. ``sent`` and ``reactions`` are what really happened, whatever the caller was told.

    ``echo_delay`` and ``conversation_lag`` in seconds; the lag is how long a message stays invisible to the
    Conversations API; ``bare_conversations`` lists them without their messages. ``token_age_hours`` below 24 makes a
    refresh fail, as on the platform. ``cdn`` holds the files of messages (operation ``media``), in the folder ``media``
    where one is given.
    """

    name = "instagram"

    def __init__(
        self,
        account_id: str = "17841472020051826",
        page_id: str = "106540352242922",
        token: str = "IGAA-sandbox-token",  # noqa: S107
        flavor: Flavor = "instagram",
        port: int = 0,
        clock: Clock = system_clock,
        media: Path | None = None,
    ) -> None:
        super().__init__(port, clock)
        self.account_id, self.page_id, self.flavor = account_id, page_id, flavor
        self.tokens = [token]
        self.mailbox = Mailbox(account_id, "riverside_cc")
        self.echo_delay = 0.3
        self.conversation_lag = 0.0
        self.bare_conversations = False
        self.token_age_hours = 48
        self.subscribed: tuple[str, ...] = ()
        self.reactions: list[Reaction] = []
        self.mids = Mids()
        self.cdn = Cdn(media)
        self._webhook: WebhookSender | None = None
        self._echoes: set[asyncio.Task[None]] = set()

    @property
    def node(self) -> str:
        """The id to send as: the account's, or the page's on the Page flavour."""
        return self.account_id if self.flavor == "instagram" else self.page_id

    @property
    def contacts(self) -> dict[str, Contact]:
        """The people the platform knows, by id."""
        return self.mailbox.contacts

    @property
    def messages(self) -> list[SentMessage]:
        """Every message, of either side, in order."""
        return self.mailbox.messages

    @property
    def sent(self) -> list[SentMessage]:
        """What the API sent, in order."""
        return [message for message in self.messages if message.by_api]

    def sent_to(self, user_id: str) -> list[str]:
        """The texts one person got from the API, in order."""
        return [message.text for message in self.sent if message.to_id == user_id]

    def connect(self, webhook: WebhookSender | None) -> None:
        """Send echoes there from now on (None: nowhere)."""
        self._webhook = webhook

    def meet(self, user_id: str, name: str | None = None, username: str | None = None) -> Contact:
        """Know this person, with an open window if they are new."""
        contact = self.contacts.get(user_id)
        if contact is None:
            contact = self.contacts[user_id] = Contact(user_id, name, username, self.clock())
        return contact

    def hear(self, user_id: str, mid: str, text: str) -> None:
        """A person wrote: it shows in the conversation and opens the window."""
        now = self.clock()
        self.meet(user_id).last_inbound_at = now
        self.messages.append(SentMessage(mid, user_id, self.account_id, text, now))

    def human_sends(self, user_id: str, text: str, mid: str = "", *, echo: bool = True) -> SentMessage:
        """The account's owner answers in the app: no API call, but an echo like any other."""
        return self._deliver(user_id, text, mid, by_api=False, echo=echo)

    async def settle(self) -> None:
        """Drop the echoes that have not been delivered, and send no more."""
        self._webhook = None
        for task in list(self._echoes):
            task.cancel()
        await asyncio.gather(*self._echoes, return_exceptions=True)

    async def stop(self) -> None:
        await self.settle()
        await super().stop()

    def operation(self, call: Call) -> str:
        if call.path == PATH:
            return "media"
        parts = _parts(call.path)
        if parts[-1:] == ["messages"] and call.method == "POST":
            action = call.fields.get("sender_action")
            return action if isinstance(action, str) and action in SENDER_ACTIONS else "send"
        named = {"conversations", "subscribed_apps", "refresh_access_token", "me"}
        if parts and parts[-1] in named:
            return parts[-1]
        if len(parts) == 1:
            return "profile" if parts[0] in self.contacts or parts[0].isdecimal() else "node"
        return "unknown"

    async def process(self, operation: str, call: Call) -> Reply:
        if operation == "media":
            return self.cdn.answer(call)
        if bearer(call) not in self.tokens:
            return self._refuse(GraphError(190, 0, "Invalid OAuth access token - Cannot parse access token", 401))
        answers = {
            "send": self._send,
            "react": self._react,
            "unreact": self._react,
            "typing_on": self._indicate,
            "typing_off": self._indicate,
            "mark_seen": self._indicate,
            "conversations": self._conversations,
            "subscribed_apps": self._subscribed_apps,
            "refresh_access_token": self._refresh,
            "me": self._me,
            "profile": self._profile,
            "node": self._node,
        }
        answer = answers.get(operation)
        if answer is None:
            return self._refuse(GraphError(100, 0, f"Unsupported {call.method.lower()} request."))
        try:
            return answer(call)
        except GraphError as error:
            return self._refuse(error)

    def error(self, fault: Fault) -> Reply:
        codes = {FaultKind.THROTTLE: (80002 if self.flavor == "instagram" else 80006, 2446079)}
        return scripted_error(fault, codes.get(fault.kind, (2, 0)), self._error_type(), self.node, "instagram")

    # --- messages -----------------------------------------------------------------------------------------------

    def _send(self, call: Call) -> Reply:
        user_id = self._recipient(call)
        message = as_object(call.fields.get("message"))
        text = message.get("text")
        if not isinstance(text, str) or not text.strip():
            raise GraphError(100, 2534015, "Invalid parameter: message text is missing")
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise GraphError(100, 2534052, "Length of param message[text] must be less than or equal to 1000")
        self._check_window(user_id)
        sent = self._deliver(user_id, text, by_api=True)
        facts = {"to": user_id, "mid": sent.mid, "text": text}
        return Reply({"recipient_id": user_id, "message_id": sent.mid}, facts=facts)

    def _react(self, call: Call) -> Reply:
        user_id = self._recipient(call)
        self._check_window(user_id)
        payload = as_object(call.fields.get("payload"))
        mid, reaction = str(payload.get("message_id", "")), payload.get("reaction")
        if not any(message.mid == mid and message.from_id == user_id for message in self.messages):
            raise GraphError(100, 2534064, "Invalid parameter: no such message in this conversation")
        taken_back = call.fields.get("sender_action") == "unreact"
        if not taken_back and not _is_reaction(reaction):
            raise GraphError(100, 0, "Invalid parameter: reaction must be an emoji or love")
        self.reactions.append(Reaction(user_id, mid, None if taken_back else str(reaction), call.at))
        return Reply({"recipient_id": user_id}, facts={"to": user_id, "mid": mid, "reaction": str(reaction or "")})

    def _indicate(self, call: Call) -> Reply:
        user_id = self._recipient(call)
        self._check_window(user_id)
        return Reply({"recipient_id": user_id}, facts={"to": user_id})

    def _recipient(self, call: Call) -> str:
        """Whom this is for. Raises GraphError for a wrong node or an unknown person."""
        self._check_node(_parts(call.path)[0])
        user_id = as_object(call.fields.get("recipient")).get("id")
        if not isinstance(user_id, str) or user_id not in self.contacts:
            raise GraphError(100, 2534014, "The requested user cannot be found.")
        return user_id

    def _check_node(self, node: str) -> None:
        if node in (self.node, "me"):
            return
        if self.flavor == "page" and node == self.account_id:
            raise GraphError(3, 0, "(#3) Application does not have the capability to make this API call.")
        raise GraphError(100, 33, f"Unsupported request. Object with ID '{node}' does not exist")

    def _check_window(self, user_id: str) -> None:
        last = self.contacts[user_id].last_inbound_at
        if last is None or self.clock() - last >= WINDOW_MS:
            raise GraphError(10, 2534022, "(#10) This message is sent outside of allowed window.")

    def _deliver(self, user_id: str, text: str, mid: str = "", *, by_api: bool, echo: bool = True) -> SentMessage:
        mid = mid or self.mids.next(self.account_id, user_id)
        message = SentMessage(mid, self.account_id, user_id, text, self.clock(), by_api)
        self.messages.append(message)
        if self._webhook is not None and echo:
            task = asyncio.create_task(self._echo(message, self._webhook))
            self._echoes.add(task)
            task.add_done_callback(self._echoes.discard)
        return message

    async def _echo(self, message: SentMessage, webhook: WebhookSender) -> None:
        await asyncio.sleep(self.echo_delay)
        item = {
            "sender": {"id": self.account_id},
            "recipient": {"id": message.to_id},
            "timestamp": message.at,
            "message": {"mid": message.mid, "text": message.text, "is_echo": True},
        }
        await webhook.deliver(envelope(self.account_id, [item], self.clock()))

    # --- reading ------------------------------------------------------------------------------------------------

    def _conversations(self, call: Call) -> Reply:
        self._check_node(_parts(call.path)[0])
        if call.query.get("platform") != "instagram" and self.flavor == "page":
            return Reply({"data": []})  # without the platform, the Page flavour lists Messenger only
        wanted = call.query.get("user_id")
        people = [wanted] if wanted else self.mailbox.people()
        horizon, fields = self._horizon(), "" if self.bare_conversations else call.query.get("fields", "")
        data = [self.mailbox.conversation(who, horizon, fields) for who in people if self.mailbox.visible(who, horizon)]
        return Reply({"data": data})

    def _node(self, call: Call) -> Reply:
        """A conversation or a message by its id."""
        node, fields = _parts(call.path)[0], call.query.get("fields", "id,created_time")
        for user_id in self.contacts:
            messages = self.mailbox.visible(user_id, self._horizon())
            if node == conversation_id(user_id) and messages:
                return Reply({"id": node, "messages": self.mailbox.page(messages, fields)})
            for message in messages:
                if message.mid == node:
                    return Reply(self.mailbox.shown(message, fields))
        raise GraphError(100, 33, f"Unsupported get request. Object with ID '{node}' does not exist")

    def _horizon(self) -> float:
        """Messages after this time (ms) are not visible yet."""
        return self.clock() - self.conversation_lag * 1000

    def _profile(self, call: Call) -> Reply:
        user_id = _parts(call.path)[0]
        if user_id == self.node:
            return self._me(call)
        contact = self.contacts.get(user_id)
        if contact is None:
            raise GraphError(100, 33, f"Unsupported get request. Object with ID '{user_id}' does not exist")
        if contact.profile_error == 9010:
            raise GraphError(9010, 0, "(#9010) No matching Instagram user")
        if contact.profile_error == 230 or contact.last_inbound_at is None:
            raise GraphError(230, 0, "(#230) User consent is required to access user profile")
        profile = {"name": contact.name, "username": contact.username}
        asked = call.query.get("fields", "name,username").split(",")
        return Reply({name: profile[name] for name in asked if profile.get(name)} | {"id": user_id})

    # --- the account --------------------------------------------------------------------------------------------

    def _me(self, call: Call) -> Reply:
        whole = {"id": self.node, "user_id": self.account_id, "username": self.mailbox.username, "name": "Riverside CC"}
        asked = call.query.get("fields", "id").split(",")
        return Reply({name: value for name, value in whole.items() if name in [*asked, "id"]})

    def _subscribed_apps(self, call: Call) -> Reply:
        self._check_node(_parts(call.path)[0])
        if call.method == "GET":
            app: dict[str, object] = {
                "id": "1234567890",
                "name": "dm-agent",
                "subscribed_fields": list(self.subscribed),
            }
            return Reply({"data": [app] if self.subscribed else []})
        if call.method == "DELETE":
            self.subscribed = ()
            return Reply({"success": True})
        fields = str(call.query.get("subscribed_fields") or call.fields.get("subscribed_fields", "")).split(",")
        unknown = [name for name in fields if name not in IG_FIELDS.split(",")]
        if unknown:
            raise GraphError(100, 0, f"Param subscribed_fields must be one of {{{IG_FIELDS}}} - got {unknown[0]!r}.")
        self.subscribed = tuple(fields)  # POST replaces the set (docs/platforms/instagram.md#tokens-and-subscription)
        return Reply({"success": True})

    def _refresh(self, call: Call) -> Reply:
        if call.method != "GET":
            raise GraphError(100, 0, "Unsupported request - method type: post")
        if call.query.get("grant_type") != "ig_refresh_token" or self.flavor == "page":
            raise GraphError(100, 0, "Invalid parameter: grant_type")
        if self.token_age_hours < 24:
            raise GraphError(190, 0, "Access token is too new to be refreshed")
        token = f"{self.tokens[0]}-refreshed-{len(self.tokens)}"
        self.tokens.append(token)
        return Reply({"access_token": token, "token_type": "bearer", "expires_in": 60 * 86_400})

    def _refuse(self, error: GraphError) -> Reply:
        return graph_reply(error, self._error_type())

    def _error_type(self) -> str:
        return "IGApiException" if self.flavor == "instagram" else "OAuthException"


def _parts(path: str) -> list[str]:
    """The path's segments without the version."""
    parts = [part for part in path.split("/") if part]
    return parts[1:] if parts and re.fullmatch(r"v\d+\.\d+", parts[0]) else parts


def _is_reaction(value: object) -> bool:
    """The word ``love``, or an emoji: never plain letters."""
    return value == "love" or (isinstance(value, str) and bool(value) and not re.search(r"[ -~]", value))
