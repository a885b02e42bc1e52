"""Whether a port can be bound."""

import socket


def why_not(host: str, port: int) -> str:
    """Return why an address cannot be served; empty when it can.

    Example:
        >>> why_not("127.0.0.1", 0)
        ''
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # A port whose last connections are still closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def another(port: int) -> int:
    """Return a port to try instead."""
    return port + 1 if port < 65535 else 0
