"""The budgets that can be counted; ``benchmarks/`` holds the counting, and measures the ones that need a clock."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
