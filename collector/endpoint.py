"""Where a server listens: ``localhost:4317`` → bound sockets, or one sentence about what is in the way.

localhost:4317   every loopback address, IPv4 and IPv6
0.0.0.0:4317     as given                [::]:4317   every interface, IPv6 and IPv4
:4317            every interface         host:0      a free port, the same on each address
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from typing import Annotated

from pydantic import AfterValidator

from agenttracer.collector.component import Worker
from agenttracer.collector.errors import StartError

_BACKLOG = 1024
_ENDPOINT = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<host>[^:\[\]/]*)):(?P<port>\d{1,5})")
_CAUSES = {
    errno.EADDRINUSE: "the port is in use; stop the process that has it, or change the endpoint",
    errno.EACCES: "this user may not open that port; choose one above 1023",
    errno.EPERM: "this user may not open that port; choose one above 1023",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address; change the endpoint",
}


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """Host (empty for every interface) and port; raises ``ValueError``."""
    match = _ENDPOINT.fullmatch(endpoint)
    if match is None or int(match["port"]) > 65535:
        raise ValueError("must be host:port, like localhost:4317 or 0.0.0.0:4317")
    return match["ipv6"] or match["host"] or "", int(match["port"])


def _checked(endpoint: str) -> str:
    split_endpoint(endpoint)
    return endpoint


Endpoint = Annotated[str, AfterValidator(_checked)]
"""An option's type: ``host:port``."""


def is_loopback(endpoint: str) -> bool:
    """Whether only this machine can reach the endpoint."""
    host, _ = split_endpoint(endpoint)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(endpoint: str, who: str, *, shared: bool = False, listening: bool = True) -> list[socket.socket]:
    """Listening sockets, one an address, all on one port; ``who`` begins the ``StartError``'s sentence.

    The kernel deals connections out among the processes that listen on a ``shared`` port.
    """
    host, port = split_endpoint(endpoint)
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host):
            try:
                sockets.append(_open(family, address, port, shared=shared, listening=listening))
            except OSError as error:
                if host == "localhost" and family == socket.AF_INET6 and error.errno != errno.EADDRINUSE:
                    continue  # a machine without IPv6
                raise
            port = sockets[0].getsockname()[1]
    except OSError as error:
        for opened in sockets:
            opened.close()
        if isinstance(error, socket.gaierror):
            cause = "the host name has no address; change the endpoint"
        else:
            cause = _CAUSES.get(error.errno or 0, f"{error.strerror}; change the endpoint")
        raise StartError(f"{who} can't listen on {endpoint}: {cause}.") from error
    return sockets


def bind_as_worker(endpoint: str, who: str, worker: Worker, *, listening: bool = True) -> list[socket.socket]:
    """As ``bind``, on ports that the workers share; the first of them makes sure that nobody else has them."""
    if worker.count > 1 and not worker.joins:
        for opened in bind(endpoint, who):
            opened.close()
    return bind(endpoint, who, shared=worker.count > 1, listening=listening)


def _open(
    family: socket.AddressFamily, address: str, port: int, *, shared: bool, listening: bool
) -> socket.socket:
    every = address == "::" and socket.has_dualstack_ipv6()
    if listening:
        return socket.create_server(
            (address, port), family=family, backlog=_BACKLOG, reuse_port=shared, dualstack_ipv6=every
        )
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not every))
        opened.bind((address, port))
    except OSError:
        opened.close()
        raise
    return opened


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    if host == "localhost":
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    if not host:
        return [(socket.AF_INET6, "::")] if socket.has_dualstack_ipv6() else [(socket.AF_INET, "0.0.0.0")]  # noqa: S104 - asked for
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))
