"""Why an address cannot be listened on. For the web server, and for the supervisor before it starts one."""

from __future__ import annotations

import errno
import socket


def problem(host: str, port: int) -> str:
    """Try to listen on this address. -> why that is not possible, or ""."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return why_not(host, port, error)
    return ""


def why_not(host: str, port: int, error: Exception) -> str:
    """One line on why this address cannot be listened on."""
    address = f"{f'[{host}]' if ':' in host else host}:{port}"
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return f"Another program listens on {address} already. Stop it, or set MUSTER_PORT to another port."
        case errno.EACCES:
            return f"This user may not listen on {address}. Set MUSTER_PORT to a port above 1023."
        case _:
            return f"{address} is no address of this machine. Set MUSTER_HOST to one, such as 127.0.0.1."
