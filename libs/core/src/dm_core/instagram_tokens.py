"""How the access tokens of one or several Instagram accounts are written down as one secret.

IGAA…                                    one token, for whichever account a DM was sent to
17841400000000001=IGAA…,17841400000000002=IGAA…    a token for each account, by the account's id (``entry.id``)
"""

import re
from collections.abc import Mapping

HINT = "must be one token, or ACCOUNT_ID=TOKEN for each account with commas between"

_PAIR = re.compile(r"\s*([0-9]{1,64})\s*=\s*([\x21-\x2b\x2d-\x7e]+)\s*")
"""A token is printable and has no comma. Meta's begin with letters, so ``digits=`` can only begin a pair."""


def is_list(text: str) -> bool:
    """Whether this names accounts, well or badly written."""
    return re.match(r"\s*[0-9]+\s*=", text) is not None


def parse_tokens(text: str, account_id: str) -> dict[str, str]:
    """Account id to token; a plain token is that of ``account_id``. Raises ValueError, which never quotes the text."""
    if not is_list(text):
        return {account_id: text.strip()}
    pairs = [_PAIR.fullmatch(part) for part in text.split(",") if part.strip()]
    tokens = {pair[1]: pair[2] for pair in pairs if pair is not None}
    if len(tokens) != len(pairs):  # one is malformed, or two are for the same account
        raise ValueError(HINT)
    return tokens


def format_tokens(tokens: Mapping[str, str]) -> str:
    """What ``parse_tokens`` reads; one account's token is written plainly."""
    if len(tokens) == 1:
        return next(iter(tokens.values()))
    return ",".join(f"{account_id}={token}" for account_id, token in tokens.items())
