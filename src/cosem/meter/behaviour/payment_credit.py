"""Credits: amounts that charges are collected from (class 112; see `payment`)."""

from __future__ import annotations

from typing import Final, cast

from cosem.meter.behaviour.payment import AMOUNT, STATUS, amount, needs, put_amount, put_status, settle_for, status
from cosem.meter.item import Behaviour, Item, Visit
from cosem.protocol.model.classes.payment import Credit, CreditConfiguration, CreditStatus, CreditType
from cosem.protocol.values.data import Data, DoubleLong, Enumerated, Unsigned
from cosem.protocol.values.dates import DateTime


def _update(visit: Visit, item: Item, by: Data) -> Data:
    put_amount(visit, item, amount(item) + cast("int", by))
    settle_for(visit, item)
    return None


def _set(visit: Visit, item: Item, value: Data) -> Data:
    put_amount(visit, item, int(cast("int", value)))
    settle_for(visit, item)
    return None


def _invoke(visit: Visit, item: Item, _: Data) -> Data:
    """Select a credit; one that needs confirmation is selectable first, and selected by the second time."""
    present = status(item)
    if present is CreditStatus.ENABLED and needs(visit, item, CreditConfiguration.REQUIRES_CONFIRMATION):
        put_status(visit, item, CreditStatus.SELECTABLE)
    elif present in (CreditStatus.ENABLED, CreditStatus.SELECTABLE):
        put_status(visit, item, CreditStatus.SELECTED_OR_INVOKED)
    settle_for(visit, item)
    return None


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Begin as a token credit without an amount, where the description says nothing else."""
    values = item.values
    for attribute in (
        Credit.current_credit_amount,
        Credit.warning_threshold,
        Credit.limit,
        Credit.preset_credit_amount,
        Credit.credit_available_threshold,
    ):
        values.setdefault(attribute.index, DoubleLong(0))
    values.setdefault(Credit.credit_type.index, Enumerated(CreditType.TOKEN))
    values.setdefault(Credit.priority.index, Unsigned(1))
    usual = CreditConfiguration.ABLE_TO_RECEIVE_CREDIT_AMOUNTS_FROM_TOKENS
    values.setdefault(Credit.credit_configuration.index, Credit.credit_configuration.shape.encode(usual))
    values.setdefault(Credit.period.index, Credit.period.shape.encode(DateTime()))
    above = values[AMOUNT] > values[Credit.limit.index]
    values.setdefault(STATUS, Enumerated(CreditStatus.ENABLED if above else CreditStatus.CONSUMED))


BEHAVIOUR: Final = Behaviour(
    methods={
        Credit.update_amount.index: _update,
        Credit.set_amount_to_value.index: _set,
        Credit.invoke_credit.index: _invoke,
    },
    adopt=_adopt,
)
