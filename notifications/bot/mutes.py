"""/mute: silence for a while, on all channels. What is muted is in the inbox, and CRITICAL events pierce."""

from datetime import datetime

from django.db.models import QuerySet

from notifications import store
from notifications.bot.conversation import Conversation
from notifications.bot.durations import parse
from notifications.live.frames import to_ms
from notifications.rendering.conventions.dates import local_time
from notifications.rendering.locales import gettext
from notifications.rendering.render import zone_of
from users.models import Mute, User
from users.people import preferences
from users.people.preferences import MuteWish


def change(talk: Conversation, person: User, wish: str) -> None:
    """Do what is asked for, or say how it is asked for."""
    silence = parse(wish, now=talk.now, zone=zone_of(person.time_zone))
    if silence is None:
        usage = gettext("Write /mute 2h, /mute until 08:00 or /mute off.")
        talk.say("\n".join([*described(talk, person), usage]))
    elif silence.until is None:
        _of_everything(person).delete()
        talk.effects.add(store.look_again(person.pk, now=talk.now))
        talk.say(gettext("Messages come again."))
    else:
        preferences.mute(person, MuteWish(until=silence.until))
        talk.effects.add(store.look_again(person.pk, now=talk.now))
        talk.say(gettext("Silence until %s. CRITICAL messages still come.") % _time(person, silence.until))


def described(talk: Conversation, person: User) -> list[str]:
    """Return a line on what is muted now; none if nothing is."""
    running = [mute for mute in _of_everything(person) if mute.until is None or mute.until > talk.now]
    if not running:
        return []
    until = running[0].until
    if until is None:
        return [gettext("Everything is muted until you write /mute off.")]
    return [gettext("Everything is muted until %s.") % _time(person, until)]


def _of_everything(person: User) -> "QuerySet[Mute]":
    return person.mutes.filter(event_type="", group=None)


def _time(person: User, at: datetime) -> str:
    return local_time(to_ms(at), zone_of(person.time_zone))
