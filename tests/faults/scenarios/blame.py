"""Refusals that speak of us: no address may pay for them."""

from tests.faults.run import scenario
from tests.faults.stage import Stage

# Each in turn: what the mail server says, and what answers in the place of Telegram.
_MAIL = (
    {"error": "banned"},
    {"error": "sender_refused"},
    {"status": 550, "at": "mail"},
    {"status": 553, "at": "mail"},
)
_TELEGRAM = ({"page": True}, {"page": True, "status": 400}, {"error": "unauthorized"}, {"status": 403})
_OURS = ("refuses us", "refuses the bot", "not from the Bot API", "cannot be reached")


@scenario("F1", "the mail server and the Bot API refuse us for a minute")
def refuse_us(stage: Stage) -> None:
    """Nobody's address is disabled; what fails meanwhile has a reason that names us."""
    length_s = stage.scaled(60, 8)
    count = stage.scaled(2_000, 80)
    producers = []
    for priority in ("CRITICAL", "NORMAL"):
        items = stage.items(count // 2, priority=priority)
        for number, item in enumerate(items):
            item["user_id"] = f"p{2 * (number % (stage.size.persons // 2)) + 1}"  # has a chat and a mailbox
            item["delivery"]["channels"] = [["TELEGRAM", "EMAIL"], ["EMAIL", "TELEGRAM"]][number % 2]
        producers.append(stage.produce(items, rate=len(items) / length_s, batch=5))
    for mail, telegram in zip(_MAIL, _TELEGRAM, strict=True):
        stage.system.simulator.misbehave("smtp", **mail)
        stage.system.simulator.misbehave("telegram", **telegram)
        stage.pause(length_s / len(_MAIL))
    stage.system.simulator.behave()
    stage.struck()
    for producer in producers:
        producer.join(60)
    stage.expect_dead("configuration")
    stage.settle(within_s=600 if stage.full else 120)
    [[disabled]] = stage.system.query("SELECT count(*) FROM users_destination WHERE disabled_at IS NOT NULL")
    stage.figure("addresses disabled", disabled, limit="0", holds=not disabled)
    refused = stage.system.query(
        "SELECT count(*) FILTER (WHERE error ~ %s), count(*) FROM notifications_attempt"
        " WHERE outcome IN ('temporary', 'configuration', 'recipient', 'message') AND delivery_id IN"
        " (SELECT d.id FROM notifications_delivery d JOIN notifications_event e ON e.id = d.event_id"
        "  WHERE e.event_id LIKE %s)",
        "|".join(_OURS),
        f"{stage.run}%",
    )
    [[ours, all_of_them]] = refused
    stage.figure("refused sends", all_of_them, limit="≥ 1", holds=all_of_them > 0)
    stage.figure(
        "of these with a reason that names us or the network", ours, limit="all", holds=ours == all_of_them
    )
