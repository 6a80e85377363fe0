"""Interface classes for payment metering (IEC 62056-6-2): account, credits, charges, tokens."""

from __future__ import annotations

from enum import IntFlag
from typing import Annotated

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import (
    ANY,
    DATE_TIME,
    Bits,
    Enumeration,
    Integer8,
    Integer16,
    Unsigned8,
    Unsigned16,
    Unsigned32,
    Unsigned64,
    Utf8,
    array,
    flags,
    structure,
)
from cosem.protocol.values.data import (
    DoubleLong,
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    OctetString,
    Unsigned,
    VisibleString,
)
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis


class PaymentMode(Enumeration):
    """Whether consumption is paid for afterwards or beforehand."""

    CREDIT = 1
    PREPAYMENT = 2


class AccountStatus(Enumeration):
    """Where an account is in its life."""

    NEW = 1
    ACTIVE = 2
    CLOSED = 3


@structure
class AccountModeAndStatus:
    """How an account is paid, and where it is in its life."""

    payment_mode: PaymentMode
    account_status: AccountStatus


class CurrentCreditStatus(IntFlag):
    """How things stand with the credits of an account; the first bit is the highest."""

    IN_CREDIT = 0x80
    LOW_CREDIT = 0x40
    NEXT_CREDIT_ENABLED = 0x20
    NEXT_CREDIT_SELECTABLE = 0x10
    CREDIT_REFERENCE_LIST = 0x08
    SELECTABLE_CREDIT_IN_USE = 0x04
    OUT_OF_CREDIT = 0x02
    RESERVED = 0x01


class CollectionConfiguration(IntFlag):
    """When a charge is collected although it might not be; the first bit is the highest."""

    COLLECT_WHEN_SUPPLY_DISCONNECTED = 4
    COLLECT_IN_LOAD_LIMITING_PERIODS = 2
    COLLECT_IN_FRIENDLY_CREDIT_PERIODS = 1


@structure
class CreditChargeConfiguration:
    """Which charge is collected from which credit, and when."""

    credit_reference: Obis
    charge_reference: Obis
    collection_configuration: Annotated[CollectionConfiguration, flags(CollectionConfiguration, 3)]


@structure
class TokenGatewayConfiguration:
    """Which part of a token goes to a credit."""

    credit_reference: Obis
    token_proportion: Unsigned8


class CurrencyUnit(Enumeration):
    """What an account counts in."""

    TIME = 0
    CONSUMPTION = 1
    MONETARY = 2


@structure
class Currency:
    """What an account counts in: amount = value × 10^scale."""

    currency_name: Utf8
    currency_scale: Integer8
    currency_unit: CurrencyUnit


class Account(InterfaceClass, class_id=111, version=0):
    """Holds the state of a contract: its credits and charges, what is available and what is owed. (class_id 111)"""

    account_mode_and_status = attribute(2, AccountModeAndStatus, static=True)
    current_credit_in_use = attribute(3, Unsigned)
    current_credit_status = attribute(4, flags(CurrentCreditStatus, 8))
    available_credit = attribute(5, DoubleLong)
    amount_to_clear = attribute(6, DoubleLong)
    clearance_threshold = attribute(7, DoubleLong, static=True)
    aggregated_debt = attribute(8, DoubleLong)
    credit_reference_list = attribute(9, array(Obis), static=True)
    charge_reference_list = attribute(10, array(Obis), static=True)
    credit_charge_configuration = attribute(11, array(CreditChargeConfiguration), static=True)
    token_gateway_configuration = attribute(12, array(TokenGatewayConfiguration), static=True)
    account_activation_time = attribute(13, DateTime, static=True)
    account_closure_time = attribute(14, DateTime, static=True)
    currency = attribute(15, Currency, static=True)
    low_credit_threshold = attribute(16, DoubleLong)
    next_credit_available_threshold = attribute(17, DoubleLong)
    max_provision = attribute(18, LongUnsigned, static=True)
    max_provision_period = attribute(19, DoubleLong, static=True)
    activate_account = method(1, Integer)
    close_account = method(2, Integer)
    reset_account = method(3, Integer)


class CreditType(Enumeration):
    """Where a credit comes from."""

    TOKEN = 0
    RESERVED = 1
    EMERGENCY = 2
    TIME_BASED = 3
    CONSUMPTION_BASED = 4


class CreditConfiguration(IntFlag):
    """How a credit is used; the first bit is the highest."""

    REQUIRES_VISUAL_INDICATION = 16
    REQUIRES_CONFIRMATION = 8
    REQUIRES_CREDIT_AMOUNT_TO_BE_PAID_BACK = 4
    RESETTABLE = 2
    ABLE_TO_RECEIVE_CREDIT_AMOUNTS_FROM_TOKENS = 1


class CreditStatus(Enumeration):
    """Where a credit is in its life."""

    ENABLED = 0
    SELECTABLE = 1
    SELECTED_OR_INVOKED = 2
    IN_USE = 3
    CONSUMED = 4


class Credit(InterfaceClass, class_id=112, version=0):
    """Holds one credit of an account: its amount, kind, limits and state. (class_id 112)"""

    current_credit_amount = attribute(2, DoubleLong)
    credit_type = attribute(3, CreditType, static=True)
    priority = attribute(4, Unsigned, static=True)
    warning_threshold = attribute(5, DoubleLong, static=True)
    limit = attribute(6, DoubleLong, static=True)
    credit_configuration = attribute(7, flags(CreditConfiguration, 5), static=True)
    credit_status = attribute(8, CreditStatus)
    preset_credit_amount = attribute(9, DoubleLong, static=True)
    credit_available_threshold = attribute(10, DoubleLong, static=True)
    period = attribute(11, DateTime, static=True)
    update_amount = method(1, DoubleLong)
    set_amount_to_value = method(2, DoubleLong)
    invoke_credit = method(3, ANY)


class ChargeType(Enumeration):
    """What a charge is collected by."""

    CONSUMPTION_BASED_COLLECTION = 0
    TIME_BASED_COLLECTION = 1
    PAYMENT_EVENT_BASED_COLLECTION = 2


@structure
class ChargePerUnitScaling:
    """The exponents to the base of 10 of the commodity and of the price."""

    commodity_scale: Integer8
    price_scale: Integer8


@structure
class CommodityReference:
    """The attribute that counts what is charged for."""

    class_id: Unsigned16
    logical_name: Obis
    attribute_index: Integer8


@structure
class ChargeTableElement:
    """The price of a unit, and the tariff for which it is."""

    index: bytes
    charge_per_unit: Integer16


@structure
class UnitCharge:
    """What a unit costs, by tariff."""

    charge_per_unit_scaling: ChargePerUnitScaling
    commodity_reference: CommodityReference
    charge_table: tuple[ChargeTableElement, ...]


class ChargeConfiguration(IntFlag):
    """How a charge is collected; the first bit is the highest."""

    PERCENTAGE_BASED_COLLECTION = 2
    CONTINUOUS_COLLECTION = 1


class Charge(InterfaceClass, class_id=113, version=0):
    """Holds one charge of an account: its prices, and what was collected and remains to be. (class_id 113)"""

    total_amount_paid = attribute(2, DoubleLong)
    charge_type = attribute(3, ChargeType, static=True)
    priority = attribute(4, Unsigned, static=True)
    unit_charge_active = attribute(5, UnitCharge, static=True)
    unit_charge_passive = attribute(6, UnitCharge, static=True)
    unit_charge_activation_time = attribute(7, DateTime, static=True)
    period = attribute(8, DoubleLongUnsigned, static=True)
    charge_configuration = attribute(9, flags(ChargeConfiguration, 2), static=True)
    last_collection_time = attribute(10, DATE_TIME)
    last_collection_amount = attribute(11, DoubleLong)
    total_amount_remaining = attribute(12, DoubleLong)
    proportion = attribute(13, LongUnsigned, static=True)
    update_unit_charge = method(1, array(ChargeTableElement))
    activate_passive_unit_charge = method(2, Integer)
    collect = method(3, Integer)
    update_total_amount_remaining = method(4, DoubleLong)
    set_total_amount_remaining = method(5, DoubleLong)


class TokenDeliveryMethod(Enumeration):
    """How a token came."""

    REMOTE_COMMUNICATIONS = 0
    LOCAL_COMMUNICATIONS = 1
    MANUAL_ENTRY = 2


class TokenStatusCode(Enumeration):
    """How far a token has come, or why it went no further."""

    TOKEN_FORMAT_RESULT_OK = 0
    AUTHENTICATION_RESULT_OK = 1
    VALIDATION_RESULT_OK = 2
    TOKEN_EXECUTION_RESULT_OK = 3
    TOKEN_FORMAT_FAILURE = 4
    AUTHENTICATION_FAILURE = 5
    VALIDATION_RESULT_FAILURE = 6
    TOKEN_EXECUTION_RESULT_FAILURE = 7
    TOKEN_RECEIVED_AND_NOT_YET_PROCESSED = 8


@structure
class TokenStatus:
    """What became of a token, with data of the token's kind."""

    status_code: TokenStatusCode
    data_value: Bits


class TokenGateway(InterfaceClass, class_id=115, version=0):
    """Holds the token that came last, how it came and what became of it. (class_id 115)"""

    token = attribute(2, OctetString)
    token_time = attribute(3, DateTime)
    token_description = attribute(4, array(OctetString))
    token_delivery_method = attribute(5, TokenDeliveryMethod)
    token_status = attribute(6, TokenStatus)
    enter = method(1, OctetString)


@structure
class MeterPrimaryAccountNumber:
    """The number that tokens are made out to: issuer, decoder and check digit."""

    issuer_identification_number: Unsigned32
    decoder_reference_number: Unsigned64
    pan_check_digit: Unsigned8


class Iec6205541Attributes(InterfaceClass, class_id=116, version=0):
    """Holds what a meter knows of itself as a decoder of tokens of IEC 62055-41. (class_id 116)"""

    meter_pan = attribute(2, MeterPrimaryAccountNumber, static=True, writable=False)
    commodity = attribute(3, VisibleString, static=True, writable=False)
    token_carrier_types = attribute(4, array(Unsigned), static=True, writable=False)
    encryption_algorithm = attribute(5, Unsigned, static=True, writable=False)
    supply_group_code = attribute(6, DoubleLongUnsigned)
    tariff_index = attribute(7, Unsigned)
    key_revision_number = attribute(8, Unsigned)
    key_type = attribute(9, Unsigned)
    key_expiry_number = attribute(10, Unsigned)
    no_of_kct_supported = attribute(11, Unsigned, static=True, writable=False)
    sts_certificate_no = attribute(12, VisibleString, static=True, writable=False)
