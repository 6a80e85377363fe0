"""The classes for payment metering: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol.codec import axdr
from cosem.protocol.model.classes.payment import (
    Account,
    Charge,
    ChargeConfiguration,
    CollectionConfiguration,
    Credit,
    CreditConfiguration,
    CurrentCreditStatus,
    Iec6205541Attributes,
)
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.model.shape import deviates
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_management.json", "payment"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


def test_the_first_bit_of_a_bit_string_is_the_first_that_is_named() -> None:
    # In credit and low on it, as gurux-dlms encodes it.
    data, _ = axdr.decode(bytes.fromhex("0408C0"))
    assert Account.current_credit_status.shape.decode(data) == (
        CurrentCreditStatus.IN_CREDIT | CurrentCreditStatus.LOW_CREDIT
    )


def test_bit_strings_may_be_longer_than_declared() -> None:
    # gurux-dlms 1.0.203 fills up to whole octets where 2, 3 and 5 bits are declared.
    for octets, shape, value in [
        ("040880", Charge.charge_configuration.shape, ChargeConfiguration.PERCENTAGE_BASED_COLLECTION),
        (
            "040888",
            Credit.credit_configuration.shape,
            CreditConfiguration.REQUIRES_VISUAL_INDICATION
            | CreditConfiguration.ABLE_TO_RECEIVE_CREDIT_AMOUNTS_FROM_TOKENS,
        ),
    ]:
        data, _ = axdr.decode(bytes.fromhex(octets))
        assert shape.decode(data) == value
        assert deviates(shape, data)
    data, _ = axdr.decode(bytes.fromhex("0101020309060000130A00FF09060000131400FF040880"))
    (configuration,) = Account.credit_charge_configuration.shape.decode(data)
    assert configuration.collection_configuration is CollectionConfiguration.COLLECT_WHEN_SUPPLY_DISCONNECTED


def test_what_is_set_in_the_factory_is_read_alone() -> None:
    assert {each.access for each in Iec6205541Attributes.declared_attributes.values()} == {AttributeAccess.READ}
