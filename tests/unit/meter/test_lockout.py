"""Who fails to authenticate waits longer each time (threat T09)."""

from __future__ import annotations

import pytest

from cosem.meter import lockout
from cosem.meter.lockout import Lockout, LockoutLimits


def fail(locks: Lockout, now: float, times: int = 3, client: int = 32, peer: str = "a") -> bool:
    return [locks.failed(peer, client, 1, now) for _ in range(times)][-1]


def test_two_failures_do_not_lock_three_do() -> None:
    locks = Lockout()
    assert not locks
    assert not fail(locks, 0.0, 2)
    assert not locks.locked("a", 32, 1, 0.0)
    assert locks.failed("a", 32, 1, 0.0)
    assert locks.locked("a", 32, 1, 59.9)
    assert not locks.locked("a", 32, 1, 60.0)


def test_each_lock_is_twice_as_long_up_to_an_hour() -> None:
    locks, now, lengths = Lockout(), 0.0, []
    for _ in range(9):
        fail(locks, now)
        length = next(minutes for minutes in range(1, 100) if not locks.locked("a", 32, 1, now + minutes * 60))
        lengths.append(length)
        now += length * 60
    assert lengths == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_who_never_gives_up_is_locked_out_for_weeks() -> None:
    locks, now = Lockout(), 0.0
    for _ in range(1100):  # one lock more would be twice as long as any number is
        assert fail(locks, now)
        assert locks.locked("a", 32, 1, now + 59.9)
        now += 3600
    assert not locks.locked("a", 32, 1, now)


def test_failures_while_locked_do_not_lock_for_longer() -> None:
    locks = Lockout()
    fail(locks, 0.0)
    assert fail(locks, 30.0, 20)
    assert not locks.locked("a", 32, 1, 60.0)


def test_other_clients_and_other_peers_are_not_locked() -> None:
    locks = Lockout()
    fail(locks, 0.0)
    assert not locks.locked("b", 32, 1, 1.0)
    assert not locks.locked("a", 33, 1, 1.0)
    assert not locks.locked("a", 32, 2, 1.0)


def test_success_and_time_forget() -> None:
    locks = Lockout()
    fail(locks, 0.0, 2)
    locks.succeeded("a", 32, 1)
    assert not fail(locks, 1.0, 2)
    fail(locks, 1.0, 1)
    assert locks.locked("a", 32, 1, 2.0)
    assert not fail(locks, 1.0 + lockout.FORGOTTEN_AFTER, 2)


def test_memory_is_bounded() -> None:
    locks = Lockout()
    for number in range(lockout.REMEMBERED + 1):
        fail(locks, 0.0, peer=str(number))
    assert not locks.locked("0", 32, 1, 1.0)
    assert locks.locked("1", 32, 1, 1.0)
    assert locks.locked(str(lockout.REMEMBERED), 32, 1, 1.0)


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_are_remembered_and_not_one_more(most: int) -> None:
    def remembered(count: int) -> bool:
        locks = Lockout(LockoutLimits(remembered=most))
        for number in range(count):
            fail(locks, 0.0, peer=str(number))
        return locks.locked("0", 32, 1, 1.0)

    assert remembered(most)
    assert not remembered(most + 1)


@pytest.mark.parametrize("seconds", [10.0, 7200.0])
def test_a_failure_is_forgotten_when_its_time_has_come(seconds: float) -> None:
    def locks_after(pause: float) -> bool:
        locks = Lockout(LockoutLimits(attempts=2, forgotten_after=seconds))
        fail(locks, 0.0, 1)
        return fail(locks, pause, 1)

    assert locks_after(seconds - 1.0)
    assert not locks_after(seconds + 1.0)
