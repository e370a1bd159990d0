"""Linking a chat to a person by the deep link that they were given. The bot asks before it links."""

from urllib.parse import quote

from notifications.bot import notices
from notifications.bot.conversation import KIND, Conversation
from notifications.rendering.locales import gettext, speaking
from notifications.transports.telegram.answers import Change
from notifications.transports.telegram.updates import Pressed
from users import linking
from users.linking import Linked
from users.models import User
from users.people.tokens import Refusal

BUTTON = "link"
_YES, _NO = "yes", "no"


def deep_link(bot_name: str, token: str) -> str:
    """Return the address that opens a chat with the bot and sends it the token."""
    return f"https://t.me/{quote(bot_name)}?start={quote(token)}"


def open_link(talk: Conversation, token: str) -> None:
    """Ask whether this chat is to be linked to the person who was given the link."""
    link = linking.open_link(token, KIND, talk.chat_id, now=talk.now)
    if isinstance(link, Refusal):
        talk.say(_refused(link))
        return
    question = gettext("Link this chat to %(name)s? Messages for %(name)s will then come here.")
    buttons = (
        (gettext("Link"), f"{BUTTON}:{link.pk}:{_YES}"),
        (gettext("Do not link"), f"{BUTTON}:{link.pk}:{_NO}"),
    )
    talk.say(question % {"name": name_of(link.user)}, (buttons,))


def on_pressed(talk: Conversation, press: Pressed, rest: str) -> str:
    """Link the chat, or end the link. Return what the person sees at once."""
    number, _, answer = rest.partition(":")
    if not number.isdecimal() or len(number) > 18:
        return _refused(Refusal.UNKNOWN)
    if answer != _YES:
        linking.decline(int(number), KIND, talk.chat_id, now=talk.now)
        talk.answers.append(Change(press.message_id, gettext("This chat was not linked.")))
        return ""
    linked = linking.confirm(int(number), KIND, talk.chat_id, now=talk.now)
    if isinstance(linked, Refusal):
        talk.answers.append(Change(press.message_id, _refused(linked)))
        return ""
    _tell(talk, press, linked)
    return ""


def _tell(talk: Conversation, press: Pressed, linked: Linked) -> None:
    person = linked.destination.user
    with speaking(person.locale):
        text = gettext("This chat is linked to %s. Write /status to see what comes here, /stop to end it.")
        talk.answers.append(Change(press.message_id, text % name_of(person)))
    talk.tell(person, notices.LINKED)
    for other in linked.previous:
        talk.tell(other, notices.TAKEN)


def name_of(person: User) -> str:
    return person.get_full_name() or person.external_id


def _refused(refusal: Refusal) -> str:
    return {
        Refusal.UNKNOWN: gettext("This link is not one of ours. Ask for a new one where you got it."),
        Refusal.EXPIRED: gettext("This link has expired: it is good for ten minutes. Ask for a new one."),
        Refusal.USED: gettext("This link was used already. Ask for a new one."),
    }[refusal]
