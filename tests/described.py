"""Meters described in text, a client that may do with them what it likes, and the lives that they have on one state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from behaving import Now
from cosem.errors import ConfigurationError
from cosem.meter import Access, AssociationDescription, Meter, Rights, members
from cosem.meter.describe import parse
from cosem.meter.memory import remember
from cosem.protocol.apdu.action import ActionResult, MethodDescriptor
from cosem.protocol.apdu.get import AttributeDescriptor, DataAccessResult
from cosem.protocol.model import Data, ProfileGeneric, Register
from cosem.protocol.model.classes.access_control import ImageTransfer
from cosem.protocol.model.classes.payment import Account, Charge, Credit, TokenGateway
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.model.reference import AttributeRef, MethodRef
from cosem.protocol.values.data import Integer
from cosem.protocol.values.obis import Obis
from cosem.store.state import StateStore, open_state

NAME = "KFM1020012345678"
NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
"""The noon before the night in which the clocks of Europe are set ahead."""

EVERYTHING = Rights(Access.MANAGE)
MANAGING = AssociationDescription(client=1, rights=EVERYTHING)


def head(zone: str = "Europe/Berlin") -> str:
    """Return the table of the meter itself."""
    return f'[meter]\nname = "{NAME}"\nzone = "{zone}"\n'


HEAD = head()
HOUSEHOLD = """
[load]
kind = "household"
"""


def thing(kind: str, instance: str, *lines: str) -> str:
    """Return the table of an object."""
    return "\n".join(("", "[[object]]", f'class = "{kind}"', f'instance = "{instance}"', *lines, ""))


def profile(instance: str, *columns: str, lines: tuple[str, ...] = ()) -> str:
    """Return the table of a profile that captures the time and then attributes, each written as 1.0.1.8.0.255:value."""
    named = ", ".join(f'"{each}"' for each in ("0.0.1.0.0.255:time", *columns))
    return "\n".join(("", "[[profile]]", f'instance = "{instance}"', f"columns = [{named}]", *lines, ""))


# -- pieces of descriptions, and the addresses of what is in them ------------------------------------------------------

TARIFF = Data("0.0.96.14.0.255")
WRITABLE = thing("Data", "0.0.96.14.0.255", "value = { unsigned = 1 }", 'writable = ["value"]')

ENERGY, POWER = Register("1.0.1.8.0.255"), Register("1.0.1.7.0.255")
REGISTERS = (
    thing("Register", "1.0.1.8.0.255", 'writable = ["reset"]')
    + thing("Register", "1.0.1.8.1.255")
    + thing("ExtendedRegister", "1.0.1.6.0.255", 'writable = ["reset"]')
    + thing("DemandRegister", "1.0.1.4.0.255")
    + thing(
        "RegisterActivation",
        "0.0.14.0.0.255",
        'register_assignment = [[3, "1.0.1.8.1.255"]]',
        'mask_list = [["A", [1]], ["B", []]]',
        'active_mask = "A"',
        'writable = ["active_mask"]',
    )
)
COUNTING = HOUSEHOLD + REGISTERS
"""Registers that count, and what resets and switches them."""

LAST_EVENT = thing("Data", "0.0.96.11.0.255", "value = { unsigned = 0 }")


def log(*lines: str, **codes: int) -> str:
    """Return the log of events, each noted with its code, and the object that holds the code of the last one."""
    events = ", ".join(f"{name} = {code}" for name, code in codes.items())
    captured = "0.0.96.11.0.255:value"
    return LAST_EVENT + profile("0.0.99.98.0.255", captured, lines=(f"events = {{ {events} }}", *lines))


STATUS = thing("Data", "0.0.96.10.1.255", "value = { unsigned = 0 }")

BREAKER = DisconnectControl()
SWITCHED = thing("DisconnectControl", "0.0.96.3.10.255")
OPENS = '[1, [[2, 70, "0.0.96.3.10.255", 1, { integer = 0 }]]]'
CLOSES = '[2, [[2, 70, "0.0.96.3.10.255", 2, { integer = 0 }]]]'


def scripts(*more: str) -> str:
    """Return a script table whose scripts 1 and 2 open and close the breaker."""
    return thing("ScriptTable", "0.0.10.0.106.255", f"scripts = [{', '.join((OPENS, CLOSES, *more))}]")


WATCHED = thing("Register", "1.0.1.7.0.255", "value = 100") + SWITCHED + scripts()
"""A power that only tests change, and a breaker."""


def limiter(normal: int = 1000) -> str:
    """Return a limiter that opens the breaker while the power is above `normal`, or 50 in an emergency."""
    return thing(
        "Limiter",
        "0.0.17.0.0.255",
        'monitored_value = [3, "1.0.1.7.0.255", 2]',
        f"threshold_normal = {normal}",
        "threshold_emergency = 50",
        "min_over_threshold_duration = 300",
        "min_under_threshold_duration = 120",
        'emergency_profile = [7, "2024-03-01 14:00:00", 3600]',
        "emergency_profile_group_id_list = [7]",
        'actions = [["0.0.10.0.106.255", 1], ["0.0.10.0.106.255", 2]]',
    )


LIMITED = limiter()
MONITORED = thing(
    "RegisterMonitor",
    "0.0.16.0.0.255",
    "thresholds = [500]",
    'monitored_value = [3, "1.0.1.7.0.255", 2]',
    'actions = [[["0.0.10.0.106.255", 1], ["0.0.10.0.106.255", 2]]]',
)

IMAGE = ImageTransfer()
FIRMWARE = thing("ImageTransfer", "0.0.44.0.0.255", "image_block_size = 4")

SETUP = Obis("0.4.25.9.0.255")
PUSHING = thing(
    "PushSetupVersion0",
    str(SETUP),
    'send_destination_and_method = [0, "127.0.0.1:4060", 0]',
    'push_object_list = [[8, "0.0.1.0.0.255", 2, 0]]',
    "number_of_retries = 2",
    "repetition_delay = 60",
)

ACCOUNT, CREDIT, CHARGE = Account("0.0.19.0.0.255"), Credit("0.0.19.10.0.255"), Charge("0.0.19.20.0.255")
GATEWAY = TokenGateway("0.0.19.40.0.255")


def account(*charges: str, credits: str = '"0.0.19.10.0.255"', status: int = 2) -> str:
    """Return an account in credit mode, with these charges."""
    named = ", ".join(f'"{each}"' for each in charges or ("0.0.19.20.0.255",))
    return thing(
        "Account",
        "0.0.19.0.0.255",
        f"account_mode_and_status = [2, {status}]",
        f"credit_reference_list = [{credits}]",
        f"charge_reference_list = [{named}]",
        'currency = ["EUR", -2, 2]',
    )


def fee(instance: str = "0.0.19.20.0.255", period: int = 3600, *more: str) -> str:
    """Return the charge for time: 7 cents each period of so many seconds."""
    costs = 'unit_charge_active = [[0, -2], [0, "0.0.0.0.0.0", 0], [["", 7]]]'
    return thing("Charge", instance, "charge_type = 1", costs, f"period = {period}", *more)


def purse(amount: int, *more: str) -> str:
    """Return a credit of so many cents, paid in advance."""
    return thing("Credit", "0.0.19.10.0.255", f"current_credit_amount = {amount}", *more)


def consumption(*more: str) -> str:
    """Return the charge for what register 1.0.1.8.0 counts: 25 cents for each kWh, collected by the hour."""
    return thing(
        "Charge",
        "0.0.19.20.0.255",
        "charge_type = 0",
        'unit_charge_active = [[3, -3], [3, "1.0.1.8.0.255", 2], [["", 250]]]',
        "period = 3600",
        *more,
    )


COUNTED = thing("Register", "1.0.1.8.0.255", "value = 1000", 'scaler_unit = [0, "Wh"]')
"""An energy that only tests change."""

PAID = (
    SWITCHED
    + thing("TokenGateway", "0.0.19.40.0.255")
    + """
[[payment]]
account = "0.0.19.0.0.255"
test_tokens = "0.0.19.40.0.255"
disconnect = "0.0.96.3.10.255"
"""
)
PREPAID = COUNTED + account() + purse(100) + consumption() + PAID

MODE = Data("0.0.128.0.0.255")
CALIBRATED = """
[[metrology]]
mode = "0.0.128.0.0.255"
cover = "off"
seal = "broken"
seconds = 600
"""
GUARDED = thing("Register", "1.0.1.8.0.255", "value = 12345") + thing("Data", "0.0.128.0.0.255") + CALIBRATED

PROFILE, NEWEST, LARGEST = (ProfileGeneric(f"1.0.99.{number}.0.255") for number in (1, 2, 3))
LOG, BILLS = ProfileGeneric("0.0.99.98.0.255"), ProfileGeneric("1.0.98.1.0.255")
ALARM = Data("0.0.97.98.0.255")
MIDNIGHT = ("type = 1", 'execution_time = [["00:00:00", "*-*-*"]]')
BILLED = """
[[billing]]
profile = "1.0.98.1.0.255"
counter = "1.0.0.1.0.255"
"""
PROFILES = (
    HOUSEHOLD
    + thing("Register", "1.0.1.8.0.255")
    + thing("Register", "1.0.1.7.0.255")
    + log(power_up=2, clock_set=5)
    + STATUS
    + thing("Data", "0.0.97.98.0.255", "value = { double-long-unsigned = 0 }", 'writable = ["value"]')
    + thing("Data", "1.0.0.1.0.255")
    + thing("ScriptTable", "0.0.10.0.1.255", 'scripts = [[1, [[2, 7, "1.0.98.1.0.255", 2, { integer = 0 }]]]]')
    + thing("SingleActionSchedule", "0.0.15.0.0.255", 'executed_script = ["0.0.10.0.1.255", 1]', *MIDNIGHT)
    + profile(
        "1.0.99.1.0.255",
        "0.0.96.10.1.255:value",
        "1.0.1.8.0.255:value",
        lines=("period = 900", "entries = 60", "past = {past}"),
    )
    + profile(
        "1.0.99.2.0.255",
        "1.0.1.8.0.255:value",
        lines=("period = 3600", "entries = 10", 'order = "newest-first"', "past = false"),
    )
    + profile(
        "1.0.99.3.0.255",
        "1.0.1.7.0.255:value",
        lines=("period = 900", "entries = 5", 'order = "largest"', 'sort_by = "1.0.1.7.0.255:value"'),
    )
    + profile("1.0.98.1.0.255", "1.0.0.1.0.255:value", "1.0.1.8.0.255:value", lines=("entries = 4",))
    + """
[[alarms]]
register = "0.0.97.98.0.255"
bits = { power_up = 2, clock_set = 5 }

[[status]]
register = "0.0.96.10.1.255"
bits = { clock_adjusted = 5 }
"""
    + BILLED
)
"""Profiles in every order, a log, alarms, billing and a status; `{past}` is whether the first makes up for its past."""


# -- who changes it ----------------------------------------------------------------------------------------------------


def act(meter: Meter, method: MethodRef[Any, Any], argument: Any = Integer(0)) -> ActionResult:  # noqa: B008
    """Run a method as the first client does, answered when what it did is durable."""
    visit = meter.management.visit(meter.management.associations[0])
    asked = MethodDescriptor(method.class_id, method.instance, method.index)
    return members.run(visit, asked, method.argument.encode(argument)).result


def put(meter: Meter, reference: AttributeRef[Any], value: Any) -> DataAccessResult:
    """Write an attribute as the first client does."""
    visit = meter.management.visit(meter.management.associations[0])
    asked = AttributeDescriptor(reference.class_id, reference.instance, reference.index)
    return members.write(visit, asked, None, reference.encode(value))


def done(result: object) -> None:
    """Want success, of either kind."""
    assert int(result) == 0  # type: ignore[call-overload]


# -- how it lives ------------------------------------------------------------------------------------------------------


def born(
    text: str, now: Now, store: StateStore, associations: tuple[AssociationDescription, ...] = (MANAGING,)
) -> Meter:
    """Return a meter by a description that goes on from its state."""
    meter = parse(text, clock=now)
    meter.management._associations = ()
    meter._store = store.counters
    meter.offer(*associations)
    remember(meter, store)
    return meter


@dataclass
class Life:
    """A meter by a description in text, its clock, and what is left of it when it dies."""

    folder: Path
    kind: str
    text: str
    now: Now
    associations: tuple[AssociationDescription, ...] = (MANAGING,)
    store: StateStore | None = None
    entropy: Any = None

    def begin(self) -> Meter:
        self.store = open_state(self.folder / self.kind)
        return born(HEAD + self.text, self.now, self.store, self.associations)

    def again(self, **later: float) -> Meter:
        """Let the meter die, time pass, and a new one come up from what was durable."""
        self.end()
        self.now.later(**later)
        return self.begin()

    def end(self) -> None:
        if self.store is not None:
            self.store.close()


class Failing:
    """A store that is full until it ends."""

    def __init__(self, life: Life) -> None:
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(life.store, "commit", self._full)

    def _full(self, _: Mapping[str, bytes | None]) -> None:
        raise ConfigurationError("no space left")

    def end(self) -> None:
        self._patch.undo()
