"""The tests of the rules share the plain modules beside them, and those of the checks."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "checks")]
