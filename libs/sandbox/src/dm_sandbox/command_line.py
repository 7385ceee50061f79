"""Arguments of the sandbox's commands. What can't be understood is one line, and exit code 2."""

import argparse
import math
from typing import NoReturn

MOST = 10**12


class Parser(argparse.ArgumentParser):
    """Without the usage in front of what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def positive(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1)


def from_zero(text: str) -> int:
    """A whole number from 0, such as a seed."""
    return _whole(text, 0)


def duration(text: str) -> float:
    """A time over 0, in seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds over 0")
    return value


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdecimal()) or not least <= int(text[:20]) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least}")
    return int(text)
