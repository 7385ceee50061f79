"""What can go wrong while bundling."""


class BundlingError(Exception):
    """The tree can't be bundled as it is. The message is one line that says what to do."""
