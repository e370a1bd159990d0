"""Erasing what the pipeline stored of a person: their events here, and what quotes them elsewhere."""

from notifications.store.erasure.events import Erased, closing, end_open, erase_events
from notifications.store.erasure.mentions import erase_mentions

__all__ = ["Erased", "closing", "end_open", "erase_events", "erase_mentions"]
