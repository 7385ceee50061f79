"""The sandbox's own entry points of the two functions: the production code, with a switchboard around its ports.

Never bundled, never deployed: ``functions/`` at the top of the repository holds what is.
"""
