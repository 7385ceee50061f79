"""The policy pack: ``pulumi preview --policy-pack infra/policy`` runs this folder as a program."""

import sys
from pathlib import Path

# The engine runs this folder, not the one above it, which the rules are imported from.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import PolicyPack

from policy.pack import NAME, policies

PolicyPack(name=NAME, policies=policies())
