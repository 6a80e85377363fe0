"""A meter described in TOML: its objects and their values, profiles, logical devices and associations.

    [meter]
    name = "KFM1020012345678"           # logical device name
    zone = "Europe/Berlin"
    template = "household"              # begin with the objects of a meter of any kind of load; or gama100, gama300
    companion = "smr-5.0"               # have what it asks for: one that comes along, or a file ("my-operator.toml")

    [state]                             # what survives a restart (see `cosem.meter.memory`)
    path = "meter.state"                # a directory, or with .sqlite, .sqlite3 or .db an SQLite file

    [[device]]                          # another logical device beside the management one, which is at 1
    sap = 17
    name = "KFMG200012345678"
    template = "gas"                    # the objects of a meter of that load, as number = 7; or, of its own:
    companion = "gas"
    load = "gas"                        # and a seed; left out, the [load] of the whole meter, if any

    [load]                              # what flows there: registers without a value show it by their OBIS codes
    kind = "household"                  # or heat_pump, shop, pv; gas, water and heat are known with any of them
    seed = 7                            # left out, it follows from the name

    [[object]]
    class = "Register"                  # or 3; with version = 0 an older one, left out: the latest
    instance = "1.0.1.8.0.255"
    base_name = 0x0100                  # for clients that use short names; left out, the object gets one
    value = 12345678                    # or with its type: { long64-unsigned = 12345678 }
    scaler_unit = [0, "Wh"]

    [[profile]]
    instance = "1.0.99.1.0.255"
    columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value"]
    period = 900
    entries = 960
    order = "largest"                   # or smallest, nearest-to-zero, farthest-from-zero, newest-first; left out:
    sort_by = "1.0.1.8.0.255:value"     # oldest-first. The column that these four sort by

    events = { power_up = 2 }           # an event log: what is noted, by the codes of a companion (see MeterEvent);
                                        # the code goes into the Data object among its columns

    [[m_bus]]                           # a sub-meter, see `cosem.meter.m_bus`
    channel = 1                         # whose valve is an [[object]] DisconnectControl, "0.1.24.4.0.255"
    load = "gas"                        # or water, heat, household; with a seed
    serial = 12345678
    maker = "KFM"
    address = 1                         # 0: it is not installed yet; left out, the channel
    period = 3600                       # seconds between captures; 0: only when it is asked

    [[association]]
    client = 1
    device = [1, 17]                    # which logical devices offer it; one number in the other tables; left out: 1
    auth = "gmac"                       # or none, low, sha256, ecdsa
    protection = "auth+enc"
    suite = 0                           # or 1, 2
    encryption_key = "file:ek.hex"      # or env:NAME, or hex
    authentication_key = "file:ak.hex"
    # with ecdsa: signing_key = "file:meter.pem", client_signing_key = "file:client-public.pem"
    # certificate = "file:meter-certificate.pem", told to clients that do not know signing_key yet
    # for general-ciphering: master_key, agreement_key, client_agreement_key; for messages to many: broadcast_key
    access = "manage"                   # public, read or manage
    naming = "ln+sn"                    # by logical names, by short names (sn), or by either; left out: ln
    compression = true                  # compress in general envelopes of suites 1 and 2 (V.44)
    users = ["1 Ann", "7 Ben"]          # who of the client's users may come in; left out, nobody is listed
    gbt_window = 16                     # grant general block transfer, and take so many blocks in a row
    rules = [{ objects = "1.*.*.8.*.255", access = "read" }]

    [faults]                            # what the meter does wrong, for testing clients (see `cosem.meter.faults`)
    late = 0.1                          # one answer in ten comes when nobody waits for it any more
    deviations = ["any_invoke_id", "REPEATED_LLC"]
    block_loss = 0.05                   # of firmware images; also verification_fails, activation_time and others

    [limits]                            # what the meter takes from outside at most (see `cosem.meter.limits`)
    connections = 64
    connection = { half_open = 2 }      # of each; and tables timing, lockout and association (sizes)

    [[push]]                            # beside the push setup, an [[object]] of class 40
    instance = "0.4.25.9.0.255"
    client = 1                          # whose association protects it; left out: its push_client_sap, else the
                                        # client of the first pre-established association, else 16
    on = ["power_up", "limit_exceeded"] # what sets it off (see MeterEvent), beside clients and scripts

    [[alarms]]                          # see `cosem.meter.alarms`; all but the first two may be left out
    register = "0.0.97.98.0.255"        # a Data object, as filter and descriptor
    bits = { power_up = 2 }             # by the companion
    filter = "0.0.97.98.10.255"
    descriptor = "0.0.97.98.20.255"
    push = "0.4.25.9.0.255"             # what is pushed for an alarm that is new
    reset = "zeros"                     # or ones: which bits of what a client writes reset an alarm

    [[billing]]                         # see `cosem.meter.billing`; all but the first may be left out
    profile = "1.0.98.1.0.255"          # captured by a script at the end of each period
    counter = "1.0.0.1.0.255"           # Data objects
    available = "1.0.0.1.1.255"
    time = "1.0.0.1.2.255"

    [[metrology]]                       # nobody writes what is measured, see `cosem.meter.metrology`
    mode = "0.0.128.0.0.255"            # a Data object of a manufacturer's own: 1 switches calibration mode on, where
    cover = "off"                       # the cover is off (left out: on) and
    seal = "broken"                     # the seal is broken (left out: whole)
    counter = "0.0.128.0.1.255"         # a Data object: how often; left out, nobody counts
    seconds = 600                       # how long at most; left out, an hour

    [[firmware]]                        # which program measures, see `cosem.meter.firmware`
    identifier = "1.0.0.2.0.255"        # Data objects
    signature = "1.0.0.2.8.255"         # the SHA-256 of its octets
    version = "1.4.2"
    file = "firmware-1.4.2.bin"
    image = "0.0.44.0.0.255"            # the image transfer that brings another one

    [[payment]]                         # see `cosem.meter.behaviour.payment_account`; all but the first may be left out
    account = "0.0.19.0.0.255"
    test_tokens = "0.0.19.40.0.255"     # the token gateway that takes tokens for tests, which anybody can make
    disconnect = "0.0.96.3.10.255"      # opens without credit

    [[status]]                          # what happened in the period of each row, see `cosem.meter.profile_status`
    register = "0.0.96.10.1.255"        # a Data object among the columns of the profile
    bits = { data_not_valid = 2, daylight_saving = 3, clock_adjusted = 5, power_down = 7 }

    [supply]                            # what the meter can do without power; see `cosem.meter.power`
    clock_reserve = 172800              # seconds that the clock goes on; left out, as long as it takes
    long_failure = 180                  # seconds from which on a failure is a long one

    [local]                             # its optical port or current loop; see `cosem.meter.describe.local`
    identification = 'KFM5\\2SHOP'       # IEC 62056-21; left out, of the name
    readout = ["0.0.96.1.0.255", "1.0.1.8.0.255"] # left out, all numbers and texts that client 16 may read

    [[power]]                           # when there is none
    at = 2026-03-01T08:00:00+01:00
    length = 7200                       # seconds
    every = 86400                       # seconds from one beginning to the next; left out, it comes once

With a load a profile with a period has rows from before the meter began, computed when they are read, and captures from
then on; with `past = false` it begins empty, and with `recomputed = true` it never captures. What is in its `writable`,
of capture_objects, capture_period and profile_entries, a client may choose, and begins it anew. Demand registers, last
averages and maxima (value groups D 4 to 6) follow the same energy. Tariff registers of a register activation count the
total while its mask has them, so that an activity calendar switches them by scripts; before the meter began, they hold
what the load has for day and night.

A meter with a companion has its objects, and its associations with keys that are made anew, unless a table here
describes them: an [[object]] or [[profile]] takes the place of the companion's, and what an [[association]] leaves out
is what the companion says of that client (see `cosem.meter.by_companion`). Its event logs note what it has codes for.

Attributes of an object are named as the class names them. A structure is a list of its elements, and an array one of
those: `executed_script = ["0.0.10.0.1.255", 1]`; logical names, dates, times and units are written as text
(`execution_time = [["00:00:00", "*-*-01"]]`, open fields as `*`), and what may be of any type with its type:
`{ integer = 0 }`, or `{}` for null-data, as in the restriction `[0, {}]` of what is pushed whole. `writable` names what
managing clients may write, and methods such as `reset` of a register that otherwise the meter alone runs. A demand
register has what it averages as `current_average_value = "1.0.1.8.0.255:value"`. Every error names the file, the table
and the key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from cosem.io.text_file import text_of
from cosem.meter.associations import BY_LOGICAL_NAMES, PUBLIC_ASSOCIATION, PUBLIC_CLIENT, Keys
from cosem.meter.by_companion import Secrets, furnish_by, made_anew, offers_of
from cosem.meter.describe.alarms import add_alarms
from cosem.meter.describe.association import DEMO, GRANTS, NAMINGS, PROTECTIONS, offer_association
from cosem.meter.describe.billing import add_billing
from cosem.meter.describe.limits import limit
from cosem.meter.describe.load import feed_from
from cosem.meter.describe.local import add_local_port
from cosem.meter.describe.m_bus import add_sub_meter
from cosem.meter.describe.meter import Furnished, Surroundings, add_device, companion_from, meter_from
from cosem.meter.describe.metrology import add_firmware, add_metrology
from cosem.meter.describe.object import add_object
from cosem.meter.describe.payment import add_payment
from cosem.meter.describe.power import add_power
from cosem.meter.describe.profile import ORDERS, add_profile
from cosem.meter.describe.push import add_push
from cosem.meter.describe.state import state_from
from cosem.meter.describe.status import add_status, add_statuses_of
from cosem.meter.device import Meter, system_clock
from cosem.meter.faults import read as read_faults
from cosem.meter.feed import feed_device
from cosem.meter.limits import inner
from cosem.meter.memory import remember
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.crypto.mechanism import SharedSecret
from cosem.protocol.model.companion import AssociationRule
from cosem.protocol.model.table import Table, tables_of

__all__ = [
    "DEMO",
    "GRANTS",
    "NAMINGS",
    "ORDERS",
    "PROTECTIONS",
    "Surroundings",
    "load",
    "parse",
    "unentered",
]


def load(
    path: Path | str,
    *,
    counters: CounterStore | None = None,
    clock: Callable[[], datetime] = system_clock,
    allow_demo_keys: bool = False,
    secrets: Secrets = made_anew,
    state: Path | None = None,
) -> Meter:
    """Return the meter that a TOML file describes.

    Args:
        path: the file.
        counters: keeps invocation counters over restarts; needed where keys are described.
        clock: the true time.
        allow_demo_keys: accept `keys = "demo"`, the published example keys.
        secrets: gives passwords and keys to associations of a companion that the file does not describe; left out,
            they are drawn by chance, and where the meter has a state, those of the first start stay.
        state: where its state survives a restart, in place of what [state] says; invocation counters are kept there
            too, and `counters` is not used then.

    Raises:
        ConfigurationError: with file, table and key.
    """
    path = Path(path)
    return parse(
        text_of(path),
        str(path),
        counters=counters,
        clock=clock,
        allow_demo_keys=allow_demo_keys,
        secrets=secrets,
        folder=path.parent,
        state=state,
    )


def parse(
    text: str,
    source: str = "description",
    *,
    counters: CounterStore | None = None,
    clock: Callable[[], datetime] = system_clock,
    allow_demo_keys: bool = False,
    secrets: Secrets = made_anew,
    folder: Path = Path(),
    state: Path | None = None,
) -> Meter:
    """Return the meter that `text` describes; `source` names it in errors, files are in `folder` (see `load`)."""
    whole = Table(source, "", tables_of(text, source))
    store = state_from(whole, folder, state)
    drawn: list[int] = []

    def drawn_by_us(rule: AssociationRule) -> tuple[SharedSecret | None, Keys | None]:
        drawn.append(rule.client)
        return made_anew(rule)

    asked = drawn_by_us if secrets is made_anew else secrets
    around = Surroundings(store.counters if store is not None else counters, clock)
    try:
        meter = _described(whole, folder, around, allow_demo_keys, asked)
        if store is not None:
            memory = whole.guarded(partial(remember, meter, store))
            for client in drawn:
                whole.guarded(partial(memory.keep_drawn, client))
    except BaseException:
        if store is not None:
            store.abandon()
        raise
    return meter


def unentered(tables: dict[str, Any], source: str, folder: Path, around: Surroundings) -> Meter:
    """Return the meter that tables describe which were read already, and which are left as they are.

    It offers no association, neither those of [[association]] nor those of a companion: who makes it offers some.
    Raises ConfigurationError as `load` does.
    """
    return _described(Table(source, "", {**tables, "association": []}), folder, around, False, None)


def _described(
    whole: Table, folder: Path, around: Surroundings, allow_demo_keys: bool, secrets: Secrets | None
) -> Meter:
    faults = read_faults(whole.table("faults")) if "faults" in whole else around.faults
    table = whole.table("meter")
    known = companion_from(table, folder, around.companion)
    limits = whole.table("limits") if "limits" in whole else None
    lockout = around.lockout if limits is None else inner(limits, "lockout", around.lockout)
    sizes = AssociationLimits() if limits is None else inner(limits, "association", AssociationLimits())
    meter = meter_from(table, replace(around, lockout=lockout, faults=faults))
    if known is not None:
        meter.customer_ports = known.han_ports
    feed = feed_from(meter, whole.table("load")) if "load" in whole else None
    furnished = [Furnished(meter.management, known, feed)]
    for table in whole.tables("device"):
        device, own, load = add_device(meter, table, folder, around.companion)
        furnished.append(Furnished(device, own, load or feed))
    for table in whole.tables("object"):
        add_object(meter, table)
    for device, by, fed in furnished:
        if by is not None:
            whole.guarded(partial(furnish_by, by, device, profiles=False, feed=fed, begins=around.begins))
        if fed is not None:
            whole.guarded(partial(feed_device, device, fed))
    for table in whole.tables("m_bus"):
        add_sub_meter(meter, table)
    with_past = frozenset(device.sap for device, _, fed in furnished if fed is not None)
    for table in whole.tables("profile"):
        add_profile(meter, table, with_past, begins=around.begins)
    for device, by, fed in furnished:
        if by is not None:
            whole.guarded(partial(furnish_by, by, device, profiles=True, feed=fed, begins=around.begins))
    for table in whole.tables("association"):
        offer_association(meter, table, allow_demo_keys, known, sizes)
    if known is not None and secrets is not None:
        described = {each.client for each in meter.management.associations} if meter.management.offers else set[int]()
        meter.offer(*(replace(each, limits=sizes) for each in offers_of(known, secrets, described)))
    for table in whole.tables("firmware"):
        add_firmware(meter, table, folder)
    for table in whole.tables("metrology"):
        add_metrology(meter, table)
    for table in whole.tables("push"):
        add_push(meter, table)
    for table in whole.tables("alarms"):
        add_alarms(meter, table, begins=around.begins)
    for table in whole.tables("payment"):
        add_payment(meter, table)
    for table in whole.tables("billing"):
        add_billing(meter, table)
    add_power(meter, whole)
    described_statuses = {add_status(meter, table) for table in whole.tables("status")}
    if known is not None:
        whole.guarded(partial(add_statuses_of, known, meter.management, described_statuses))
    for device in meter.devices.values() if meter.described else ():
        if device.association(PUBLIC_CLIENT) is None:
            naming = frozenset(chain.from_iterable(each.naming for each in device.associations))
            device.offer(replace(PUBLIC_ASSOCIATION, naming=naming or BY_LOGICAL_NAMES, limits=sizes))
    if limits is not None:
        limit(meter, limits)
    if "local" in whole:
        add_local_port(meter, whole.table("local"))
    whole.finish()
    return meter
