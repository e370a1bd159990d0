"""What a person can say to the bot."""

from datetime import time, timedelta

import pytest

from notifications.ingest import ingest
from notifications.models import Event
from notifications.routing.recipients import load
from notifications.states import Channel, Priority
from tests.notifications.bot.chats import CHAT, buttons, changed, said, toast
from users.models import DefaultDigest, Destination, EventGroup

HELP = "/status shows what comes here"


def stored() -> Destination:
    return Destination.objects.get(kind=Channel.TELEGRAM)


@pytest.mark.parametrize("text", ["hello", "/help", "/start", "/nonsense", "status"])
def test_anything_else_is_answered_with_what_the_bot_can_do(bot, ada, chat, text) -> None:
    assert HELP in said(bot.write(text))


@pytest.mark.parametrize("text", ["hello", "/start", "/status", "/preferences", "/stop"])
def test_a_stranger_is_told_how_to_link(bot, text) -> None:
    assert "not linked to anybody yet" in said(bot.write(text))


def test_a_chat_that_was_not_verified_is_a_strangers(bot, desk, ada) -> None:
    desk.address(ada, Channel.TELEGRAM, address=str(CHAT), verified_at=None)
    assert "not linked to anybody yet" in said(bot.write("/status"))


def test_status_says_who_what_and_when(bot, desk, ada, chat, records) -> None:
    assert said(bot.write("/status")).splitlines() == [
        "This chat is linked to ada.",
        "Switched on: Web page, Telegram, E-mail",
        "No message was sent here yet.",
    ]
    records.sent(desk.delivery(desk.event(ada, chat, priority=Priority.CRITICAL)))
    assert said(bot.write("/status")).splitlines()[-1].startswith("Last message here: ")


def test_status_says_what_waits_for_a_digest(bot, desk, ada, chat) -> None:
    ada.digests.create(channel=Channel.TELEGRAM, mode="interval", period_s=900)
    assert "digest" not in said(bot.write("/status"))
    ingest([desk.envelope(ada, "e1"), desk.envelope(ada, "e2")], now=desk.now)
    assert "2 messages wait for the next digest: " in said(bot.write("/status"))


def test_stop_ends_messages_and_start_brings_them_back(bot, ada, chat, mailbox) -> None:
    assert "No more messages come here" in said(bot.write("/stop"))
    assert (stored().disabled_at, stored().disabled_reason) == (bot.now, "stopped by the person")
    assert "No messages come here: stopped by the person." in said(bot.write("/status"))
    assert [event.event_type for event in Event.objects.all()] == ["account.telegram_chat_stopped"]
    assert said(bot.write("/start")) == "Messages come here again."
    assert stored().disabled_at is None


def test_a_second_stop_tells_nobody_again(bot, ada, chat, mailbox) -> None:
    bot.write("/stop")
    bot.write("/stop")
    assert Event.objects.count() == 1


def test_start_does_not_undo_what_an_operator_did(bot, desk, ada, chat) -> None:
    Destination.objects.update(disabled_at=bot.now, disabled_reason="by the operator")
    bot.write("/start")
    assert stored().disabled_reason == "by the operator"


def test_preferences_are_buttons_that_set_what_they_say(bot, ada, chat) -> None:
    [shown] = bot.write("/preferences").answers
    assert list(buttons(shown)) == ["✅ Web page", "✅ Telegram", "✅ E-mail"]
    off = buttons(shown)["✅ E-mail"]
    for _ in range(2):  # a second press of the same button changes nothing
        change = changed(bot.press(off))
        assert list(buttons(change)) == ["✅ Web page", "✅ Telegram", "⬜ E-mail"]
    assert "Switched on: Web page, Telegram" in said(bot.write("/status"))
    assert list(buttons(changed(bot.press(buttons(change)["⬜ E-mail"]))))[-1] == "✅ E-mail"


def test_preferences_name_the_digests(bot, ada, chat) -> None:
    DefaultDigest.objects.create(channel=Channel.TELEGRAM, mode="interval", period_s=900)
    DefaultDigest.objects.create(channel=Channel.EMAIL, mode="repeats", period_s=900)
    ada.digests.create(channel=Channel.EMAIL, mode="off")
    ada.digests.create(
        channel=Channel.TELEGRAM, event_type="NEWS", mode="schedule", times=[time(8), time(18)]
    )
    assert said(bot.write("/preferences")).splitlines()[1:] == [
        "Telegram, everything: together as one message at intervals",
        "Telegram, NEWS: together as one message at 08:00, 18:00",
    ]


def test_switching_a_channel_leaves_its_place_in_the_order(bot, ada, chat, mailbox) -> None:
    bot.press(f"pref:c:{int(Channel.EMAIL)}:off")
    bot.press(f"pref:c:{int(Channel.EMAIL)}:on")
    [preference] = load([ada.external_id], now=bot.now, active_s=600)["ada"].preferences
    assert (preference.channel, preference.position, preference.enabled) == (Channel.EMAIL, 2, True)


def test_the_buttons_of_a_chat_that_is_no_longer_linked_do_nothing(bot, ada, chat) -> None:
    chat.delete()
    assert toast(bot.press("pref:c:1:off")) == "This button does nothing any more."
    assert ada.channel_preferences.count() == 0


def test_a_blocked_bot_disables_the_chat_and_other_channels_say_so(bot, ada, chat, mailbox) -> None:
    bot.member("member", "kicked")
    assert (stored().disabled_reason, stored().recheck_at) == ("blocked by the person", None)
    assert [event.event_type for event in Event.objects.all()] == ["account.telegram_chat_blocked"]
    bot.member("kicked", "member")
    assert stored().disabled_at is None


def test_unblocking_enables_what_a_send_had_found_blocked(bot, ada, chat) -> None:
    reason = "Telegram: bot was blocked by the user"
    Destination.objects.update(disabled_at=bot.now, disabled_reason=reason)
    bot.member("kicked", "member")
    assert stored().disabled_at is None


def test_unblocking_does_not_undo_a_stop(bot, ada, chat) -> None:
    bot.write("/stop")
    bot.member("member", "kicked")
    bot.member("kicked", "member")
    assert stored().disabled_reason == "stopped by the person"


def test_a_group_that_removed_the_bot_is_disabled(bot, desk, ada) -> None:
    group = desk.address(ada, Channel.TELEGRAM, address="-77")
    bot.member("member", "left", chat=-77, kind="group")
    group.refresh_from_db()
    assert group.disabled_reason == "the bot was removed from the group"


def test_other_rights_in_a_group_change_nothing(bot, desk, ada) -> None:
    group = desk.address(ada, Channel.TELEGRAM, address="-77")
    bot.member("member", "administrator", chat=-77, kind="group")
    group.refresh_from_db()
    assert group.disabled_at is None


def test_a_group_that_moved_has_its_new_address(bot, desk, ada) -> None:
    group = desk.address(ada, Channel.TELEGRAM, address="-77")
    update = bot.message("x", chat=-77, kind="group", migrate_to_chat_id=-1000000000077)
    del update["message"]["text"]
    bot.take(update)
    group.refresh_from_db()
    assert group.address == "-1000000000077"


def test_a_group_that_moved_to_an_address_of_the_person_is_disabled(bot, desk, ada) -> None:
    group = desk.address(ada, Channel.TELEGRAM, address="-77")
    desk.address(ada, Channel.TELEGRAM, address="-1000000000077")
    bot.write("x", chat=-77, kind="group", migrate_to_chat_id=-1000000000077)
    group.refresh_from_db()
    assert group.disabled_reason == "moved to an address that the person has already"


def test_a_person_hears_their_own_language(bot, ada, chat) -> None:
    ada.locale = "de-CH"
    ada.save()
    assert "Dieser Chat ist mit ada verknüpft." in said(bot.write("/status", language="en"))


def test_a_chat_in_which_the_person_just_wrote_is_live(bot, ada, chat) -> None:
    bot.write("hello")
    for minutes, live in ((9, True), (11, False)):
        now = bot.now + timedelta(minutes=minutes)
        [address] = load([ada.external_id], now=now, active_s=600)["ada"].addresses
        assert address.active is live


def test_groups_are_muted_and_heard_again(bot, ada, chat) -> None:
    orders = EventGroup.objects.create(name="orders", label="Orders", event_types=["ORDER_*"])
    EventGroup.objects.create(name="security", label="Security", event_types=["LOGIN"], mandatory=True)
    [shown] = bot.write("/preferences").answers
    assert list(buttons(shown))[3:] == ["🔔 Orders"]
    change = changed(bot.press(buttons(shown)["🔔 Orders"]))
    assert list(buttons(change))[3:] == ["🔕 Orders"]
    [mute] = ada.mutes.all()
    assert (mute.group, mute.until) == (orders, None)
    bot.press(buttons(change)["🔕 Orders"])
    assert ada.mutes.count() == 0


def test_a_mandatory_group_cannot_be_muted_by_a_forged_button(bot, ada, chat) -> None:
    group = EventGroup.objects.create(name="s", label="S", event_types=["LOGIN"], mandatory=True)
    assert toast(bot.press(f"pref:g:{group.pk}:off")) == "This button does nothing any more."
    assert ada.mutes.count() == 0


def test_silence_for_a_while_holds_what_is_not_critical(bot, desk, ada, chat) -> None:
    assert said(bot.write("/mute 2h")).startswith("Silence until ")
    assert ada.mutes.get().until == bot.now + timedelta(hours=2)
    assert any(
        line.startswith("Everything is muted until ") for line in said(bot.write("/status")).splitlines()
    )
    bot.write("/mute 3h")
    assert ada.mutes.get().until == bot.now + timedelta(hours=3)
    assert said(bot.write("/mute off")) == "Messages come again."
    assert ada.mutes.count() == 0


@pytest.mark.parametrize("wish", ["", "soon", "0h", "-1h", "99999d", "until 25:00"])
def test_what_is_no_time_is_answered_with_how_to_write_one(bot, ada, chat, wish) -> None:
    assert "/mute 2h" in said(bot.write(f"/mute {wish}"))
    assert ada.mutes.count() == 0
