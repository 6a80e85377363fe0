"""Accounts: their life, what they tell of their credits, and what a top-up goes to (class 111; see `payment`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

from cosem.errors import ShapeError
from cosem.meter.behaviour import payment_charge
from cosem.meter.behaviour.payment import (
    WAITING,
    Supply,
    amount,
    available,
    charges_of,
    credit_in_use,
    credits_of,
    currency_scale,
    low_threshold,
    needs,
    next_credit,
    price_scale,
    put_amount,
    put_status,
    settle,
    status,
    supply_of,
    told,
)
from cosem.meter.item import Behaviour, Item, Timed, Visit
from cosem.protocol.model.classes.payment import (
    Account,
    AccountModeAndStatus,
    AccountStatus,
    Charge,
    ChargeConfiguration,
    Credit,
    CreditConfiguration,
    CreditStatus,
    CreditType,
    Currency,
    CurrencyUnit,
    CurrentCreditStatus,
    PaymentMode,
)
from cosem.protocol.values.data import Array, Data, DoubleLong, LongUnsigned, Unsigned
from cosem.protocol.values.dates import DateTime

NO_THRESHOLD: Final = DoubleLong.LOW
"""As next_credit_available_threshold: there is no next credit."""

PERCENT: Final = 100


def top_up(visit: Visit, account: Item, sum_of: int) -> None:
    """Give a sum to the credits of an account that `takes` it.

    First each credit that the configuration of the token gateway names gets its part in percent, then the one of the
    lowest priority that is in use or exhausted the rest, and what that does not take the others, from the lowest on.
    """
    left = sum_of
    own = credits_of(visit, account)
    by_name = {item.instance: item for item in own}
    for each in told(visit, account, Account.token_gateway_configuration) or ():
        if each.credit_reference in by_name:
            part = min(sum_of * int(each.token_proportion) // PERCENT, left)
            left -= _take(visit, by_name[each.credit_reference], part)
    lowest = own[::-1]
    lowest_first = sorted(lowest, key=lambda item: status(item) in WAITING)
    for item in lowest_first:
        left -= _take(visit, item, left)
    for charge in charges_of(visit, account):
        payment_charge.collect_of_payment(visit, account, charge, sum_of - left)
    settle(visit, account)


def takes(visit: Visit, account: Item, sum_of: int) -> bool:
    """Tell whether the credits of an account have room for a sum, and one of them takes all that others do not."""
    return any(
        told(visit, item, Credit.credit_type) is not CreditType.EMERGENCY
        and needs(visit, item, CreditConfiguration.ABLE_TO_RECEIVE_CREDIT_AMOUNTS_FROM_TOKENS)
        for item in credits_of(visit, account)
    ) and all(amount(item) + sum_of <= DoubleLong.HIGH for item in credits_of(visit, account))


def _take(visit: Visit, item: Item, part: int) -> int:
    """Give a credit what it takes of a part of a top-up; an emergency credit takes what it is short of."""
    if part <= 0:
        return 0
    if told(visit, item, Credit.credit_type) is CreditType.EMERGENCY:
        if not needs(visit, item, CreditConfiguration.REQUIRES_CREDIT_AMOUNT_TO_BE_PAID_BACK):
            return 0
        part = min(part, max(int(told(visit, item, Credit.preset_credit_amount) or 0) - amount(item), 0))
    elif not needs(visit, item, CreditConfiguration.ABLE_TO_RECEIVE_CREDIT_AMOUNTS_FROM_TOKENS):
        return 0
    put_amount(visit, item, amount(item) + part)
    return part


# -- what an account tells ---------------------------------------------------------------------------------------------


def _in_use(visit: Visit, account: Item) -> Data:
    used = credit_in_use(visit, account)
    names = tuple(told(visit, account, Account.credit_reference_list) or ())
    return Unsigned(len(names) if used is None else names.index(used.instance))


def _credit_status(visit: Visit, account: Item) -> Data:
    used, following = credit_in_use(visit, account), next_credit(visit, account)
    bits = CurrentCreditStatus(0)
    if available(visit, account) > 0:
        bits |= CurrentCreditStatus.IN_CREDIT
    if available(visit, account) < low_threshold(visit, account):
        bits |= CurrentCreditStatus.LOW_CREDIT
    if following is not None:
        bits |= _OF_NEXT[status(following)]
    if used is not None and needs(visit, used, CreditConfiguration.REQUIRES_CONFIRMATION):
        bits |= CurrentCreditStatus.SELECTABLE_CREDIT_IN_USE
    if used is None:
        bits |= CurrentCreditStatus.OUT_OF_CREDIT
    return Account.current_credit_status.shape.encode(bits)


_OF_NEXT: Final = {
    CreditStatus.ENABLED: CurrentCreditStatus.NEXT_CREDIT_ENABLED,
    CreditStatus.SELECTABLE: CurrentCreditStatus.NEXT_CREDIT_SELECTABLE,
    CreditStatus.SELECTED_OR_INVOKED: CurrentCreditStatus.CREDIT_REFERENCE_LIST,
}


def _debt(visit: Visit, account: Item) -> Data:
    """Return what remains of charges that are not collected for ever, in the scale of the account."""
    total = 0
    for charge in charges_of(visit, account):
        if not (told(visit, charge, Charge.charge_configuration) or 0) & ChargeConfiguration.CONTINUOUS_COLLECTION:
            scale = price_scale(visit, charge) - currency_scale(visit, account)
            remaining = int(told(visit, charge, Charge.total_amount_remaining) or 0)
            total += remaining * 10**scale if scale >= 0 else remaining // 10**-scale
    return DoubleLong(min(total, DoubleLong.HIGH))


def _next_threshold(visit: Visit, account: Item) -> Data:
    following = next_credit(visit, account)
    threshold = None if following is None else told(visit, following, Credit.credit_available_threshold)
    return DoubleLong(NO_THRESHOLD if threshold is None else threshold)


# -- its life ----------------------------------------------------------------------------------------------------------


def _become(visit: Visit, account: Item, present: AccountStatus, since: Any) -> None:
    own = visit.device.owned(account)
    mode = told(visit, account, Account.account_mode_and_status)
    attribute = Account.account_mode_and_status
    own.values[attribute.index] = attribute.shape.encode(AccountModeAndStatus(mode.payment_mode, present))
    if since is not None:
        own.values[since.index] = since.shape.encode(DateTime.from_datetime(visit.time))


def _activate(visit: Visit, account: Item, _: Data = None) -> Data:
    if _status(visit, account) is AccountStatus.NEW:
        _become(visit, account, AccountStatus.ACTIVE, Account.account_activation_time)
        for charge in charges_of(visit, account):
            payment_charge.begin(visit, charge)
        settle(visit, account)
    return None


def _close(visit: Visit, account: Item, _: Data = None) -> Data:
    if _status(visit, account) is AccountStatus.ACTIVE:
        _become(visit, account, AccountStatus.CLOSED, Account.account_closure_time)
    return None


def _reset(visit: Visit, account: Item, _: Data) -> Data:
    """Begin as new: without credit, and with nothing paid or owed."""
    if _status(visit, account) is not AccountStatus.NEW:
        _become(visit, account, AccountStatus.NEW, None)
        own = visit.device.owned(account)
        own.state = Supply(supply_of(account).breaker)
        own.values[Account.account_activation_time.index] = _NEVER
        own.values[Account.account_closure_time.index] = _NEVER
        for item in credits_of(visit, account):
            put_amount(visit, item, 0)
            put_status(visit, item, CreditStatus.CONSUMED)
        for charge in charges_of(visit, account):
            payment_charge.forget(visit, charge)
    return None


def _status(visit: Visit, account: Item) -> AccountStatus | None:
    state = told(visit, account, Account.account_mode_and_status)
    return None if state is None else cast("AccountStatus", state.account_status)


_DUE: Final[Mapping[AccountStatus | None, tuple[Any, Callable[[Visit, Item], Data]]]] = {
    AccountStatus.NEW: (Account.account_activation_time, _activate),
    AccountStatus.ACTIVE: (Account.account_closure_time, _close),
}
"""What is due at a time that was written, by where an account is in its life."""


def _moment(visit: Visit, account: Item) -> datetime | None:
    present = _status(visit, account)
    attribute = None if present not in _DUE else _DUE[present][0]
    written = None if attribute is None else told(visit, account, attribute)
    try:
        return None if written is None else cast("datetime", written.to_datetime(visit.device.zone)).astimezone(UTC)
    except (ShapeError, OverflowError):
        return None


def _following(visit: Visit, account: Item, until: datetime) -> datetime | None:
    moment = _moment(visit, account)
    return moment if moment is not None and visit.time < moment <= until else None


def _act(visit: Visit, account: Item) -> None:
    present = _status(visit, account)
    if present in _DUE:
        _DUE[present][1](visit, account)


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Begin as a new prepayment account without credits, where the description says nothing else."""
    values = item.values
    for lists in (
        Account.credit_reference_list,
        Account.charge_reference_list,
        Account.credit_charge_configuration,
        Account.token_gateway_configuration,
    ):
        values.setdefault(lists.index, Array())
    for sums in (Account.amount_to_clear, Account.clearance_threshold, Account.max_provision_period):
        values.setdefault(sums.index, DoubleLong(0))
    values.setdefault(Account.max_provision.index, LongUnsigned(0))
    for times in (Account.account_activation_time, Account.account_closure_time):
        values.setdefault(times.index, _NEVER)
    new = AccountModeAndStatus(PaymentMode.PREPAYMENT, AccountStatus.NEW)
    values.setdefault(Account.account_mode_and_status.index, Account.account_mode_and_status.shape.encode(new))
    values.setdefault(
        Account.currency.index, Account.currency.shape.encode(Currency("", 0, CurrencyUnit(CurrencyUnit.MONETARY)))
    )


_NEVER: Final = Account.account_activation_time.shape.encode(DateTime())

BEHAVIOUR: Final = Behaviour(
    reads={
        Account.current_credit_in_use.index: _in_use,
        Account.current_credit_status.index: _credit_status,
        Account.available_credit.index: lambda visit, item: DoubleLong(min(available(visit, item), DoubleLong.HIGH)),
        Account.aggregated_debt.index: _debt,
        Account.low_credit_threshold.index: lambda visit, item: DoubleLong(low_threshold(visit, item)),
        Account.next_credit_available_threshold.index: _next_threshold,
    },
    methods={
        Account.activate_account.index: _activate,
        Account.close_account.index: _close,
        Account.reset_account.index: _reset,
    },
    adopt=_adopt,
    timed=Timed(_following, _act, begin=settle),
)
