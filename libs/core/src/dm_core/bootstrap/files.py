"""What a deployment's folder holds. Apart from the composition root, so that reading it loads no client."""

from dataclasses import dataclass
from pathlib import Path

from dm_core.agent.profile import BusinessProfile, load_profile
from dm_core.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Files:
    """The business's profile and the system prompt."""

    profile: BusinessProfile
    system_md: str


def load_files(folder: Path) -> Files:
    """``folder`` holds ``prompts/`` and ``profile/``. Raises Misconfigured."""
    return Files(load_profile(folder / "profile"), _read(folder / "prompts" / "system.md"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path.parent.name}/{path.name} can't be read ({type(error).__name__})") from error
