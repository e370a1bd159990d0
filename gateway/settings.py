"""The edge's settings. Units are in the names."""

from dataclasses import dataclass

from django.conf import settings

from runtime.settings import setting


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """What `TOCSIN_<NAME>` may override; for one test: `replace(edge_settings(), window_frames=2)`."""

    sockets_per_person: int = setting(10, "open sockets of one person; further ones are refused")
    sockets_per_address: int = setting(
        50, "open sockets from one IPv4 address or IPv6 /64 network; 0: no limit"
    )
    trusted_proxies: int = setting(
        0,
        "proxies before the gateway that each add to `X-Forwarded-For`: so many values from its end is the"
        " client's address, and `X-Forwarded-Proto` counts in production; 0: neither is believed",
    )
    sockets_unauthenticated: int = setting(100, "sockets of one process that have not signed in yet")
    accept_per_s: float = setting(150.0, "sockets that one process accepts per second")
    socket_frames_per_s: int = setting(
        20, "frames of one client per second; above it and its burst the socket is closed with 4029"
    )
    socket_frames_burst: int = setting(40, "frames of one client at once")
    flood_pause_s: float = setting(
        10.0,
        "a person whose socket was closed for flooding and who reconnects sooner gets `ready` only after"
        " 50 to 100 % of the rest of this; keep it under 20",
    )
    stream_max: int = setting(
        100_000,
        "entries of the ingress stream above which all but CRITICAL events are refused as `overloaded`."
        " 0: no bound",
    )
    key_rate_per_s: int = setting(
        0, "events and calls of an API key per second, unless the key has a rate of its own. 0: no limit"
    )
    socket_life_s: float = setting(3_600.0, "a client is asked to reconnect after 90 to 100 % of this")
    ticket_s: int = setting(30, "a ticket is valid for this long")
    drain_s: float = setting(5.0, "a stopping process closes its sockets within this")
    auth_within_s: float = setting(
        5.0, "a socket without a browser session must send its token within this", tuning=True
    )
    ping_every_s: float = setting(
        12.0,
        "a WebSocket ping to every socket; with `pong_within_s` a dead client is gone within 35 s",
        tuning=True,
    )
    pong_within_s: float = setting(
        16.0, "a ping must be answered within this, else the socket is closed with 4008", tuning=True
    )
    accept_burst: int = setting(50, "sockets accepted at once before the rate counts", tuning=True)
    accept_wait_s: float = setting(
        3.0, "a socket waits at most this long to be accepted, then it is refused", tuning=True
    )
    recheck_s: float = setting(
        30.0, "a socket's credential is checked again after this, to 1.5 times this", tuning=True
    )
    window_frames: int = setting(
        64, "unconfirmed events on one socket; further ones wait in Postgres", tuning=True
    )
    window_bytes: int = setting(262_144, "the same in bytes of frames", tuning=True)
    slow_close_s: float = setting(
        30.0, "a socket with a full window that confirms nothing is closed after this", tuning=True
    )
    arriving_connections: int = setting(
        500, "connections of one process whose next request is not there yet; above it the oldest end"
    )
    arriving_bytes: int = setting(
        6_291_456, "bytes of bodies that are arriving in one process; above it the oldest end with 503"
    )
    head_within_s: float = setting(
        10.0, "the head of a request must be here within this, and an answer be taken", tuning=True
    )
    body_within_s: float = setting(30.0, "the body of a request must be here within this", tuning=True)
    resync_s: float = setting(
        15.0, "a socket compares its `seq` with Postgres after this, to twice this", tuning=True
    )


def edge_settings() -> EdgeSettings:
    """Return the edge's settings in this process (`settings.TOCSIN_EDGE`)."""
    current: EdgeSettings = settings.TOCSIN_EDGE
    return current
