"""Prepayment: credit that charges consume, top-ups by token, and the breaker; sums are reckoned by hand."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from behaving import Now, run, write
from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.behaviour.token_gateway import check_digits
from cosem.meter.describe import parse
from cosem.meter.item import Refusal
from cosem.protocol.model import ProfileGeneric, Register
from cosem.protocol.model.classes.payment import (
    AccountStatus,
    Charge,
    ChargeTableElement,
    Credit,
    CreditStatus,
    CurrentCreditStatus,
    TokenStatusCode,
)
from cosem.protocol.model.classes.time_and_event import ControlState
from cosem.protocol.values.data import DoubleLong
from cosem.protocol.values.dates import DateTime
from described import (
    ACCOUNT,
    BREAKER,
    COUNTED,
    CREDIT,
    GATEWAY,
    PAID,
    account,
    consumption,
    fee,
    head,
    profile,
    purse,
    thing,
)

BEGIN = datetime(2026, 7, 1, 10, tzinfo=UTC)
TOKEN, EMERGENCY = CREDIT, Credit("0.0.19.10.1.255")
ENERGY, DAILY, PAYMENT = (Charge(f"0.0.19.20.{e}.255") for e in range(3))
COUNTER = Register("1.0.1.8.0.255")
LOG = ProfileGeneric("0.0.99.98.20.255")

NOTED = thing("Data", "0.0.96.11.20.255", "value = { unsigned = 0 }") + profile(
    "0.0.99.98.20.255",
    "0.0.96.11.20.255:value",
    lines=("events = { credit_added = 3, credit_low = 4, credit_out = 5 }",),
)


def prepaid(amount: int = 1000, status: int = 2) -> str:
    """Return a meter with so much credit, room for an emergency and for three charges."""
    named = (charge.instance for charge in (ENERGY, DAILY, PAYMENT))
    return (
        head("UTC")
        + COUNTED
        + account(*map(str, named), credits='"0.0.19.10.0.255", "0.0.19.10.1.255"', status=status)
        + purse(amount, "warning_threshold = 100")
        + consumption('unit_charge_passive = [[3, -3], [3, "1.0.1.8.0.255", 2], [["", 300]]]')
        + NOTED
        + PAID
    )


RESERVE = """
[[object]]
class = "Credit"
instance = "0.0.19.10.1.255"
credit_type = 2
priority = 2
current_credit_amount = 500
preset_credit_amount = 500
credit_available_threshold = 50
credit_configuration = 12
"""  # requires confirmation, and to be paid back
PART = """
[[object]]
class = "Charge"
instance = "0.0.19.20.2.255"
charge_type = 2
unit_charge_active = [[0, -2], [0, "0.0.0.0.0.0", 0], [["", 0]]]
proportion = 2500
charge_configuration = 2
total_amount_remaining = 300
"""


def metered(now: Now, *more: str, amount: int = 1000, status: int = 2) -> Meter:
    meter = parse("\n".join((prepaid(amount, status), *more)), clock=now)
    meter.management.visit()  # all begins now
    return meter


def use(meter: Meter, now: Now, watt_hours: int, hours: float = 1) -> None:
    """Let so much flow at once, and time pass."""
    meter.put(COUNTER.value, int(meter.value(COUNTER.value)) + watt_hours)
    now.later(hours=hours)


def events(meter: Meter) -> list[int]:
    rows: Sequence[Any] = meter.value(LOG.buffer)
    return [int(row[1]) for row in rows]


def token(serial: int, amount: int) -> bytes:
    digits = f"{serial:06}{amount:010}"
    return f"{digits}{binascii.crc_hqx(digits.encode(), 0) % 10_000:04}".encode()


def outcome(meter: Meter, octets: bytes) -> TokenStatusCode:
    run(meter, GATEWAY.enter, octets)
    assert meter.value(GATEWAY.token) == octets
    told: TokenStatusCode = meter.value(GATEWAY.token_status).status_code
    return told


# -- consumption -------------------------------------------------------------------------------------------------------


def test_consumption_takes_credit_at_its_price_and_nothing_is_lost_of_small_amounts() -> None:
    now = Now(BEGIN)
    meter = metered(now)
    use(meter, now, 2000)  # 2 kWh of 25 cents
    assert meter.value(TOKEN.current_credit_amount) == 950 == meter.value(ACCOUNT.available_credit)
    assert meter.value(ENERGY.total_amount_paid) == 500 == meter.value(ENERGY.last_collection_amount)
    assert meter.value(ENERGY.last_collection_time).to_datetime(UTC) == BEGIN + timedelta(hours=1)
    for _ in range(10):
        use(meter, now, 10)  # a quarter of a cent each
    assert meter.value(TOKEN.current_credit_amount) == 948
    assert meter.value(ENERGY.total_amount_paid) == 520
    use(meter, now, 20)
    assert meter.value(TOKEN.current_credit_amount) == 947


def test_it_is_collected_at_the_multiples_of_the_period_only() -> None:
    now = Now(BEGIN)
    meter = metered(now)
    use(meter, now, 4000, hours=0.99)
    assert meter.value(TOKEN.current_credit_amount) == 1000
    now.later(hours=0.01)
    assert meter.value(TOKEN.current_credit_amount) == 900


def test_other_prices_hold_from_when_they_are_activated() -> None:
    now = Now(BEGIN)
    meter = metered(now)
    run(meter, ENERGY.update_unit_charge, (ChargeTableElement(b"", 400),))
    use(meter, now, 1000, hours=0.5)
    run(meter, ENERGY.activate_passive_unit_charge)
    assert meter.value(TOKEN.current_credit_amount) == 975
    use(meter, now, 1000)
    assert meter.value(TOKEN.current_credit_amount) == 935


def test_an_account_that_is_not_active_pays_nothing() -> None:
    now = Now(BEGIN)
    meter = metered(now, status=1)
    use(meter, now, 4000)
    assert meter.value(TOKEN.current_credit_amount) == 1000
    run(meter, ACCOUNT.activate_account)
    assert meter.value(ACCOUNT.account_mode_and_status).account_status is AccountStatus.ACTIVE
    assert meter.value(ACCOUNT.account_activation_time).to_datetime(UTC) == now.time
    use(meter, now, 4000)
    assert meter.value(TOKEN.current_credit_amount) == 900
    run(meter, ACCOUNT.close_account)
    use(meter, now, 4000)
    assert meter.value(TOKEN.current_credit_amount) == 900
    run(meter, ACCOUNT.reset_account)
    assert meter.value(ACCOUNT.account_mode_and_status).account_status is AccountStatus.NEW
    assert (meter.value(TOKEN.current_credit_amount), meter.value(ENERGY.total_amount_paid)) == (0, 0)


def test_an_account_becomes_active_and_closes_at_written_times() -> None:
    now = Now(BEGIN)
    meter = metered(now, status=1)
    begins, ends = BEGIN + timedelta(hours=2), BEGIN + timedelta(hours=4)
    write(meter, ACCOUNT.account_activation_time, DateTime.from_datetime(begins))
    write(meter, ACCOUNT.account_closure_time, DateTime.from_datetime(ends))
    now.later(hours=2)
    assert meter.value(ACCOUNT.account_mode_and_status).account_status is AccountStatus.ACTIVE
    now.later(hours=2)
    assert meter.value(ACCOUNT.account_mode_and_status).account_status is AccountStatus.CLOSED


# -- low credit, no credit, and the breaker ----------------------------------------------------------------------------


def test_low_credit_and_no_credit_are_told_once_and_the_breaker_opens_and_closes() -> None:
    now = Now(BEGIN)
    meter = metered(now)
    use(meter, now, 36_000)
    assert meter.value(ACCOUNT.available_credit) == 100 == meter.value(ACCOUNT.low_credit_threshold)
    assert meter.value(ACCOUNT.current_credit_status) == CurrentCreditStatus.IN_CREDIT
    use(meter, now, 40)
    assert meter.value(ACCOUNT.current_credit_status) == (
        CurrentCreditStatus.IN_CREDIT | CurrentCreditStatus.LOW_CREDIT
    )
    use(meter, now, 40)
    assert events(meter) == [4]
    assert meter.value(BREAKER.control_state) is ControlState.CONNECTED
    use(meter, now, 4000)
    assert meter.value(TOKEN.current_credit_amount) == -2
    assert meter.value(TOKEN.credit_status) is CreditStatus.CONSUMED
    assert meter.value(ACCOUNT.current_credit_status) == CurrentCreditStatus.OUT_OF_CREDIT
    assert meter.value(ACCOUNT.current_credit_in_use) == 2, "behind the last of the list"
    assert meter.value(BREAKER.control_state) is ControlState.DISCONNECTED
    assert events(meter) == [4, 5]
    use(meter, now, 4000)  # by what somebody puts there: a load would stand still behind the open breaker
    assert outcome(meter, token(1, 500)) is TokenStatusCode.TOKEN_EXECUTION_RESULT_OK
    assert meter.value(BREAKER.control_state) is ControlState.CONNECTED
    assert events(meter) == [4, 5, 3]
    assert meter.value(TOKEN.current_credit_amount) == 498
    now.later(hours=5)
    assert meter.value(TOKEN.current_credit_amount) == 498


@pytest.mark.parametrize(("amount", "state"), [(1, ControlState.CONNECTED), (0, ControlState.DISCONNECTED)])
def test_supply_ends_when_credit_falls_to_its_limit(amount: int, state: ControlState) -> None:
    now = Now(BEGIN)
    meter = metered(now, amount=100)
    use(meter, now, 40 * (100 - amount))
    assert meter.value(TOKEN.current_credit_amount) == amount
    assert meter.value(BREAKER.control_state) is state


def test_emergency_credit_is_used_when_it_was_confirmed_and_is_paid_back() -> None:
    now = Now(BEGIN)
    meter = metered(now, RESERVE, amount=100)
    assert meter.value(ACCOUNT.next_credit_available_threshold) == 50
    assert CurrentCreditStatus.NEXT_CREDIT_ENABLED in meter.value(ACCOUNT.current_credit_status)
    use(meter, now, 2000)
    assert meter.value(EMERGENCY.credit_status) is CreditStatus.SELECTABLE
    run(meter, EMERGENCY.invoke_credit)
    assert meter.value(EMERGENCY.credit_status) is CreditStatus.SELECTED_OR_INVOKED
    assert meter.value(ACCOUNT.available_credit) == 550
    use(meter, now, 2000)
    assert meter.value(EMERGENCY.credit_status) is CreditStatus.IN_USE
    assert meter.value(ACCOUNT.current_credit_in_use) == 1
    assert CurrentCreditStatus.SELECTABLE_CREDIT_IN_USE in meter.value(ACCOUNT.current_credit_status)
    use(meter, now, 8000)
    assert meter.value(EMERGENCY.current_credit_amount) == 300
    assert meter.value(BREAKER.control_state) is ControlState.CONNECTED
    assert outcome(meter, token(7, 1000)) is TokenStatusCode.TOKEN_EXECUTION_RESULT_OK
    assert meter.value(EMERGENCY.current_credit_amount) == 500
    assert meter.value(TOKEN.current_credit_amount) == 800
    assert meter.value(TOKEN.credit_status) is CreditStatus.IN_USE
    assert meter.value(EMERGENCY.credit_status) is CreditStatus.ENABLED


def test_emergency_credit_that_nobody_confirms_does_not_keep_the_supply() -> None:
    now = Now(BEGIN)
    meter = metered(now, RESERVE, amount=100)
    use(meter, now, 4000)
    assert meter.value(EMERGENCY.credit_status) is CreditStatus.SELECTABLE
    assert meter.value(BREAKER.control_state) is ControlState.DISCONNECTED
    run(meter, EMERGENCY.invoke_credit)
    assert meter.value(EMERGENCY.credit_status) is CreditStatus.IN_USE
    assert meter.value(BREAKER.control_state) is ControlState.CONNECTED


# -- time and payments -------------------------------------------------------------------------------------------------


def test_a_charge_for_time_is_collected_for_each_period_that_has_passed_until_nothing_remains() -> None:
    now = Now(BEGIN)
    meter = metered(now, fee("0.0.19.20.1.255", 86400, "charge_configuration = 0", "total_amount_remaining = 20"))
    assert meter.value(ACCOUNT.aggregated_debt) == 20
    now.later(days=2)
    assert meter.value(TOKEN.current_credit_amount) == 986
    assert meter.value(DAILY.total_amount_remaining) == 6 == meter.value(ACCOUNT.aggregated_debt)
    now.later(days=1)
    assert meter.value(TOKEN.current_credit_amount) == 980
    assert (meter.value(DAILY.total_amount_remaining), meter.value(DAILY.total_amount_paid)) == (0, 20)


def test_a_charge_for_ever_has_no_debt_and_none_can_be_set() -> None:
    now = Now(BEGIN)
    meter = metered(now, fee("0.0.19.20.1.255", 86400, "charge_configuration = 1", "total_amount_remaining = 0"))
    now.later(days=10)
    assert meter.value(TOKEN.current_credit_amount) == 930
    run(meter, DAILY.collect)
    assert meter.value(TOKEN.current_credit_amount) == 923
    with pytest.raises(Refusal):
        run(meter, DAILY.set_total_amount_remaining, DoubleLong(5))
    with pytest.raises(Refusal):
        run(meter, ENERGY.collect)


def test_a_payment_pays_debt_in_its_proportion_until_nothing_remains() -> None:
    now = Now(BEGIN)
    meter = metered(now, PART)
    assert outcome(meter, token(1, 1000)) is TokenStatusCode.TOKEN_EXECUTION_RESULT_OK
    assert meter.value(TOKEN.current_credit_amount) == 1750
    assert meter.value(PAYMENT.total_amount_remaining) == 50
    assert outcome(meter, token(2, 1000)) is TokenStatusCode.TOKEN_EXECUTION_RESULT_OK
    assert meter.value(TOKEN.current_credit_amount) == 2700
    run(meter, PAYMENT.update_total_amount_remaining, DoubleLong(40))
    assert meter.value(ACCOUNT.aggregated_debt) == 40


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_tokens_are_judged_in_order_of_what_is_wrong_with_them() -> None:
    meter = metered(Now(BEGIN))
    good = token(5, 250)
    assert check_digits("1234567890123456") == f"{binascii.crc_hqx(b'1234567890123456', 0) % 10_000:04}"
    assert outcome(meter, good[:-1]) is TokenStatusCode.TOKEN_FORMAT_FAILURE
    assert outcome(meter, good + b"0") is TokenStatusCode.TOKEN_FORMAT_FAILURE
    assert outcome(meter, b"x" + good[1:]) is TokenStatusCode.TOKEN_FORMAT_FAILURE
    assert outcome(meter, b"1" + good[1:]) is TokenStatusCode.AUTHENTICATION_FAILURE
    assert outcome(meter, token(5, 0)) is TokenStatusCode.TOKEN_EXECUTION_RESULT_FAILURE
    assert meter.value(TOKEN.current_credit_amount) == 1000
    spaced = b"-".join(good[place : place + 4] for place in range(0, 20, 4))
    assert outcome(meter, spaced) is TokenStatusCode.TOKEN_EXECUTION_RESULT_OK
    assert meter.value(TOKEN.current_credit_amount) == 1250
    assert meter.value(GATEWAY.token_time).to_datetime(UTC) == BEGIN
    assert outcome(meter, good) is TokenStatusCode.VALIDATION_RESULT_FAILURE
    assert outcome(meter, token(4, 250)) is TokenStatusCode.VALIDATION_RESULT_FAILURE
    assert outcome(meter, token(6, 250)) is TokenStatusCode.TOKEN_EXECUTION_RESULT_OK
    assert events(meter) == [3, 3]


@pytest.mark.parametrize(("room", "taken"), [(100, True), (99, False)])
def test_a_token_is_taken_whole_or_not_at_all(room: int, taken: bool) -> None:
    meter = metered(Now(BEGIN), amount=DoubleLong.HIGH - room)
    told = outcome(meter, token(1, 100))
    assert (told is TokenStatusCode.TOKEN_EXECUTION_RESULT_OK) is taken
    assert meter.value(TOKEN.current_credit_amount) == (DoubleLong.HIGH if taken else DoubleLong.HIGH - room)


def test_without_its_table_a_gateway_only_keeps_tokens() -> None:
    text = prepaid(0).replace('test_tokens = "0.0.19.40.0.255"\n', "")
    meter = parse(text, clock=Now(BEGIN))
    assert outcome(meter, token(1, 100)) is TokenStatusCode.TOKEN_RECEIVED_AND_NOT_YET_PROCESSED
    assert meter.value(TOKEN.current_credit_amount) == 0


def test_a_configured_gateway_gives_each_credit_its_part() -> None:
    more = RESERVE.replace("credit_type = 2", "credit_type = 1").replace("12", "1")
    now = Now(BEGIN)
    shares = 'token_gateway_configuration = [["0.0.19.10.1.255", 30]]\ncurrency ='
    meter = parse(prepaid().replace("currency =", shares) + more, clock=now)
    assert outcome(meter, token(1, 101)) is TokenStatusCode.TOKEN_EXECUTION_RESULT_OK
    assert meter.value(EMERGENCY.current_credit_amount) == 530
    assert meter.value(TOKEN.current_credit_amount) == 1071


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ('account = "0.0.19.0.0.255"', 'account = "0.0.19.1.0.255"'),
        ('test_tokens = "0.0.19.40.0.255"', 'test_tokens = "0.0.19.41.0.255"'),
        ('disconnect = "0.0.96.3.10.255"', 'disconnect = "1.0.1.8.0.255"'),
    ],
)
def test_what_is_not_there_is_refused_with_its_place(line: str, other: str) -> None:
    key = line.split(" ", 1)[0]
    with pytest.raises(ConfigurationError, match=rf"\[\[payment\]\] 1 .*{key}: .*there is no such object of class"):
        parse(prepaid(0).replace(line, other), clock=Now(BEGIN))


def test_prices_go_by_the_tariffs_of_a_template() -> None:
    now = Now(BEGIN)
    only_by_night = 'unit_charge_active = [[3, -3], [3, "1.0.1.8.0.255", 2], [["2", 250]]]'
    charge = thing("Charge", str(ENERGY.instance), "charge_type = 0", only_by_night, "period = 3600")
    meter = parse(head("UTC") + 'template = "household"\n' + account() + purse(100_000) + charge + PAID, clock=now)
    left = []
    for hour in (10, 21, 23):
        now.time = BEGIN.replace(hour=hour)
        left.append(int(meter.value(TOKEN.current_credit_amount)))
    assert left[0] == left[1] == 100_000 > left[2]
