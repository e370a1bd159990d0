"""The send buffer of one connection, in this process and in the kernel."""

import contextlib
import socket
from typing import Any

from gateway.server.flow import FlowControl

# Limits the unsent bytes in the kernel. Without it the kernel accepts megabytes for a client that reads
# nothing, and our own buffer stays empty.
_KERNEL_UNSENT_BYTES = 16 * 1024


def bound_buffers(transport: Any, flow: FlowControl, high_water: int) -> None:
    """Make a Twisted `transport` pause `flow` above `high_water` waiting bytes, and resume it at none."""
    transport.unregisterProducer()  # the connection's HTTP request, now upgraded
    transport.bufferSize = high_water
    transport.registerProducer(flow, True)
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        with contextlib.suppress(OSError, AttributeError):  # not a TCP socket
            transport.getHandle().setsockopt(socket.IPPROTO_TCP, option, _KERNEL_UNSENT_BYTES)
