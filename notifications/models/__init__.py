"""The tables of the pipeline. Only `store` writes events and deliveries."""

from notifications.models.bot import BotUpdate, MessageEdit
from notifications.models.broadcast import Broadcast
from notifications.models.callback_message import CallbackMessage
from notifications.models.delivery import Attempt, Delivery
from notifications.models.event import DeadLetter, Event, InboxCursor
from notifications.models.message_template import MessageTemplate, TemplateChange, TemplateVersion
from notifications.models.quarantine import Quarantine
from notifications.models.replay import Replay
from notifications.models.simulated import SimulatedEvent

__all__ = [
    "Attempt",
    "BotUpdate",
    "Broadcast",
    "CallbackMessage",
    "DeadLetter",
    "Delivery",
    "Event",
    "InboxCursor",
    "MessageEdit",
    "MessageTemplate",
    "Quarantine",
    "Replay",
    "SimulatedEvent",
    "TemplateChange",
    "TemplateVersion",
]
