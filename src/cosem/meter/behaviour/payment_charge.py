"""Charges: what is collected from the credit in use, for consumption, for time and for payments (class 113).

A charge for consumption or time is collected at the multiples of its period, while its account is active, for all that
came since the last time: nothing is lost of what comes to less than the smallest amount, nor while no credit is in use.
With a breaker that is open nothing is consumed. A price with an index holds while the active mask of a register
activation has that name. A charge that is not collected for ever ends when nothing remains of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final, cast

from cosem.errors import CosemError, ShapeError
from cosem.meter.behaviour import clock, payment
from cosem.meter.behaviour.payment import amount, price_scale, put_amount, told
from cosem.meter.item import Behaviour, Item, Refusal, Timed, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.data_storage import RegisterActivation, scaler_unit_of
from cosem.protocol.model.classes.payment import (
    Account,
    Charge,
    ChargeConfiguration,
    ChargeType,
    CollectionConfiguration,
    CreditChargeConfiguration,
    UnitCharge,
)
from cosem.protocol.values.data import Data, DoubleLong, DoubleLongUnsigned, Enumerated, LongUnsigned, Unsigned
from cosem.protocol.values.dates import DateTime

TEN_THOUSANDTHS: Final = 10_000
"""Parts of a payment that `proportion` counts."""

_ACTIVE, _PASSIVE = Charge.unit_charge_active, Charge.unit_charge_passive


@dataclass(frozen=True, slots=True)
class Collected:
    """Until when and to what reading a charge was reckoned, and what of it, in its prices, is still to be taken."""

    since: datetime
    reading: int | None = None
    rest: Fraction = Fraction(0)


def begin(visit: Visit, charge: Item) -> None:
    """Reckon from now on."""
    visit.device.owned(charge).state = Collected(visit.time.astimezone(UTC), _reading(visit, charge))


def forget(visit: Visit, charge: Item) -> None:
    """Begin as if nothing had been paid, and nothing were owed."""
    own = visit.device.owned(charge)
    own.state = None
    for attribute in (Charge.total_amount_paid, Charge.last_collection_amount, Charge.total_amount_remaining):
        own.values[attribute.index] = DoubleLong(0)


def collect_of_payment(visit: Visit, account: Item, charge: Item, sum_of: int) -> None:
    """Collect what a charge takes of a payment: a part of it, or its price."""
    if told(visit, charge, Charge.charge_type) is not ChargeType.PAYMENT_EVENT_BASED_COLLECTION or sum_of <= 0:
        return
    if (told(visit, charge, Charge.charge_configuration) or 0) & ChargeConfiguration.PERCENTAGE_BASED_COLLECTION:
        scale = payment.currency_scale(visit, account) - price_scale(visit, charge)
        part = Fraction(int(told(visit, charge, Charge.proportion) or 0), TEN_THOUSANDTHS)
        due = sum_of * part * Fraction(10) ** scale
    else:
        due = Fraction(_price(visit, charge) or 0)
    payment.settle(visit, account)  # the payment may have brought the first credit
    _take(visit, account, charge, due)


# -- what is due -------------------------------------------------------------------------------------------------------


def _due(visit: Visit, account: Item, charge: Item, state: Collected) -> Fraction:
    """Return what has come since the last time, in the prices of the charge."""
    price = _price(visit, charge) or 0
    if told(visit, charge, Charge.charge_type) is ChargeType.TIME_BASED_COLLECTION:
        period = int(told(visit, charge, Charge.period) or 0)
        passed = visit.time.astimezone(UTC) - state.since
        return Fraction(price * max(-(-passed // timedelta(seconds=period)), 0)) if period else Fraction(0)
    reading, prices = _reading(visit, charge), told(visit, charge, _ACTIVE)
    if reading is None or state.reading is None or not payment.is_supplied(visit, account):
        return Fraction(0)
    scale = _scaler(visit, prices) - int(prices.charge_per_unit_scaling.commodity_scale)
    return Fraction(max(reading - state.reading, 0) * price) * Fraction(10) ** scale


def _take(visit: Visit, account: Item, charge: Item, due: Fraction) -> None:
    """Take what is due, as far as it comes to whole amounts, from the credit in use, where the charge may."""
    own = visit.device.owned(charge)
    before = _state(visit, own)
    total = before.rest + due
    own.state = Collected(visit.time.astimezone(UTC), _reading(visit, own), total)
    credit = payment.credit_in_use(visit, account)
    if credit is None or not _may(visit, account, credit, own):
        return
    prices, money = price_scale(visit, own), payment.currency_scale(visit, account)
    coarse = max(prices, money)
    whole = total // 10 ** (coarse - prices)
    remaining = int(told(visit, own, Charge.total_amount_remaining) or 0)
    ends = not (told(visit, own, Charge.charge_configuration) or 0) & ChargeConfiguration.CONTINUOUS_COLLECTION
    if ends and remaining:
        whole = min(whole, remaining // 10 ** (coarse - prices))
    paid = whole * 10 ** (coarse - prices)
    if whole <= 0:
        return
    put_amount(visit, credit, amount(credit) - whole * 10 ** (coarse - money))
    rest = Fraction(0) if ends and remaining == paid else total - paid
    own.state = replace(own.state, rest=rest)
    values = own.values
    values[Charge.total_amount_paid.index] = _bounded(int(told(visit, own, Charge.total_amount_paid) or 0) + paid)
    values[Charge.last_collection_amount.index] = _bounded(paid)
    attribute = Charge.last_collection_time
    values[attribute.index] = attribute.shape.encode(DateTime.from_datetime(visit.time))
    if ends and remaining:
        values[Charge.total_amount_remaining.index] = DoubleLong(remaining - paid)
    payment.settle(visit, account)


def _may(visit: Visit, account: Item, credit: Item, charge: Item) -> bool:
    """Tell whether a charge may be collected from a credit now; where nothing is configured, any may."""
    configured: tuple[CreditChargeConfiguration, ...] = tuple(
        told(visit, account, Account.credit_charge_configuration) or ()
    )
    if not configured:
        return True
    found = [
        each
        for each in configured
        if (each.credit_reference, each.charge_reference) == (credit.instance, charge.instance)
    ]
    anyhow = CollectionConfiguration.COLLECT_WHEN_SUPPLY_DISCONNECTED
    supplied = payment.is_supplied(visit, account)
    return any(supplied or each.collection_configuration & anyhow for each in found)


def _price(visit: Visit, charge: Item) -> int | None:
    """Return the price that holds: without an index always, else while that is the active tariff."""
    prices = told(visit, charge, _ACTIVE)
    if prices is None:
        return None
    tariffs = {
        bytes(told(visit, item, RegisterActivation.active_mask) or b"")
        for item in visit.device.items()
        if item.class_id == RegisterActivation.class_id
    }
    for each in prices.charge_table:
        if not each.index or bytes(each.index) in tariffs:
            return int(each.charge_per_unit)
    return None


def _reading(visit: Visit, charge: Item) -> int | None:
    prices = told(visit, charge, _ACTIVE)
    if prices is None or told(visit, charge, Charge.charge_type) is not ChargeType.CONSUMPTION_BASED_COLLECTION:
        return None
    of = prices.commodity_reference
    item = visit.device.find(of.logical_name)
    try:
        value = None if item is None or item.class_id != of.class_id else item.read(visit, of.attribute_index)
    except Refusal:
        return None
    return int(value) if isinstance(value, int) else None


def _scaler(visit: Visit, prices: UnitCharge) -> int:
    of = prices.commodity_reference
    reference = scaler_unit_of(of.class_id, of.logical_name, of.attribute_index)
    item = visit.device.find(of.logical_name)
    if reference is None or item is None or not item.has(reference.index):
        return 0
    try:
        return int(reference.decode(item.read(visit, reference.index)).scaler)
    except (Refusal, CosemError):
        return 0


def _state(visit: Visit, charge: Item) -> Collected:
    return charge.state if isinstance(charge.state, Collected) else Collected(visit.time.astimezone(UTC))


def _bounded(value: int) -> DoubleLong:
    return DoubleLong(min(max(value, DoubleLong.LOW), DoubleLong.HIGH))


# -- when --------------------------------------------------------------------------------------------------------------


def _account(visit: Visit, charge: Item) -> Item | None:
    account = payment.account_of(visit, charge)
    return account if account is not None and payment.is_active(visit, account) else None


def _following(visit: Visit, charge: Item, until: datetime) -> datetime | None:
    moments: list[datetime] = []
    activation = _activation(visit, charge)
    if activation is not None:
        moments.append(activation)
    period = int(told(visit, charge, Charge.period) or 0)
    if period and _is_periodic(visit, charge) and _account(visit, charge) is not None:
        moments.append(clock.last_multiple(visit.time, period) + timedelta(seconds=period))
    return min((moment for moment in moments if visit.time < moment <= until), default=None)


def _is_periodic(visit: Visit, charge: Item) -> bool:
    return told(visit, charge, Charge.charge_type) is not ChargeType.PAYMENT_EVENT_BASED_COLLECTION


def _act(visit: Visit, charge: Item) -> None:
    account = _account(visit, charge)
    period = int(told(visit, charge, Charge.period) or 0)
    moment = visit.time.astimezone(UTC)
    periodic = period and _is_periodic(visit, charge) and clock.last_multiple(visit.time, period) == moment
    if account is not None and periodic:
        _take(visit, account, charge, _due(visit, account, charge, _state(visit, charge)))
    if _activation(visit, charge) == moment:
        _activate(visit, charge, None)


def _begin(visit: Visit, charge: Item) -> None:
    if charge.state is None and _account(visit, charge) is not None:
        begin(visit, charge)


def _clock_set(visit: Visit, charge: Item, _: datetime) -> None:
    """Reckon time from the new time on."""
    if isinstance(charge.state, Collected):
        visit.device.owned(charge).state = replace(charge.state, since=visit.time.astimezone(UTC))


def _go_on(_: Visit, __: Item, ___: datetime) -> None:
    """Owe for the time without power as well."""


def _activation(visit: Visit, charge: Item) -> datetime | None:
    written = told(visit, charge, Charge.unit_charge_activation_time)
    try:
        return None if written is None else cast("datetime", written.to_datetime(visit.device.zone)).astimezone(UTC)
    except (ShapeError, OverflowError):
        return None


# -- methods -----------------------------------------------------------------------------------------------------------


def _update_prices(visit: Visit, charge: Item, argument: Data) -> Data:
    """Change prices of the passive unit charge by their indices; those with another index are added."""
    prices = told(visit, charge, _PASSIVE)
    if prices is None:
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    table = {bytes(each.index): each for each in prices.charge_table}
    table.update({bytes(each.index): each for each in Charge.update_unit_charge.argument.decode(argument)})
    changed = replace(prices, charge_table=tuple(table.values()))
    visit.device.owned(charge).values[_PASSIVE.index] = _PASSIVE.shape.encode(changed)
    return None


def _activate(visit: Visit, charge: Item, _: Data) -> Data:
    """Let the passive prices hold; what came until now has the old ones."""
    account = _account(visit, charge)
    if account is not None and told(visit, charge, Charge.charge_type) is ChargeType.CONSUMPTION_BASED_COLLECTION:
        _take(visit, account, charge, _due(visit, account, charge, _state(visit, charge)))
    own = visit.device.owned(charge)
    if _PASSIVE.index in own.values:
        own.values[_ACTIVE.index] = own.values[_PASSIVE.index]
    if isinstance(own.state, Collected):
        own.state = replace(own.state, reading=_reading(visit, own))
    return None


def _collect(visit: Visit, charge: Item, _: Data) -> Data:
    """Collect the price once; consumption is collected by itself alone."""
    if told(visit, charge, Charge.charge_type) is ChargeType.CONSUMPTION_BASED_COLLECTION:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    account = _account(visit, charge)
    if account is not None:
        since = _state(visit, charge).since
        _take(visit, account, charge, Fraction(_price(visit, charge) or 0))
        own = visit.device.owned(charge)
        own.state = replace(_state(visit, own), since=since)
    return None


def _remain(visit: Visit, charge: Item, value: int) -> None:
    if (told(visit, charge, Charge.charge_configuration) or 0) & ChargeConfiguration.CONTINUOUS_COLLECTION:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    visit.device.owned(charge).values[Charge.total_amount_remaining.index] = _bounded(max(value, 0))


def _update_remaining(visit: Visit, charge: Item, by: Data) -> Data:
    _remain(visit, charge, int(told(visit, charge, Charge.total_amount_remaining) or 0) + cast("int", by))
    return None


def _set_remaining(visit: Visit, charge: Item, value: Data) -> Data:
    _remain(visit, charge, int(cast("int", value)))
    return None


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Begin with nothing collected, and for ever, where the description says nothing else."""
    values = item.values
    for attribute in (Charge.total_amount_paid, Charge.last_collection_amount, Charge.total_amount_remaining):
        values.setdefault(attribute.index, DoubleLong(0))
    values.setdefault(Charge.charge_type.index, Enumerated(ChargeType.CONSUMPTION_BASED_COLLECTION))
    values.setdefault(Charge.priority.index, Unsigned(1))
    values.setdefault(Charge.period.index, DoubleLongUnsigned(0))
    values.setdefault(Charge.proportion.index, LongUnsigned(0))
    usual = cast("Any", Charge.charge_configuration.shape).encode(ChargeConfiguration.CONTINUOUS_COLLECTION)
    values.setdefault(Charge.charge_configuration.index, usual)
    never = DateTime()
    values.setdefault(Charge.last_collection_time.index, Charge.last_collection_time.shape.encode(never))
    values.setdefault(Charge.unit_charge_activation_time.index, Charge.unit_charge_activation_time.shape.encode(never))


BEHAVIOUR: Final = Behaviour(
    methods={
        Charge.update_unit_charge.index: _update_prices,
        Charge.activate_passive_unit_charge.index: _activate,
        Charge.collect.index: _collect,
        Charge.update_total_amount_remaining.index: _update_remaining,
        Charge.set_total_amount_remaining.index: _set_remaining,
    },
    adopt=_adopt,
    timed=Timed(_following, _act, begin=_begin, clock_set=_clock_set, power_restored=_go_on),
)
