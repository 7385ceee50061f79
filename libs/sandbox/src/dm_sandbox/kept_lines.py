"""Lines that survive the process. A disk that takes none stops nobody: that is said once, and each line is tried."""

from pathlib import Path


class KeptLines:
    """A file that grows by a line at a time, unbuffered: what fails leaves nothing behind that fails again."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._failed = False

    def append(self, line: str) -> str:
        """Why it is not kept, the first time in a row; else nothing."""
        already, self._failed = self._failed, False
        whole = f"{'\n' if already else ''}{line}\n".encode()
        try:
            self._failed = self._file.write(whole) != len(whole)
            why = "the disk is full"
        except OSError as error:
            self._failed, why = True, error.strerror or "it can't be written to"
        return why if self._failed and not already else ""

    def close(self) -> None:
        self._file.close()
