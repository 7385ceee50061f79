"""Which stacks are production: decided by the name alone, so that no key of the configuration can say otherwise."""

import re


def is_production(stack: str) -> bool:
    """One of the name's words starts with prod, in any case (``prod``, ``Production``, ``club-prod``, ``prod_eu``)."""
    return any(word.startswith("prod") for word in re.split(r"[-_.]", stack.lower()))
