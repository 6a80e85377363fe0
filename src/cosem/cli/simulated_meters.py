"""The meters of `cosem simulate`: household meters, of a description, or clones, with the secrets drawn for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cosem.cli.report import say
from cosem.cli.simulated_secrets import Secrets, draw, hand_out, in_force
from cosem.meter import describe
from cosem.meter.associations import PUBLIC_CLIENT, AssociationDescription, Keys
from cosem.meter.by_companion import ciphered, mechanism_of
from cosem.meter.clone import Entry, clone
from cosem.meter.demo import household, household_name
from cosem.meter.device import Meter, system_clock
from cosem.meter.faults import WELL_BEHAVED, Faults
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.memory import Memory, remember
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret
from cosem.protocol.model.companion import AssociationRule
from cosem.store import snapshot as snapshots
from cosem.store.counters import default_counter_store
from cosem.store.snapshot import RecordedAssociation
from cosem.store.state import StateStore, open_state

Options = tuple[str, ...]
"""Words of a command, with which a client gives its secrets."""

HandOut = Callable[[], Mapping[str, Options]]
"""Writes secrets into files, once the meters are served; gives by their names the options that name them."""

Approve = Callable[[Meter, Iterable[Secrets]], None]
"""Is shown a meter, and the secrets that are to be handed out of it before they are; ConfigurationError refuses it."""


def households(
    count: int,
    security: str,
    drawn: Secrets,
    directory: Path,
    state: Path | None = None,
    *,
    faults: Faults = WELL_BEHAVED,
    load: str = "household",
    approve: Approve = lambda _, __: None,
    undo: ExitStack,
) -> tuple[list[Meter], HandOut]:
    """Return household meters, and what hands out the secrets of their client.

    Meters without states have the same secrets; so have new states, but each keeps those that it has. What the start
    makes, `undo` takes away.
    """
    meters: list[Meter] = []
    places: list[tuple[Secrets, Path]] = []
    secrets: dict[str, Secrets] = {}
    for number in range(1, count + 1):
        store = _opened(state if state is None or count == 1 else state / household_name(number), undo)
        counters = None if store is None else store.counters
        meter = household(
            number,
            security=security,
            keys=drawn.keys,
            password=drawn.shared,
            counters=counters,
            faults=faults,
            load=load,
        )
        if store is not None:
            remember(meter, store)
        client = shown(meter.management).client
        found = in_force(meter, {client: drawn})[client]
        if not places:
            approve(meter, [found])  # which all others are like
            drawn = found  # new meters have the secrets of those that were there before
        if found not in (each for each, _ in places):
            places.append((found, directory / meter.name if places else directory))
        meters.append(meter)
        secrets[meter.name] = found

    def hand() -> dict[str, Options]:
        handed = [(each, hand_out(each, place)) for each, place in places]
        return {name: next(given for each, given in handed if each == own) for name, own in secrets.items()}

    return meters, hand


def described(
    file: Path,
    use_demo_keys: bool,
    directory: Path,
    state: Path | None = None,
    *,
    approve: Approve = lambda _, __: None,
    undo: ExitStack,
) -> tuple[Meter, HandOut]:
    """Return the meter of a description, and what hands out the secrets that were drawn for its clients.

    What the start makes, `undo` takes away.
    """
    rules: dict[int, AssociationRule] = {}
    drawn: dict[int, Secrets] = {}

    def secrets_of(rule: AssociationRule) -> tuple[SharedSecret | None, Keys | None]:
        keys = draw("gmac", rule.suite, use_demo_keys).keys if ciphered(rule) else None
        password = draw("low", None, False).password if mechanism_of(rule).secret else None
        rules[rule.client], drawn[rule.client] = rule, Secrets(keys, password)
        return password, keys

    counters = default_counter_store()
    meter = describe.load(file, counters=counters, allow_demo_keys=use_demo_keys, secrets=secrets_of, state=state)
    if isinstance(meter.memory, Memory):
        undo.callback(meter.memory.abandon)
    return meter, _handing_out(meter, drawn, lambda client: mechanism_of(rules[client]), directory, approve)


def cloned(
    file: Path,
    use_demo_keys: bool,
    directory: Path,
    clock: Callable[[], datetime] = system_clock,
    state: Path | None = None,
    faults: Faults = WELL_BEHAVED,
    approve: Approve = lambda _, __: None,
    *,
    undo: ExitStack,
) -> tuple[Meter, HandOut]:
    """Return the meter of a snapshot with secrets drawn for it, and what hands them out.

    A client has the same secrets for all logical devices. What the start makes, `undo` takes away.
    """
    mechanisms: dict[int, Mechanism] = {}
    drawn: dict[int, Secrets] = {}

    def entry(association: RecordedAssociation) -> Entry:
        mechanism, client = MECHANISMS.get(association.mechanism), association.client
        if mechanism is not None and client not in drawn and (mechanism.identifier or association.protection):
            mechanisms[client], drawn[client] = mechanism, _drawn_for(association, mechanism, use_demo_keys)
        found = drawn.get(client, Secrets())
        return Entry(found.shared, found.keys)

    store = _opened(state, undo)
    counters = default_counter_store() if store is None else store.counters
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        meter = clone(snapshots.read(file), entry, clock=clock, counters=counters, faults=faults)
    if store is not None:
        remember(meter, store)
    for each in said:
        say(f"warning: {each.message}")
    return meter, _handing_out(meter, drawn, mechanisms.__getitem__, directory, approve)


def _handing_out(
    meter: Meter,
    drawn: Mapping[int, Secrets],
    auth: Callable[[int], Mechanism],
    directory: Path,
    approve: Approve,
) -> HandOut:
    """Return what writes the secrets of every client into files; its options are for the printed command's client."""
    found = in_force(meter, drawn)
    approve(meter, found.values())

    def hand() -> dict[str, Options]:
        options = {each: hand_out(given, directory / f"client-{each}", auth(each)) for each, given in found.items()}
        return {meter.name: options.get(shown(meter.management).client, ())}

    return hand


def _opened(state: Path | None, undo: ExitStack) -> StateStore | None:
    if state is None:
        return None
    store = open_state(state)
    undo.callback(store.abandon)
    return store


def _drawn_for(association: RecordedAssociation, mechanism: Mechanism, use_demo_keys: bool) -> Secrets:
    found = Secrets()
    if association.protection or mechanism.keys or mechanism.signatures:
        security = "ecdsa" if mechanism.signatures else "gmac"
        found = draw(security, association.suite, use_demo_keys and security == "gmac")
    return replace(found, password=draw("low", None, False).password) if mechanism.secret else found


def shown(device: LogicalDevice) -> AssociationDescription:
    """Return the association that the printed command uses."""
    offered = device.associations
    return next((each for each in offered if each.client != PUBLIC_CLIENT and not each.pre_established), offered[0])
