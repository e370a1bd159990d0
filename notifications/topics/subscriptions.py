"""Topics: the rules that allow them, the subscriptions, and the audience of an event.

A subscription is kept until the person unsubscribes. The rules are checked on every use: while no rule allows
a subscription it has no effect, and it works again once a rule does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet

from notifications.live import pubsub
from users.models import TOPIC, TopicRule, TopicSubscription, User

TOPICS_AT_MOST = 100

Rule = tuple[str, str, int | None]  # prefix, audience, group


@dataclass(frozen=True, slots=True)
class Refused:
    """A topic that the person must not follow. `code` is machine-readable, `detail` says what to do."""

    code: str
    detail: str
    topic: str


@dataclass(frozen=True, slots=True)
class Change:
    topics: list[str]  # all topics that the person follows now
    refused: list[Refused]


def is_topic(name: str) -> bool:
    return TOPIC.fullmatch(name) is not None


def followed(person_id: int) -> list[str]:
    """Return the topics that the person follows and that a rule allows now, sorted by name."""
    names = list(TopicSubscription.objects.filter(person_id=person_id).values_list("topic", flat=True))
    if not names:
        return []
    rules, groups = _rules(), _groups(person_id)
    # A source may have subscribed them, so that rules for sources count too.
    return sorted(name for name in names if _allowed(name, rules, groups, by_source=True))


def subscribe(person_id: int, names: Sequence[str], *, now: datetime, by_source: bool = False) -> Change:
    """Subscribe the person to these topics. A refused topic does not affect the others.

    `by_source`: a source subscribes the person. Idempotent. Notifies the person's sockets.
    """
    with transaction.atomic():
        # One change of a person at a time: two could exceed the limit together. Events are not blocked.
        User.objects.select_for_update(no_key=True).get(pk=person_id)
        known = set(TopicSubscription.objects.filter(person_id=person_id).values_list("topic", flat=True))
        rules, groups = _rules(), _groups(person_id)
        new: list[str] = []
        refused = []
        for name in dict.fromkeys(names):
            allowed = is_topic(name) and _allowed(name, rules, groups, by_source=by_source)
            why = _refusal(name, allowed, name in known or len(known) + len(new) < TOPICS_AT_MOST)
            if why is not None:
                refused.append(why)
            elif name not in known:
                new.append(name)
        TopicSubscription.objects.bulk_create(
            TopicSubscription(person_id=person_id, topic=name, created_at=now) for name in new
        )
    if new:
        notify([person_id])
    return Change(followed(person_id), refused)


def _refusal(name: str, allowed: bool, room: bool) -> Refused | None:
    if not is_topic(name):
        detail = "Letters, digits and . _ : - only, at most 128."
        shown = name[:128].encode(errors="replace").decode()  # a lone surrogate fits in no frame
        return Refused("invalid_topic", detail, shown)
    if not allowed:
        return Refused("topic_forbidden", "No rule lets you follow this topic; ask the operator.", name)
    if not room:
        detail = f"At most {TOPICS_AT_MOST} topics a person; unsubscribe from one first."
        return Refused("too_many_topics", detail, name)
    return None


def unsubscribe(person_id: int, names: Sequence[str]) -> list[str]:
    """Unsubscribe the person from these topics. Return those that they still follow. Idempotent."""
    rows = TopicSubscription.objects.filter(person_id=person_id, topic__in=list(filter(is_topic, names)))
    with transaction.atomic():
        deleted = rows.delete()[0]
    if deleted:
        notify([person_id])
    return followed(person_id)


def notify(person_ids: Iterable[int]) -> None:
    """Notify the sockets of these persons that their topics have changed. Call it after the commit."""
    pubsub.push([(person_id, pubsub.TOPICS_CHANGED) for person_id in person_ids])


def followers(prefix: str) -> list[int]:
    """Return the ids of all subscribers of topics that begin with `prefix`, allowed or not."""
    rows = TopicSubscription.objects.filter(topic__startswith=prefix).order_by()
    return list(rows.values_list("person_id", flat=True).distinct())


def audience(
    topic: str, *, before: datetime, after: int = 0, limit: int | None = None
) -> list[tuple[int, str]]:
    """Return the persons that an event to `topic` reaches, as (person id, external id) in order of ids.

    Active persons who follow it since before `before`, with an id above `after`, at most `limit`.
    """
    rows = TopicSubscription.objects.filter(
        topic=topic, created_at__lte=before, person_id__gt=after, person__is_active=True
    )
    rows = _permitted(rows, _deciding(topic, _rules()))
    return list(rows.order_by("person_id").values_list("person_id", "person__external_id")[:limit])


def _permitted(rows: "QuerySet[TopicSubscription]", rules: Sequence[Rule]) -> "QuerySet[TopicSubscription]":
    if not rules:
        return rows.none()
    groups = {group for _, _, group in rules}
    if None in groups:  # a rule without a group: every subscription counts
        return rows
    members = User.objects.filter(groups__in=[group for group in groups if group is not None])
    return rows.filter(person__in=members)


def _rules() -> list[Rule]:
    return list(TopicRule.objects.order_by().values_list("prefix", "audience", "group_id"))


def _groups(person_id: int) -> frozenset[int]:
    return frozenset(Group.objects.filter(user=person_id).values_list("pk", flat=True))


def _deciding(topic: str, rules: Sequence[Rule]) -> list[Rule]:
    """Return the rules with the longest matching prefix."""
    fitting = [rule for rule in rules if topic.startswith(rule[0])]
    longest = max((len(prefix) for prefix, _, _ in fitting), default=0)
    return [rule for rule in fitting if len(rule[0]) == longest]


def _allowed(topic: str, rules: Sequence[Rule], groups: frozenset[int], *, by_source: bool) -> bool:
    audiences = TopicRule.Audience
    return any(
        kind == audiences.EVERYBODY
        or (kind == audiences.GROUP and group in groups)
        or (kind == audiences.API and by_source)
        for _, kind, group in _deciding(topic, rules)
    )
