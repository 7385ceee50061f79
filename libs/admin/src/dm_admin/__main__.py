"""``python -m dm_admin``."""

from dm_admin.app import main

main()
