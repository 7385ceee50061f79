"""``python -m dm_evals``: see ``cli``."""

import sys

from dm_evals.cli.main import main

sys.exit(main())
