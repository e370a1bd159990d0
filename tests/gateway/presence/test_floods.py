"""Who has flooded waits before the next sign-in; nobody else does."""

import asyncio
from dataclasses import replace

import pytest

from gateway.presence.floods import FloodPenalties

ANN, BOB = 1, 2


@pytest.fixture
def flood_penalties(settings) -> FloodPenalties:
    settings.TOCSIN_EDGE = replace(settings.TOCSIN_EDGE, flood_pause_s=8.0)
    return FloodPenalties()


def test_who_flooded_waits_for_the_rest_of_the_pause(flood_penalties) -> None:
    flood_penalties.start_pause(ANN, 100.0)
    assert flood_penalties.wait_s(ANN, 103.0) == 5.0
    assert flood_penalties.wait_s(ANN, 109.0) == 0
    assert flood_penalties.wait_s(BOB, 103.0) == 0


def test_a_further_flood_lets_the_pause_begin_anew(flood_penalties) -> None:
    flood_penalties.start_pause(ANN, 100.0)
    flood_penalties.start_pause(BOB, 101.0)
    flood_penalties.start_pause(ANN, 104.0)
    assert (flood_penalties.wait_s(ANN, 105.0), flood_penalties.wait_s(BOB, 105.0)) == (7.0, 4.0)


def test_no_more_is_kept_than_one_pause_brings(flood_penalties) -> None:
    for number in range(1_000):
        flood_penalties.start_pause(number, number)
    assert len(flood_penalties._until) <= 9


async def test_others_are_not_held_up(flood_penalties) -> None:
    flood_penalties.start_pause(ANN, asyncio.get_running_loop().time())
    async with asyncio.timeout(0.5):
        await flood_penalties.wait_until_over(BOB)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await flood_penalties.wait_until_over(ANN)
