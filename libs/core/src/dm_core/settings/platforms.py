"""How the model, Instagram and Spond are reached."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from dm_core.instagram_tokens import HINT, is_list, parse_tokens
from dm_core.settings import table
from dm_core.settings.reader import Reader

Flavor = Literal["instagram", "page"]

INSTAGRAM_HOSTS: Mapping[Flavor, str] = {
    "instagram": "https://graph.instagram.com",
    "page": "https://graph.facebook.com",
}


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model answers. ``base_url`` points elsewhere than Google; ``timeout`` in seconds an attempt.

    ``thinking``: the level asked for, empty for the model's own.
    """

    model: str
    api_key: str | None
    vertex: bool
    project: str
    location: str
    base_url: str | None
    timeout: float
    thinking: str = ""


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


_TOKEN: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
"""One token: printable, without blanks and commas."""


def read_model(reader: Reader) -> ModelSettings:
    vertex = reader.read(table.GOOGLE_GENAI_USE_VERTEXAI)
    api_key = reader.read(table.GEMINI_API_KEY) or None
    if not vertex and api_key is None:
        missing = "is missing (or set GOOGLE_GENAI_USE_VERTEXAI=true and GOOGLE_CLOUD_LOCATION)"
        reader.problem(table.GEMINI_API_KEY, missing)
    location = reader.read(table.GOOGLE_CLOUD_LOCATION)
    if vertex and not location:
        reader.problem(table.GOOGLE_CLOUD_LOCATION, "is missing")
    return ModelSettings(
        model=reader.read(table.GEMINI_MODEL),
        api_key=api_key,
        vertex=vertex,
        project=reader.read(table.GOOGLE_CLOUD_PROJECT),
        location=location,
        base_url=reader.read(table.GOOGLE_GEMINI_BASE_URL) or None,
        timeout=reader.read(table.MODEL_TIMEOUT_SECONDS),
        thinking=reader.read(table.GEMINI_THINKING),
    )


def read_instagram(reader: Reader) -> InstagramSettings:
    flavor, node = reader.read(table.INSTAGRAM_API_FLAVOR), reader.read(table.INSTAGRAM_PAGE_ID)
    return InstagramSettings(
        flavor=flavor,
        base_url=reader.base_url(table.INSTAGRAM_API_BASE_URL) or INSTAGRAM_HOSTS[flavor],
        version=reader.read(table.GRAPH_API_VERSION),
        node=node,
        access_token=_access_token(reader, flavor, node),
        token_secret=reader.read(table.INSTAGRAM_TOKEN_SECRET) or None,
        token_file=reader.read(table.INSTAGRAM_TOKEN_FILE) or None,
    )


def _access_token(reader: Reader, flavor: Flavor, node: str) -> str:
    """One token, or a list by account. A page's id is not its account's, so on that flavour there is no list."""
    setting = table.INSTAGRAM_ACCESS_TOKEN
    value = reader.read(setting)
    if not is_list(value):
        if value and not _TOKEN.fullmatch(value):
            reader.problem(setting, HINT)
        return value
    if flavor == "page":
        reader.problem(setting, "can name several accounts only with INSTAGRAM_API_FLAVOR=instagram")
    try:
        if node not in parse_tokens(value, node):
            reader.problem(table.INSTAGRAM_PAGE_ID, f"must be one of the accounts that {setting.name} names")
    except ValueError:
        reader.problem(setting, HINT)
    return value


_GROUP: Final = re.compile(r"[0-9A-Za-z-]{1,64}(?:/[0-9A-Za-z-]{1,64})?")


def read_spond(reader: Reader) -> SpondSettings | None:
    """All three or none: a business without Spond simply has no schedule."""
    needed = (table.SPOND_USERNAME, table.SPOND_PASSWORD, table.SPOND_GROUP_ID)
    username, password, listed = (reader.read(setting) for setting in needed)
    if not (username or password or listed):
        return None
    for setting in needed:
        if not reader.is_set(setting):
            reader.problem(setting, "is missing")
    groups = tuple(dict.fromkeys(part.strip() for part in listed.split(",") if part.strip()))
    if listed and not (groups and all(_GROUP.fullmatch(group) for group in groups)):
        reader.problem(table.SPOND_GROUP_ID, "must be group ids such as G1 or G1,G2/S1 (S1: a subgroup of G2)")
    return SpondSettings(reader.base_url(table.SPOND_API_BASE_URL), username, password, groups)
