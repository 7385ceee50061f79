"""Makes what is deployed: per function one zip, the same bytes from the same tree on any machine.

    main.py  profile/  prompts/          the function's own files (profile and prompts: the processor's)
    vendor/dm_core-….whl                 the core library, as a wheel with metadata, so that ``pip check`` covers it
    requirements.txt                     everything the function needs, pinned and hashed, from uv.lock

Google's builder installs ``requirements.txt`` with pip or uv; both accept a vendored wheel with its hash
(docs/adr/0003-bundling.md). Nothing here imports pulumi: ``make bundle`` works without it.
"""

from bundling.errors import BundlingError
from bundling.functions import FUNCTIONS, Bundle, FunctionName, bundle

__all__ = ["FUNCTIONS", "Bundle", "BundlingError", "FunctionName", "bundle"]
