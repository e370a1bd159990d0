"""Acks for people, one line each."""

from __future__ import annotations

from tocsin.acks import Ack


def line(ack: Ack) -> str:
    """Return an ack in one line: what became of it, by which channel, or why not."""
    parts = [ack.event_id, ack.status]
    if ack.delivered:
        parts += [f"via {ack.delivered_via}", f"evidence {ack.evidence}"]
    if ack.code:
        parts.append(f"{ack.code}: {ack.detail}" if ack.detail else ack.code)
    elif ack.detail:
        parts.append(ack.detail)
    parts += [f"{one.channel} {one.state} {one.reason}".rstrip() for one in ack.outcomes if not ack.delivered]
    return "  ".join(parts)
