"""The send buffer of one connection, in this process and in the kernel."""

import contextlib
import socket
from typing import Any

from gateway.server.flow import FlowControl

# What the kernel holds and has not sent. Without this it takes megabytes for a client that reads nothing,
# and our own buffer would say that all is well.
_KERNEL_UNSENT_BYTES = 16 * 1024


def bound_buffers(transport: Any, flow: FlowControl, high_water: int) -> None:
    """Let a Twisted `transport` tell `flow` when more than `high_water` bytes wait, and when none do."""
    transport.unregisterProducer()  # the HTTP request that this connection was until now
    transport.bufferSize = high_water
    transport.registerProducer(flow, True)
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        with contextlib.suppress(OSError, AttributeError):  # not a TCP socket
            transport.getHandle().setsockopt(socket.IPPROTO_TCP, option, _KERNEL_UNSENT_BYTES)
