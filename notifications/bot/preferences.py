"""/preferences: the person's channels as buttons. A press sets what its button says."""

from notifications.bot.conversation import Conversation
from notifications.rendering.locales import gettext
from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.telegram.answers import Change, Rows
from notifications.transports.telegram.updates import Pressed
from users.models import ChannelPreference, User

BUTTON = "pref"
_ON, _OFF = "on", "off"


def show(talk: Conversation, person: User) -> None:
    talk.say(_text(), _buttons(person))


def on_pressed(talk: Conversation, press: Pressed, rest: str) -> str:
    """Switch a channel to what the button said: a second press of the same button changes nothing."""
    number, _, wanted = rest.partition(":")
    channel = next((one for one in registry.channels() if str(int(one)) == number), None)
    if talk.person is None or channel is None or wanted not in {_ON, _OFF}:
        return gettext("This button does nothing any more.")
    switch(talk.person, channel, on=wanted == _ON)
    talk.answers.append(Change(press.message_id, _text(), _buttons(talk.person)))
    return ""


def switch(person: User, channel: Channel, *, on: bool) -> None:
    """Switch a channel on or off for every type; its place in the person's order stays."""
    place = list(registry.channels()).index(channel)
    ChannelPreference.objects.update_or_create(
        user=person,
        event_type="",
        group=None,
        channel=channel,
        defaults={"enabled": on},
        create_defaults={"enabled": on, "position": place},
    )


def switched_on(person: User) -> dict[Channel, bool]:
    """Return every channel of the system, in the default order, and whether the person has it on."""
    rows = person.channel_preferences.filter(event_type="", group=None)
    chosen = dict(rows.values_list("channel", "enabled"))
    return {channel: chosen.get(int(channel), True) for channel in registry.channels()}


def _text() -> str:
    return gettext("Where may messages go? Press a channel to switch it on or off.")


def _buttons(person: User) -> Rows:
    rows = []
    for channel, on in switched_on(person).items():
        label = gettext(registry.spec(channel).label)
        mark, other = ("✅", _OFF) if on else ("⬜", _ON)
        rows.append(((f"{mark} {label}", f"{BUTTON}:{int(channel)}:{other}"),))
    return tuple(rows)
