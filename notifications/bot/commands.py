"""What a person writes: commands, and anything else, which is answered with what the bot can do."""

from collections.abc import Callable

from django.db.models import Count, Min

from notifications.bot import linking, mutes, notices, preferences
from notifications.bot.conversation import KIND, Conversation
from notifications.bot.linking import name_of
from notifications.live.frames import to_ms
from notifications.models import Delivery
from notifications.rendering.conventions.dates import local_time
from notifications.rendering.conventions.numbers import decimal
from notifications.rendering.locales import gettext, ngettext
from notifications.rendering.render import zone_of
from notifications.states import DeliveryState
from notifications.transports import registry
from notifications.transports.telegram.updates import Written
from users import inbound as chats
from users.models import Destination, User

_ARRIVED = (DeliveryState.SENT, DeliveryState.CONFIRMED)


def on_written(talk: Conversation, what: Written) -> None:
    """Answer a message. In a group the bot only says that it does not talk there, and only if it is asked."""
    if not talk.inbound.is_private:
        if what.command in _COMMANDS:
            talk.say(gettext("I talk to one person at a time: write to me in a chat of our own."))
        return
    command = _COMMANDS.get(what.command)
    if command is None:
        talk.say(_help(talk))
    else:
        command(talk, what.argument)


def _start(talk: Conversation, token: str) -> None:
    if token:
        linking.open_link(talk, token)
        return
    if chats.enable(KIND, talk.chat_id, chats.STOPPED) and talk.person is not None:
        talk.say(gettext("Messages come here again."))
        return
    talk.say(_help(talk))


def _status(talk: Conversation, _: str) -> None:
    if talk.linked is None:
        talk.say(_help(talk))
        return
    person, destination = talk.linked
    lines = [gettext("This chat is linked to %s.") % name_of(person)]
    if destination.disabled_at is not None:
        lines.append(gettext("No messages come here: %s.") % destination.disabled_reason)
    on = [
        gettext(registry.spec(one).label) for one, is_on in preferences.switched_on(person).items() if is_on
    ]
    lines.append(gettext("Switched on: %s") % (", ".join(on) or gettext("nothing")))
    lines += mutes.described(talk, person)
    lines += _waiting(talk, person, destination)
    lines.append(_last_message(person, destination))
    talk.say("\n".join(lines))


def _waiting(talk: Conversation, person: User, destination: Destination) -> list[str]:
    """Return a line on what waits for a digest here; none if nothing does."""
    waiting = Delivery.objects.filter(destination=destination, digest_at__gt=talk.now, ring_at__isnull=False)
    found = waiting.aggregate(count=Count("pk"), at=Min("digest_at"))
    if not found["count"]:
        return []
    sentence = ngettext(
        "%(count)s message waits for the next digest: %(time)s",
        "%(count)s messages wait for the next digest: %(time)s",
        found["count"],
    )
    at = local_time(to_ms(found["at"]), zone_of(person.time_zone))
    return [sentence % {"count": decimal("", str(found["count"])), "time": at}]


def _last_message(person: User, destination: Destination) -> str:
    sent = Delivery.objects.filter(destination=destination, state__in=_ARRIVED, ended_at__isnull=False)
    at = sent.order_by("-ended_at").values_list("ended_at", flat=True).first()
    if at is None:
        return gettext("No message was sent here yet.")
    return gettext("Last message here: %s") % local_time(to_ms(at), zone_of(person.time_zone))


def _preferences(talk: Conversation, _: str) -> None:
    if talk.person is None:
        talk.say(_help(talk))
    else:
        preferences.show(talk, talk.person)


def _mute(talk: Conversation, wish: str) -> None:
    if talk.person is None:
        talk.say(_help(talk))
    else:
        mutes.change(talk, talk.person, wish)


def _stop(talk: Conversation, _: str) -> None:
    stopped = chats.disable(KIND, talk.chat_id, chats.STOPPED, now=talk.now)
    if not stopped:
        talk.say(_help(talk))
        return
    talk.say(gettext("No more messages come here. Write /start to get them again."))
    for person in stopped:
        talk.tell(person, notices.STOPPED)


def _help(talk: Conversation) -> str:
    if talk.person is None:
        return gettext(
            "I bring you notifications. This chat is not linked to anybody yet: open the link for Telegram in"
            " your notification settings, and press Start."
        )
    lines = (
        gettext("/status shows what comes here"),
        gettext("/mute 2h is silence for two hours, /mute off ends it"),
        gettext("/preferences switches channels and groups of messages on and off"),
        gettext("/stop ends messages here"),
    )
    return "\n".join(lines)


_COMMANDS: dict[str, Callable[[Conversation, str], None]] = {
    "start": _start,
    "status": _status,
    "mute": _mute,
    "preferences": _preferences,
    "stop": _stop,
}
