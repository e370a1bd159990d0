"""The credit window: what may be sent before the client confirms."""

from gateway.sockets.window import Window
from notifications.events import EventName, EventSeq


def charged(
    window: Window, *event_ids: str, source: str = "a", size: int = 10, awaited: bool = True
) -> Window:
    """Charge events whose `seq` is their letter's place in the alphabet."""
    for event_id in event_ids:
        window.charge(ord(event_id) - 96, EventName(source, event_id), size, awaited=awaited)
    return window


def test_it_is_full_by_number_and_by_bytes() -> None:
    assert not charged(Window(3, 100), "a", "b").full
    assert charged(Window(3, 100), "a", "b", "c").full
    assert charged(Window(30, 20), "a", "b").full


def test_one_event_larger_than_the_window_fits_an_empty_one() -> None:
    window = Window(3, 100)
    assert not window.full
    assert charged(window, "a", size=5_000).full
    assert window.confirm(["a"])
    assert window.half_free


def test_a_confirmation_frees_what_came_before_it() -> None:
    window = charged(Window(4, 100), "a", "b", "c", "d")
    assert (window.full, window.room) == (True, 0)
    assert window.confirm(["c"])
    assert (window.full, window.room, window.half_free) == (False, 3, True)
    assert not window.confirm(["a", "b", "c"])  # they are free already
    assert window.confirm(["d"])
    assert window.room == 4


def test_unknown_ids_free_nothing() -> None:
    window = charged(Window(1, 100), "a")
    assert not window.confirm(["x", "y"])
    assert window.full


def test_half_of_it_has_to_be_free_to_go_on() -> None:
    window = charged(Window(4, 1_000), "a", "b", "c", "d")
    window.confirm(["a"])
    assert not window.half_free
    window.confirm(["b"])
    assert window.half_free


def test_a_sign_of_life_frees_only_what_nobody_waits_for() -> None:
    window = charged(charged(Window(4, 100), "a", "b"), "c", "d", awaited=False)
    assert window.release_unawaited()
    assert window.room == 2
    assert not window.release_unawaited()


def test_a_repeat_takes_the_place_of_the_first() -> None:
    window = charged(Window(2, 100), "a", size=60)
    charged(window, "a", size=50)
    assert (window.full, window.room) == (False, 1)
    window.confirm(["a"])
    assert window.half_free


def test_a_confirmation_by_source_or_seq_frees_that_event() -> None:
    for ref in (EventName("a", "b"), EventSeq(2, "epoch")):
        window = charged(Window(3, 100), "a", "b", "c")
        assert not window.confirm([EventName("other", "b"), EventSeq(9, "epoch")])
        assert window.confirm([ref])
        assert window.room == 2


def test_an_id_that_two_sources_use_needs_its_source() -> None:
    window = Window(3, 100)
    window.charge(1, EventName("bank", "x"), 10, awaited=True)
    window.charge(2, EventName("shop", "x"), 10, awaited=True)
    assert not window.confirm(["x"])
    assert window.confirm([EventName("shop", "x")])
    assert window.room == 3
