"""Which addresses media are fetched from: hosts of Meta's CDN over https, and only those.

What a webhook names as a file's address is signed by Meta, but a person chooses much of what a message holds. So a link
must be ``https``, without user, password or another port, on a host of the list; a redirect must be the same.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

CDN_HOSTS: Final = ("cdninstagram.com", "fbcdn.net", "fbsbx.com")
"""Meta's CDN, by the end of the name on a label's border. ``lookaside.fbsbx.com/ig_messaging_cdn/`` is where files of
messages are (https://github.com/chatwoot/chatwoot/issues/8512), ``*.cdninstagram.com`` and ``*.fbcdn.net`` where those
of posts and stories are (the image sources in the content security policy of developers.facebook.com)."""
MAX_URL_CHARS: Final = 2_048

_HOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}")


@dataclass(frozen=True, slots=True)
class MediaUrl:
    """A checked address, taken apart. ``target`` is path and query as they are sent."""

    host: str
    target: str

    @property
    def text(self) -> str:
        return f"https://{self.host}{self.target}"


def media_url(url: str) -> MediaUrl | None:
    """The address if media may be fetched from it, else None."""
    if len(url) > MAX_URL_CHARS or not url.isascii() or any(character <= " " or character == "\\" for character in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.netloc.lower().removesuffix(":443")
    if parts.scheme != "https" or port not in (None, 443) or not _HOST.fullmatch(host):
        return None  # a user, a password or an IP address is no host either
    if not any(host == suffix or host.endswith(f".{suffix}") for suffix in CDN_HOSTS):
        return None
    return MediaUrl(host, f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}")


def redirected(url: MediaUrl, location: str) -> MediaUrl | None:
    """Where a redirect leads, if media may be fetched from there."""
    try:
        return media_url(urljoin(url.text, location))
    except ValueError:
        return None
