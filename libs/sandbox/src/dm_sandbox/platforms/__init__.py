"""Simulators of the platforms: real HTTP servers on this machine, with the real paths, shapes and errors."""
