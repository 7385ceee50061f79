"""A cold start of the processor loads nothing that only files of messages need."""

import subprocess
import sys

LAZY = ("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "filetype", "tinytag")
"""``PIL.Image`` itself is loaded by google-genai wherever it is installed."""


def test_decoders_are_loaded_with_the_first_file() -> None:
    code = f"import sys, dm_core.bootstrap.processor; print([name for name in {LAZY!r} if name in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)  # noqa: S603

    assert loaded.stdout.strip() == "[]"
