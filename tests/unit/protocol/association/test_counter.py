"""Invocation counters: never twice, never lower, never past the end (SEC-03 to SEC-06)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError, LocalProtocolError, Retry, SecurityError
from cosem.protocol.association.counter import (
    ALARM_AT,
    FIRST,
    JUMP_LIMIT,
    ROTATE_AT,
    InvocationCounter,
    ReceivedCounter,
    RememberedCounter,
    counter_name,
    received_name,
)
from cosem.protocol.crypto.gcm import COUNTER_MAXIMUM
from cosem.protocol.crypto.key import Key
from cosem.store.memory import MemoryCounterStore


def counter(next_number: int = 0, block: int = 64) -> InvocationCounter:
    store = MemoryCounterStore()
    store.raise_to("name", next_number)
    return InvocationCounter(store, "name", block)


def test_numbers_begin_at_one_and_follow_each_other() -> None:
    numbers = counter(block=3)
    assert [numbers.next() for _ in range(8)] == list(range(FIRST, FIRST + 8))


def test_sec_06_a_new_object_begins_after_the_block_of_the_old_one() -> None:
    store = MemoryCounterStore()
    assert InvocationCounter(store, "name", 64).next() == 1
    assert store.peek("name") == 65
    assert InvocationCounter(store, "name", 64).next() == 65
    assert InvocationCounter(store, "other", 64).next() == 1


def test_sec_06_threads_never_share_a_number() -> None:
    numbers = counter(block=2)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: numbers.next(), range(2000)))
    assert len(set(taken)) == len(taken)


@given(
    st.integers(1, 5),
    st.lists(st.one_of(st.just("next"), st.just("restart"), st.integers(0, 200)), max_size=60),
)
def test_sec_06_no_history_gives_a_number_twice(block: int, history: list[str | int]) -> None:
    store = MemoryCounterStore()
    numbers, last = InvocationCounter(store, "name", block), 0
    for step in history:
        if step == "restart":
            numbers = InvocationCounter(store, "name", block)
        elif isinstance(step, int):
            numbers.raise_to(step)
            assert numbers.peek() >= step
        else:
            expected = numbers.peek()
            taken = numbers.next()
            assert taken > last
            assert taken >= expected
            last = taken


# -- raising ----------------------------------------------------------------------------------------------------------


def test_sec_04_a_counter_is_raised_and_never_lowered() -> None:
    numbers = counter()
    assert numbers.next() == 1
    numbers.raise_to(500)
    assert numbers.next() == 500
    numbers.raise_to(3)
    assert numbers.next() == 501


@pytest.mark.parametrize(("beyond", "accepted"), [(JUMP_LIMIT - 1, True), (JUMP_LIMIT, True), (JUMP_LIMIT + 1, False)])
def test_sec_04_a_jump_is_bounded(beyond: int, accepted: bool) -> None:
    numbers = counter()
    following = numbers.next() + 1
    if accepted:
        numbers.raise_to(following + beyond)
        assert numbers.next() == following + beyond
        return
    with pytest.raises(SecurityError, match="operator may approve") as refused:
        numbers.raise_to(following + beyond)
    assert refused.value.retry is Retry.NEVER
    assert numbers.next() == following
    numbers.raise_to(following + beyond, operator_approved=True)
    assert numbers.next() == following + beyond


@pytest.mark.parametrize(("first", "accepted"), [(ALARM_AT - 1, True), (ALARM_AT, False)])
def test_sec_04_an_unused_counter_begins_anywhere_in_the_lower_half(first: int, accepted: bool) -> None:
    numbers = counter()
    if accepted:
        numbers.raise_to(first)
        assert numbers.next() == first
    else:
        with pytest.raises(SecurityError):
            numbers.raise_to(first)
        assert numbers.next() == FIRST


@pytest.mark.parametrize("value", [-1, COUNTER_MAXIMUM + 2])
def test_only_32_bits_are_a_counter(value: int) -> None:
    with pytest.raises(LocalProtocolError):
        counter().raise_to(value, operator_approved=True)
    with pytest.raises(LocalProtocolError):
        MemoryCounterStore().raise_to("name", value)


# -- the end ----------------------------------------------------------------------------------------------------------


def test_sec_05_the_last_number_is_used_and_none_follows() -> None:
    numbers = counter(COUNTER_MAXIMUM - 1)
    assert [numbers.next(), numbers.next()] == [COUNTER_MAXIMUM - 1, COUNTER_MAXIMUM]
    for _ in range(2):
        with pytest.raises(SecurityError, match="must be replaced") as ended:
            numbers.next()
        assert ended.value.retry is Retry.NEVER
    with pytest.raises(SecurityError, match="must be replaced"):
        raised = counter(5)
        raised.raise_to(COUNTER_MAXIMUM + 1, operator_approved=True)
        raised.next()


@pytest.mark.parametrize(
    ("following", "alarmed", "rotation_due"),
    [
        (ALARM_AT - 1, False, False),
        (ALARM_AT, True, False),
        (ROTATE_AT - 1, True, False),
        (ROTATE_AT, True, True),
        (COUNTER_MAXIMUM, True, True),
    ],
)
def test_sec_05_alarm_and_rotation_come_in_time(following: int, alarmed: bool, rotation_due: bool) -> None:
    numbers = counter(following)
    assert (numbers.alarmed, numbers.rotation_due) == (alarmed, rotation_due)


@pytest.mark.parametrize("count", [0, -1])
def test_a_lease_takes_at_least_one(count: int) -> None:
    with pytest.raises(ConfigurationError):
        InvocationCounter(MemoryCounterStore(), "name", count)
    with pytest.raises(LocalProtocolError):
        MemoryCounterStore().lease("name", count)


# -- received ---------------------------------------------------------------------------------------------------------


def test_sec_03_only_greater_numbers_are_accepted() -> None:
    received = ReceivedCounter()
    for number in (0, 1, 5, COUNTER_MAXIMUM):
        received.accept(number)
        for old in {0, number - 1, number} - {-1}:
            with pytest.raises(SecurityError, match="used before"):
                received.accept(old)


@pytest.mark.parametrize("last", [0, 7, COUNTER_MAXIMUM])
def test_sec_03_what_was_kept_is_not_accepted_again(last: int) -> None:
    store = MemoryCounterStore()
    received = ReceivedCounter(store, "peer")
    received.keep()
    assert ReceivedCounter(store, "peer").last == -1
    received.accept(last)
    received.keep()
    with pytest.raises(SecurityError):
        ReceivedCounter(store, "peer").accept(last)
    assert ReceivedCounter(store, "peer", last=3).last == max(3, last)


def test_each_key_and_title_has_its_own_name() -> None:
    key, other = Key(bytes(16)), Key(bytes(15) + b"\1")
    names = {counter_name(which, title) for which in (key, other) for title in (b"COS12345", b"COS12346")}
    assert len(names) == 4
    assert bytes(16).hex() not in "".join(names)


# -- remembered -------------------------------------------------------------------------------------------------------

KEY, TITLE = Key(bytes(range(7, 23))), b"KFM12345"


def remembered(store: MemoryCounterStore, title: bytes | None = TITLE, **options: bool) -> RememberedCounter:
    return RememberedCounter(store, KEY, lambda: title, **options)


def test_sec_03_a_later_session_must_begin_above_an_earlier_one() -> None:
    store = MemoryCounterStore()
    first = remembered(store)
    for number in (500, 501, 777):
        first.accept(number)
    # What was kept before the first message was used is enough: a recorded session begins with that message.
    assert store.peek(received_name(KEY, TITLE)) == 501
    for number in (1, 499, 500):
        with pytest.raises(SecurityError, match="used before"):
            remembered(store).accept(number)
    remembered(store).accept(501)
    first.keep()
    with pytest.raises(SecurityError, match="used before"):
        remembered(store).accept(777)
    remembered(store, b"KFM12346").accept(1)


def test_sec_03_nothing_is_accepted_from_nobody() -> None:
    nobody = remembered(MemoryCounterStore(), None)
    with pytest.raises(SecurityError, match="did not tell its system title"):
        nobody.accept(5)
    nobody.keep()


def test_sec_03_a_meter_that_was_set_back_needs_an_operator_and_once_only() -> None:
    store = MemoryCounterStore()
    remembered(store).accept(500)
    with pytest.raises(SecurityError, match="used before"):
        remembered(store).accept(3)
    unused = remembered(store, reset_approved=True)
    assert unused.last == -1
    assert store.peek(received_name(KEY, TITLE)) == 501, (
        "an approval alone, without a message that verifies, is nothing"
    )
    unused.accept(3)
    with pytest.raises(SecurityError, match="used before"):
        unused.accept(3)
    with pytest.raises(SecurityError, match="used before"):
        remembered(store).accept(3)
    remembered(store).accept(4)


def test_our_own_counters_are_never_forgotten() -> None:
    store = MemoryCounterStore()
    store.lease("name", 5)
    with pytest.raises(LocalProtocolError, match="never lowered"):
        store.forget("name")
    assert store.peek("name") == 5
