"""/preferences: the person's channels and groups of events as buttons. A press sets what its button says."""

from collections.abc import Callable

from notifications import store
from notifications.bot.conversation import Conversation
from notifications.rendering.locales import gettext
from notifications.routing.stored_rules import read_rules
from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.telegram.answers import Change, Rows
from notifications.transports.telegram.updates import Pressed
from users.digest_modes import DigestMode
from users.models import ChannelPreference, DefaultPreference, EventGroup, User
from users.people import preferences
from users.people.preferences import MuteWish

BUTTON = "pref"
_CHANNEL, _GROUP = "c", "g"
_ON, _OFF = "on", "off"


def show(talk: Conversation, person: User) -> None:
    talk.say(_text(person), _buttons(talk, person))


def on_pressed(talk: Conversation, press: Pressed, rest: str) -> str:
    """Switch something to what the button said: a second press of the same button changes nothing."""
    kind, _, wish = rest.partition(":")
    number, _, wanted = wish.partition(":")
    switch = _SWITCHES.get(kind)
    known = switch is not None and number.isdecimal() and len(number) < 10 and wanted in {_ON, _OFF}
    if talk.person is None or switch is None or not known:
        return gettext("This button does nothing any more.")
    if not switch(talk.person, int(number), wanted == _ON):
        return gettext("This button does nothing any more.")
    talk.effects.add(store.look_again(talk.person.pk, now=talk.now))
    talk.answers.append(Change(press.message_id, _text(talk.person), _buttons(talk, talk.person)))
    return ""


def _switch_channel(person: User, number: int, on: bool) -> bool:
    """Switch a channel on or off for every type; its place in the person's order stays."""
    channels = [int(channel) for channel in registry.channels()]
    if number not in channels:
        return False
    ChannelPreference.objects.update_or_create(
        user=person,
        event_type="",
        group=None,
        channel=number,
        defaults={"enabled": on},
        create_defaults={"enabled": on, "position": channels.index(number)},
    )
    return True


def _switch_group(person: User, pk: int, on: bool) -> bool:
    """Mute a group until it is switched on again. A mandatory one cannot be."""
    group = EventGroup.objects.filter(pk=pk, mandatory=False).first()
    if group is None:
        return False
    if on:
        person.mutes.filter(group=group).delete()
    else:
        preferences.mute(person, MuteWish(group=group))
    return True


_SWITCHES: dict[str, Callable[[User, int, bool], bool]] = {_CHANNEL: _switch_channel, _GROUP: _switch_group}


def switched_on(person: User) -> dict[Channel, bool]:
    """Return every channel of the system, in the default order, and whether it is on for the person."""
    of_all = DefaultPreference.objects.filter(group=None).values_list("channel", "enabled")
    own = person.channel_preferences.filter(event_type="", group=None).values_list("channel", "enabled")
    chosen = dict(of_all) | dict(own)
    return {channel: chosen.get(int(channel), True) for channel in registry.channels()}


def _text(person: User) -> str:
    asked = gettext("Where may messages go, and which ones? Press to switch on or off.")
    return "\n".join([asked, *_digests(person)])


def _digests(person: User) -> list[str]:
    """Return a line on each digest: the person's, and the operator's where the person has none."""
    rules = read_rules([person.pk])
    own = rules.wishes_of(person.pk).digests
    of_every_type = {one.channel for one in own if not one.event_type and one.group_id is None}
    defaults = [one for one in rules.policy.digests if one.channel not in of_every_type]
    found = {(one.channel, one.event_type, one.group_id): one for one in (*defaults, *own)}
    labels = dict(EventGroup.objects.values_list("pk", "label"))
    return [
        _sentence(one.mode)
        % {
            "channel": gettext(registry.spec(one.channel).label),
            "what": one.event_type or labels.get(one.group_id or 0) or gettext("everything"),
            "times": ", ".join(f"{at:%H:%M}" for at in one.times),
        }
        for one in found.values()
        if one.mode is not DigestMode.OFF
    ]


def _sentence(mode: DigestMode) -> str:
    if mode is DigestMode.SCHEDULE:
        return gettext("%(channel)s, %(what)s: together as one message at %(times)s")
    if mode is DigestMode.REPEATS:
        return gettext("%(channel)s, %(what)s: together as one message when they repeat")
    return gettext("%(channel)s, %(what)s: together as one message at intervals")


def _buttons(talk: Conversation, person: User) -> Rows:
    rows = []
    for channel, on in switched_on(person).items():
        mark, other = ("✅", _OFF) if on else ("⬜", _ON)
        label = f"{mark} {gettext(registry.spec(channel).label)}"
        rows.append(((label, f"{BUTTON}:{_CHANNEL}:{int(channel)}:{other}"),))
    muted = {mute.group_id for mute in person.mutes.all() if mute.until is None or mute.until > talk.now}
    for group in EventGroup.objects.filter(mandatory=False):
        mark, other = ("🔕", _ON) if group.pk in muted else ("🔔", _OFF)
        rows.append(((f"{mark} {group.label}", f"{BUTTON}:{_GROUP}:{group.pk}:{other}"),))
    return tuple(rows)
