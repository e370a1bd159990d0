"""Close codes of a WebSocket that the server chooses. docs/websocket.md says what a client does after each.

Plain integers: Autobahn refuses every other type, an `IntEnum` too.
"""

RESTART = 1012  # planned: the process ends, or the socket has reached its maximum age
UNAUTHENTICATED = 4001  # the sign-in failed, did not come in time, has expired or was revoked
FORBIDDEN_ORIGIN = 4003  # pages of this Origin must not connect
SLOW = 4008  # the client confirms nothing, reads nothing, or answers no ping
TOO_MANY_SOCKETS = 4009  # of one person or one address
UNKNOWN_SUBPROTOCOL = 4010  # the server knows none of the offered sub-protocols
UNAVAILABLE = 4013  # busy, or the database or Redis is away: the client reconnects later
FLOODING = 4029  # more frames than allowed
