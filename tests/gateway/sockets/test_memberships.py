"""A group's topics end with the membership, on sockets that are open."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group

from tests.gateway.other_ends import Page
from users.models import TopicRule, User

DESK = "desk.risk"

ENDS = {
    "the person leaves": lambda person, group: person.groups.remove(group),
    "the group lets the person go": lambda person, group: group.user_set.remove(person),
    "the person's groups are cleared": lambda person, group: person.groups.clear(),
    "the group is emptied": lambda person, group: group.user_set.clear(),
    "the group is deleted": lambda person, group: group.delete(),
}


@pytest.fixture
def desk(db) -> Group:
    group = Group.objects.create(name="desk")
    TopicRule.objects.create(prefix="desk.", audience="group", group=group)
    return group


def follow(page: Page) -> None:
    page.send(type="subscribe", topics=[DESK])
    assert page.receive() == {"type": "subscribed", "topics": [DESK]}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_who_is_no_longer_of_the_group_stops_following_at_once(
    open_page, ann, desk, end: Callable[[User, Group], object]
) -> None:
    desk.user_set.add(ann)
    page = open_page(ann)
    follow(page)
    end(ann, desk)
    assert page.receive() == {"type": "subscribed", "topics": []}


def test_who_comes_back_into_the_group_follows_again_at_once(open_page, ann, desk) -> None:
    desk.user_set.add(ann)
    page = open_page(ann)
    follow(page)
    ann.groups.remove(desk)
    assert page.receive() == {"type": "subscribed", "topics": []}
    desk.user_set.add(ann)
    assert page.receive() == {"type": "subscribed", "topics": [DESK]}
