"""How the model, Instagram and Spond are reached."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from dm_core.instagram_tokens import HINT, is_list, parse_tokens
from dm_core.settings.reader import Reader

Flavor = Literal["instagram", "page"]

INSTAGRAM_HOSTS: Mapping[Flavor, str] = {
    "instagram": "https://graph.instagram.com",
    "page": "https://graph.facebook.com",
}


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model answers. ``base_url`` points elsewhere than Google; ``timeout`` in seconds an attempt."""

    model: str
    api_key: str | None
    vertex: bool
    project: str
    location: str
    base_url: str | None
    timeout: float


@dataclass(frozen=True, slots=True)
class InstagramSettings:
    """How the account, or each of several, is reached.

    ``node`` is what a send names as its sender; ``access_token`` one token, or a list by account
    (``dm_core.instagram_tokens``).
    """

    flavor: Flavor
    base_url: str
    version: str
    node: str
    access_token: str
    token_secret: str | None
    token_file: str | None

    @property
    def names_accounts(self) -> bool:
        """Only the accounts that are named have a token; else one token serves whichever account is written to."""
        return is_list(self.access_token)

    @property
    def tokens(self) -> dict[str, str]:
        """Token by account id; that of a single plain token is the node."""
        return parse_tokens(self.access_token, self.node)

    def of_each(self) -> "dict[str, InstagramSettings]":
        """These settings for one account each."""
        return {each: replace(self, node=each, access_token=token) for each, token in self.tokens.items()}


@dataclass(frozen=True, slots=True)
class SpondSettings:
    """The groups' calendars. ``groups``: ids, each alone or with a subgroup's (``G1/S1``)."""

    base_url: str
    username: str
    password: str
    groups: tuple[str, ...]


def read_model(reader: Reader) -> ModelSettings:
    vertex = reader.flag("GOOGLE_GENAI_USE_VERTEXAI")
    api_key = reader.optional("GEMINI_API_KEY")
    if not vertex and api_key is None:
        reader.problem("GEMINI_API_KEY", "is missing (or set GOOGLE_GENAI_USE_VERTEXAI=true and GOOGLE_CLOUD_LOCATION)")
    return ModelSettings(
        model=reader.text("GEMINI_MODEL", "gemini-3.8-flash", r"[A-Za-z0-9._/-]{1,200}", "must be a model name"),
        api_key=api_key,
        vertex=vertex,
        project=reader.text("GOOGLE_CLOUD_PROJECT"),
        location=reader.text("GOOGLE_CLOUD_LOCATION") if vertex else reader.optional("GOOGLE_CLOUD_LOCATION") or "",
        base_url=reader.url("GOOGLE_GEMINI_BASE_URL") if reader.optional("GOOGLE_GEMINI_BASE_URL") else None,
        timeout=reader.number("MODEL_TIMEOUT_SECONDS", 60, 1, 600),
    )


def read_instagram(reader: Reader) -> InstagramSettings:
    flavor: Flavor = reader.choice("INSTAGRAM_API_FLAVOR", "instagram", ("instagram", "page"))
    node = reader.text("INSTAGRAM_PAGE_ID", None, r"[0-9A-Za-z._-]{1,64}", "must be an account or page id")
    return InstagramSettings(
        flavor=flavor,
        base_url=reader.base_url("INSTAGRAM_API_BASE_URL", INSTAGRAM_HOSTS[flavor]),
        version=graph_version(reader),
        node=node,
        access_token=_access_token(reader, flavor, node),
        token_secret=reader.optional("INSTAGRAM_TOKEN_SECRET"),
        token_file=reader.optional("INSTAGRAM_TOKEN_FILE"),
    )


def _access_token(reader: Reader, flavor: Flavor, node: str) -> str:
    """One token, or a list by account. A page's id is not its account's, so on that flavour there is no list."""
    name = "INSTAGRAM_ACCESS_TOKEN"
    value = reader.text(name)
    if not is_list(value):
        return value
    if flavor == "page":
        reader.problem(name, "can name several accounts only with INSTAGRAM_API_FLAVOR=instagram")
    try:
        if node not in parse_tokens(value, node):
            reader.problem("INSTAGRAM_PAGE_ID", f"must be one of the accounts that {name} names")
    except ValueError:
        reader.problem(name, HINT)
    return value


_GROUP: Final = re.compile(r"[0-9A-Za-z-]{1,64}(?:/[0-9A-Za-z-]{1,64})?")


def read_spond(reader: Reader) -> SpondSettings | None:
    """All three or none: a business without Spond simply has no schedule."""
    names = ("SPOND_USERNAME", "SPOND_PASSWORD", "SPOND_GROUP_ID")
    if not any(reader.optional(name) for name in names):
        return None
    username, password, _ = (reader.text(name) for name in names)
    groups = tuple(dict.fromkeys(reader.texts("SPOND_GROUP_ID", "")))
    if reader.optional("SPOND_GROUP_ID") and not (groups and all(_GROUP.fullmatch(group) for group in groups)):
        reader.problem("SPOND_GROUP_ID", "must be group ids such as G1 or G1,G2/S1 (S1: a subgroup of G2)")
    return SpondSettings(
        reader.base_url("SPOND_API_BASE_URL", "https://api.spond.com/core/v1"), username, password, groups
    )


def graph_version(reader: Reader) -> str:
    return reader.text("GRAPH_API_VERSION", "v26.0", r"v[0-9]{1,3}\.[0-9]{1,2}", "must look like v26.0")
