"""Free TCP ports on this machine."""

import socket


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on now. Whoever takes it must do so soon: it is not held."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on it now (old connections of an earlier one do not count)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
