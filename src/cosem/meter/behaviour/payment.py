"""What accounts, credits and charges have in common: which credit is in use, and what follows when there is less of it.

The credit of the highest priority (1) that is not exhausted is in use; one that requires confirmation becomes
selectable when no more is available than its threshold says, and is used once it was invoked. A credit is exhausted
when its amount falls to its limit, and enabled again above it. The account tells of low credit when less is available
than the warning threshold of the credit in use, and of no credit when none is in use; then it opens the breaker that
`[[payment]]` names, and closes it when there is credit again, as far as the control mode allows. Public sources do not
settle all of it: docs/model-uncertain.md says what.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from cosem.errors import ShapeError
from cosem.meter.events import MeterEvent
from cosem.meter.item import Item, Refusal, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.payment import (
    Account,
    AccountStatus,
    Charge,
    Credit,
    CreditConfiguration,
    CreditStatus,
)
from cosem.protocol.model.classes.time_and_event import ControlState, DisconnectControl
from cosem.protocol.model.declare import Attribute
from cosem.protocol.values.data import DoubleLong, Enumerated
from cosem.protocol.values.obis import Obis

AMOUNT: Final = Credit.current_credit_amount.index
STATUS: Final = Credit.credit_status.index
WAITING: Final = (CreditStatus.ENABLED, CreditStatus.SELECTABLE, CreditStatus.SELECTED_OR_INVOKED)
"""What a credit is that may be used next."""


@dataclass(frozen=True, slots=True)
class Supply:
    """What an account has told of its credit, and the breaker that it opens without any."""

    breaker: Obis | None = None
    low: bool = False
    out: bool = False


def account_of(visit: Visit, item: Item) -> Item | None:
    """Return the account that names a credit or a charge."""
    attribute = Account.credit_reference_list if item.class_id == Credit.class_id else Account.charge_reference_list
    for each in visit.device.items():
        if each.class_id == Account.class_id and item.instance in (told(visit, each, attribute) or ()):
            return each
    return None


def is_active(visit: Visit, account: Item) -> bool:
    """Tell whether charges are collected for an account."""
    state = told(visit, account, Account.account_mode_and_status)
    return state is not None and state.account_status is AccountStatus.ACTIVE


def credits_of(visit: Visit, account: Item) -> list[Item]:
    """Return the credits of an account, the highest priority first."""
    found = _named(visit, account, Account.credit_reference_list, Credit.class_id)
    return sorted(found, key=lambda item: int(told(visit, item, Credit.priority) or 0))


def credit_in_use(visit: Visit, account: Item) -> Item | None:
    """Return the credit that charges are collected from at present."""
    return next((item for item in credits_of(visit, account) if status(item) is CreditStatus.IN_USE), None)


def currency_scale(visit: Visit, account: Item) -> int:
    """Return the power of ten of the amounts of an account."""
    currency = told(visit, account, Account.currency)
    return 0 if currency is None else int(currency.currency_scale)


def is_supplied(visit: Visit, account: Item) -> bool:
    """Tell whether the breaker of an account is closed; it is where there is none."""
    found = _breaker(visit, account)
    return found is None or found.read(visit, DisconnectControl.control_state.index) == ControlState.CONNECTED


def settle_for(visit: Visit, item: Item) -> None:
    """Settle the account that names a credit or a charge."""
    account = account_of(visit, item)
    if account is not None:
        settle(visit, account)


def settle(visit: Visit, account: Item) -> None:
    """See which credit is in use now, and tell and do what follows."""
    if not is_active(visit, account):
        return
    _choose(visit, account)
    before = supply_of(account)
    out = credit_in_use(visit, account) is None
    low = not out and available(visit, account) < low_threshold(visit, account)
    visit.device.owned(account).state = replace(before, low=low, out=out)
    if low and not before.low:
        visit.device.note(MeterEvent.CREDIT_LOW, visit.time)
    if out and not before.out:
        visit.device.note(MeterEvent.CREDIT_OUT, visit.time)
    if out != before.out:
        _switch(visit, account, DisconnectControl.remote_disconnect if out else DisconnectControl.remote_reconnect)


def charges_of(visit: Visit, account: Item) -> list[Item]:
    """Return the charges of an account, the highest priority first."""
    found = _named(visit, account, Account.charge_reference_list, Charge.class_id)
    return sorted(found, key=lambda item: int(told(visit, item, Charge.priority) or 0))


def available(visit: Visit, account: Item) -> int:
    """Return what there is in the credits that are in use or selected."""
    counted = (CreditStatus.IN_USE, CreditStatus.SELECTED_OR_INVOKED)
    return sum(max(amount(item), 0) for item in credits_of(visit, account) if status(item) in counted)


def low_threshold(visit: Visit, account: Item) -> int:
    used = credit_in_use(visit, account)
    return 0 if used is None else int(told(visit, used, Credit.warning_threshold) or 0)


def told(visit: Visit, item: Item, attribute: Attribute[Any]) -> Any:
    """Return what an attribute holds, None where it holds nothing, or something else."""
    try:
        return attribute.shape.decode(item.read(visit, attribute.index))
    except (Refusal, ShapeError):
        return None


def amount(item: Item) -> int:
    """Return how much there is of a credit."""
    return int(cast("int", item.values[AMOUNT]))


def status(item: Item) -> CreditStatus:
    """Return where a credit is in its life."""
    return CreditStatus(cast("int", item.values[STATUS]))


def put_status(visit: Visit, item: Item, present: CreditStatus) -> None:
    """Say where a credit is in its life."""
    visit.device.owned(item).values[STATUS] = Enumerated(present)


def needs(visit: Visit, item: Item, what: CreditConfiguration) -> bool:
    """Tell whether a credit is configured so."""
    return bool(cast("CreditConfiguration", told(visit, item, Credit.credit_configuration) or 0) & what)


def put_amount(visit: Visit, item: Item, value: int) -> None:
    """Set the amount, and see what follows for the credit alone; Refusal where there is no room for it."""
    if not DoubleLong.LOW <= value <= DoubleLong.HIGH:
        raise Refusal(DataAccessResult.OTHER_REASON)
    own = visit.device.owned(item)
    own.values[AMOUNT] = DoubleLong(value)
    limit = int(told(visit, own, Credit.limit) or 0)
    if status(own) is CreditStatus.CONSUMED and value > limit:
        put_status(visit, own, CreditStatus.ENABLED)
    elif status(own) is CreditStatus.IN_USE and value <= limit:
        put_status(visit, own, CreditStatus.CONSUMED)


def price_scale(visit: Visit, charge: Item) -> int:
    """Return the power of ten of the prices and amounts of a charge."""
    prices = told(visit, charge, Charge.unit_charge_active)
    return 0 if prices is None else int(prices.charge_per_unit_scaling.price_scale)


# -- which credit is in use --------------------------------------------------------------------------------------------


def _choose(visit: Visit, account: Item) -> None:
    own = credits_of(visit, account)
    for item in own:
        put_amount(visit, item, amount(item))  # limits may have been written
    used = next((item for item in own if status(item) is CreditStatus.IN_USE), None)
    for item in own:
        if item.instance == (None if used is None else used.instance):
            break
        confirmed = not needs(visit, item, CreditConfiguration.REQUIRES_CONFIRMATION)
        if status(item) is CreditStatus.SELECTED_OR_INVOKED or (status(item) is CreditStatus.ENABLED and confirmed):
            if used is not None:
                put_status(visit, used, CreditStatus.ENABLED)
            put_status(visit, item, CreditStatus.IN_USE)
            break
    following = next_credit(visit, account)
    if following is not None and needs(visit, following, CreditConfiguration.REQUIRES_CONFIRMATION):
        within = available(visit, account) <= int(told(visit, following, Credit.credit_available_threshold) or 0)
        if status(following) is CreditStatus.ENABLED and within:
            put_status(visit, following, CreditStatus.SELECTABLE)
        elif status(following) is CreditStatus.SELECTABLE and not within:
            put_status(visit, following, CreditStatus.ENABLED)


def next_credit(visit: Visit, account: Item) -> Item | None:
    return next((item for item in credits_of(visit, account) if status(item) in WAITING), None)


def _named(visit: Visit, account: Item, attribute: Any, class_id: int) -> Iterator[Item]:
    for name in told(visit, account, attribute) or ():
        item = visit.device.find(name)
        if item is not None and item.class_id == class_id:
            yield item


def supply_of(account: Item) -> Supply:
    return account.state if isinstance(account.state, Supply) else Supply()


def _breaker(visit: Visit, account: Item) -> Item | None:
    name = supply_of(account).breaker
    found = None if name is None else visit.device.find(name)
    return found if found is not None and found.class_id == DisconnectControl.class_id else None


def _switch(visit: Visit, account: Item, method: Any) -> None:
    found = _breaker(visit, account)
    run = None if found is None else found.method(method.index)
    if found is None or run is None:
        return
    try:
        run(visit, found, None)
    except Refusal:
        return  # the control mode does not allow it
