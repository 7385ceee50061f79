"""How much of what people send is looked at."""

from typing import Final

from dm_core.media import MediaKind

MAX_BYTES: Final = {
    MediaKind.PICTURE: 8 * 1024 * 1024,
    MediaKind.VOICE: 8 * 1024 * 1024,
    MediaKind.VIDEO: 10 * 1024 * 1024,
}
"""Of one file. Instagram takes pictures up to 8 MB; three minutes of voice are 1 to 3 MB in every form but raw."""
MAX_SECONDS: Final = {MediaKind.VOICE: 180.0, MediaKind.VIDEO: 15.0}
MAX_COUNT: Final = {MediaKind.PICTURE: 4, MediaKind.VOICE: 2, MediaKind.VIDEO: 1}
"""Of a run."""
MAX_RUN_BYTES: Final = 14 * 1024 * 1024
"""Of all the files of a model request: 19 MB in base64, where a request may have 20
(https://firebase.google.com/docs/ai-logic/input-file-requirements)."""
