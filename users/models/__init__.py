"""The tables of people and sources, one module a subject."""

from users.models.callbacks import Callback
from users.models.changes import PersonChange
from users.models.destinations import Destination, DestinationQuerySet, Reactivation
from users.models.erasures import Erasure
from users.models.event_groups import DefaultDigest, DefaultPreference, EventGroup, Weekday
from users.models.hooks import Account, Hook
from users.models.links import LinkToken
from users.models.people import User, validate_time_zone
from users.models.preferences import ChannelPreference, Digest, Hours, Mute, PiercingOptOut, Throttle
from users.models.sign_ins import SignIn
from users.models.sources import ApiKey, Source
from users.models.topics import TOPIC, TopicRule, TopicSubscription, validate_topic
from users.models.verification import Verification

__all__ = [
    "TOPIC",
    "Account",
    "ApiKey",
    "Callback",
    "ChannelPreference",
    "DefaultDigest",
    "DefaultPreference",
    "Destination",
    "DestinationQuerySet",
    "Digest",
    "Erasure",
    "EventGroup",
    "Hook",
    "Hours",
    "LinkToken",
    "Mute",
    "PersonChange",
    "PiercingOptOut",
    "Reactivation",
    "SignIn",
    "Source",
    "Throttle",
    "TopicRule",
    "TopicSubscription",
    "User",
    "Verification",
    "Weekday",
    "validate_time_zone",
    "validate_topic",
]
