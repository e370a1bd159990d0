"""One update as its handlers see it, and what they leave to be done after the commit."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from notifications.bot.notices import Notice
from notifications.effects import Effects
from notifications.states import Channel
from notifications.transports.telegram.answers import Answer, Rows, Say
from notifications.transports.telegram.updates import Inbound
from users import inbound as chats
from users.models import Destination, User

KIND = int(Channel.TELEGRAM)


@dataclass
class Conversation:
    """The handlers of an update read it, and add what follows."""

    inbound: Inbound
    now: datetime
    answers: list[Answer] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)
    notices: list[Notice] = field(default_factory=list)

    @property
    def chat_id(self) -> str:
        return self.inbound.chat_id

    @cached_property
    def linked(self) -> tuple[User, Destination] | None:
        """The person of this chat, with the destination."""
        return chats.person_at(KIND, self.chat_id)

    @property
    def person(self) -> User | None:
        return self.linked[0] if self.linked else None

    @property
    def locale(self) -> str:
        """The person's locale; until it is known who they are, that of their Telegram."""
        return self.person.locale if self.person else self.inbound.language or "en"

    def say(self, text: str, buttons: Rows = ()) -> None:
        self.answers.append(Say(text, buttons))

    def tell(self, person: User, what: str, **values: Any) -> None:
        """Let the person hear of this on their other channels."""
        self.notices.append(Notice(person.external_id, what, values, self.inbound.update_id))
