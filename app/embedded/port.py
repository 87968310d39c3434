"""Whether the API could listen where it is told to; `inkfold up` and `inkfold api` ask before they start it."""

import errno
import socket

from app.embedded.errors import StartError

_LAST_PORT = 65_535


def check_port(host: str, port: int) -> None:
    """Raise StartError when the API could not listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen(1)
    except PermissionError as error:
        raise StartError(f"Port {port} is reserved for root. Choose another one: PORT=8000.") from error
    except (socket.gaierror, UnicodeError) as error:
        raise StartError(f"HOST={host} is not an address of this machine.") from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise StartError(f"HOST={host} is not an address of this machine.") from error
        raise StartError(
            f"Port {port} on {host} cannot be listened on: {(error.strerror or str(error)).lower()}. "
            f"Stop the program that uses it, or choose another port: PORT={port % _LAST_PORT + 1}."
        ) from error
