"""Topics: who may follow them, and who does."""

import re
from typing import ClassVar

from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from users.models.people import User

TOPIC = re.compile(r"[A-Za-z0-9._:-]{1,128}")
validate_topic = RegexValidator(
    rf"\A{TOPIC.pattern}\Z", "Letters, digits and . _ : - only, at most 128.", "invalid_topic"
)


class TopicRule(models.Model):
    """Which users may subscribe to the topics that begin with a prefix.

    The rules of the longest prefix that matches a topic apply. Without a rule nobody may subscribe.
    """

    class Audience(models.TextChoices):
        EVERYBODY = "everybody", "everybody"
        GROUP = "group", "the members of a group"
        API = "api", "users whom a source subscribes"

    prefix = models.CharField(max_length=128, validators=[validate_topic])
    audience = models.CharField(max_length=12, choices=Audience)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["prefix", "audience"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["prefix", "audience"],
                condition=Q(group__isnull=True),
                name="topic_rule_once",
                violation_error_message="There is such a rule already.",
            ),
            models.UniqueConstraint(
                fields=["prefix", "group"],
                name="topic_rule_once_per_group",
                violation_error_message="There is such a rule already.",
            ),
            models.CheckConstraint(
                condition=Q(audience="group", group__isnull=False)
                | (~Q(audience="group") & Q(group__isnull=True)),
                name="topic_rule_group",
                violation_error_message="Name the group, for the members of a group only.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix} for {self.group or self.get_audience_display()}"


class TopicSubscription(models.Model):
    """A user's subscription to a topic, on all of their sockets, until they unsubscribe."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="topic_subscriptions")
    topic = models.CharField(max_length=128, validators=[validate_topic])
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["topic"]
        constraints: ClassVar = [
            # Topic first: a fan-out reads the subscribers of one topic.
            models.UniqueConstraint(
                fields=["topic", "person"],
                name="topic_subscription_once",
                violation_error_message="This person follows this topic already.",
            )
        ]

    def __str__(self) -> str:
        return self.topic
