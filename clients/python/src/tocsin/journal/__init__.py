"""The journal: events on disk until their final ack. SQLite, one fsync for all that wait for it."""

from tocsin.journal.sender_lock import SenderLock
from tocsin.journal.store import Entry, Journal, Row, State
from tocsin.journal.syncing import Syncing

__all__ = ["Entry", "Journal", "Row", "SenderLock", "State", "Syncing"]
