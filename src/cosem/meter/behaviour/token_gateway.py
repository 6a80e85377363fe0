"""Token gateways: tokens that are entered, and what becomes of them (class 115).

Without `[[payment]]` a token is kept as one that was received and not yet processed. With it, the gateway takes test
tokens, which anybody can make, for the real ones are secrets of their issuers: 20 digits, of which 6 are a serial
number that is higher than that of any token before, 10 are the sum in the steps of the account's currency, and 4 are
the remainder by 10000 of the CRC-16 of the 16 digits before, as ASCII (CCITT polynomial, from 0). Blanks and hyphens
between the digits do not count.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass, replace
from typing import Final, cast

from cosem.meter.behaviour import payment, payment_account
from cosem.meter.events import MeterEvent
from cosem.meter.item import Behaviour, Item, Visit
from cosem.protocol.model.classes.payment import TokenDeliveryMethod, TokenGateway, TokenStatus, TokenStatusCode
from cosem.protocol.values.data import Array, BitString, Data, Enumerated, OctetString
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

SERIAL_DIGITS: Final = 6
SUM_DIGITS: Final = 10
CHECK_DIGITS: Final = 4
TOKEN_DIGITS: Final = SERIAL_DIGITS + SUM_DIGITS + CHECK_DIGITS


@dataclass(frozen=True, slots=True)
class Tokens:
    """The account that test tokens are for, and the serial number of the last one."""

    account: Obis
    serial: int = -1


def check_digits(digits: str) -> str:
    """Return the last four digits of a test token whose first sixteen these are."""
    return f"{binascii.crc_hqx(digits.encode('ascii'), 0) % 10**CHECK_DIGITS:0{CHECK_DIGITS}}"


def _enter(visit: Visit, item: Item, token: Data) -> Data:
    own = visit.device.owned(item)
    octets = bytes(cast("bytes", token))
    own.values[TokenGateway.token.index] = OctetString(octets)
    attribute = TokenGateway.token_time
    own.values[attribute.index] = attribute.shape.encode(DateTime.from_datetime(visit.time))
    own.values[TokenGateway.token_delivery_method.index] = Enumerated(TokenDeliveryMethod.REMOTE_COMMUNICATIONS)
    code = _outcome(visit, own, octets)
    own.values[TokenGateway.token_status.index] = _status(code)
    return None


def _outcome(visit: Visit, own: Item, octets: bytes) -> TokenStatusCode:
    tokens = own.state
    if not isinstance(tokens, Tokens):
        return TokenStatusCode.TOKEN_RECEIVED_AND_NOT_YET_PROCESSED
    digits = octets.translate(None, b" -")
    if len(digits) != TOKEN_DIGITS or not digits.isdigit():
        return TokenStatusCode.TOKEN_FORMAT_FAILURE
    text = digits.decode("ascii")
    if check_digits(text[:-CHECK_DIGITS]) != text[-CHECK_DIGITS:]:
        return TokenStatusCode.AUTHENTICATION_FAILURE
    serial, sum_of = int(text[:SERIAL_DIGITS]), int(text[SERIAL_DIGITS:-CHECK_DIGITS])
    if serial <= tokens.serial:
        return TokenStatusCode.VALIDATION_RESULT_FAILURE
    account = visit.device.find(tokens.account)
    if account is None or not payment.is_active(visit, account) or not sum_of:
        return TokenStatusCode.TOKEN_EXECUTION_RESULT_FAILURE
    if not payment_account.takes(visit, account, sum_of):
        return TokenStatusCode.TOKEN_EXECUTION_RESULT_FAILURE
    own.state = replace(tokens, serial=serial)
    payment_account.top_up(visit, account, sum_of)
    visit.device.note(MeterEvent.CREDIT_ADDED, visit.time)
    return TokenStatusCode.TOKEN_EXECUTION_RESULT_OK


def _status(code: TokenStatusCode) -> Data:
    return TokenGateway.token_status.shape.encode(TokenStatus(code, BitString("")))


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Begin without a token, where the description says nothing else."""
    values = item.values
    values.setdefault(TokenGateway.token.index, OctetString(b""))
    values.setdefault(TokenGateway.token_time.index, TokenGateway.token_time.shape.encode(DateTime()))
    values.setdefault(TokenGateway.token_description.index, Array())
    values.setdefault(TokenGateway.token_delivery_method.index, Enumerated(TokenDeliveryMethod.REMOTE_COMMUNICATIONS))
    none = TokenStatusCode.TOKEN_RECEIVED_AND_NOT_YET_PROCESSED
    values.setdefault(TokenGateway.token_status.index, _status(none))


BEHAVIOUR: Final = Behaviour(methods={TokenGateway.enter.index: _enter}, adopt=_adopt)
