"""Meta's CDN, as far as messages need it: files under addresses that end, on the server of the Instagram simulator.

An address names Meta's own host (docs/platforms/instagram.md#files-of-messages); ``INSTAGRAM_MEDIA_BASE_URL`` leads the
processor here with it.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from dm_sandbox.platforms.server import Call, Reply

HOST: Final = "lookaside.fbsbx.com"
PATH: Final = "/ig_messaging_cdn/"
FIRST_ASSET: Final = 1_784_147_202


@dataclass(frozen=True, slots=True)
class Asset:
    """A file. ``content_type`` is what the server says it is, true or not."""

    data: bytes
    content_type: str


class Cdn:
    """The files that are there now, by asset id. With ``folder`` they are kept there, and found again after a restart:
    each by its asset id, beside it a file that names its type."""

    def __init__(self, folder: Path | None = None) -> None:
        self.assets: dict[str, Asset] = {}
        self._folder = folder
        for named in sorted(folder.glob("*.type")) if folder else ():
            if named.with_suffix("").is_file():
                self.assets[named.stem] = Asset(named.with_suffix("").read_bytes(), named.read_text("utf-8"))

    def put(self, data: bytes, content_type: str = "application/octet-stream") -> str:
        """Keep a file; its address."""
        asset = str(max(map(int, self.assets), default=FIRST_ASSET - 1) + 1)
        self.assets[asset] = Asset(data, content_type)
        if self._folder is not None:
            self._folder.mkdir(exist_ok=True)
            (self._folder / asset).write_bytes(data)
            (self._folder / f"{asset}.type").write_text(content_type, "utf-8")
        signature = hashlib.sha256(asset.encode()).hexdigest()[:32]
        return f"https://{HOST}{PATH}?asset_id={asset}&signature={signature}"

    def expire(self, url: str) -> None:
        """The address leads to nothing from now on."""
        asset = asset_of(url)
        self.assets[asset] = Asset(b"", "")
        if self._folder is not None:
            (self._folder / f"{asset}.type").unlink(missing_ok=True)
            (self._folder / asset).unlink(missing_ok=True)

    def answer(self, call: Call) -> Reply:
        asset = self.assets.get(call.query.get("asset_id", ""))
        if asset is None or not asset.content_type:
            return Reply("URL signature expired", 403, content_type="text/plain", facts={"error": "expired"})
        return Reply(asset.data, content_type=asset.content_type, facts={"bytes": str(len(asset.data))})


def asset_of(url: str) -> str:
    """The asset's id in an address of ``put``."""
    return parse_qs(urlsplit(url).query).get("asset_id", [""])[0]
