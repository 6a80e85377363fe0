"""The meters of `cosem simulate`: household meters, of a description, or clones, with the secrets drawn for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
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
from cosem.meter.memory import remember
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret
from cosem.protocol.model.companion import AssociationRule
from cosem.store import snapshot as snapshots
from cosem.store.counters import default_counter_store
from cosem.store.snapshot import RecordedAssociation
from cosem.store.state import open_state

Options = tuple[str, ...]
"""Words of a command, with which a client gives its secrets."""

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
) -> tuple[list[Meter], dict[str, Options]]:
    """Return household meters, and by their names the options with which their client gives its secrets.

    Meters without states have the same secrets; so have new states, but each keeps those that it has.
    """
    meters: list[Meter] = []
    options: dict[str, Options] = {}
    handed_out: list[tuple[Secrets, Options]] = []
    for number in range(1, count + 1):
        store = None if state is None else open_state(state if count == 1 else state / household_name(number))
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
        if not handed_out:
            approve(meter, [found])  # which all others are like
            drawn = found  # new meters have the secrets of those that were there before
        known = next((given for each, given in handed_out if each == found), None)
        if known is None:
            known = hand_out(found, directory / meter.name if handed_out else directory)
            handed_out.append((found, known))
        meters.append(meter)
        options[meter.name] = known
    return meters, options


def described(
    file: Path,
    use_demo_keys: bool,
    directory: Path,
    state: Path | None = None,
    *,
    approve: Approve = lambda _, __: None,
) -> tuple[Options, Meter]:
    """Return the meter of a description, and the options of the client that is shown where its secrets were drawn."""
    rules: dict[int, AssociationRule] = {}
    drawn: dict[int, Secrets] = {}

    def secrets_of(rule: AssociationRule) -> tuple[SharedSecret | None, Keys | None]:
        keys = draw("gmac", rule.suite, use_demo_keys).keys if ciphered(rule) else None
        password = draw("low", None, False).password if mechanism_of(rule).secret else None
        rules[rule.client], drawn[rule.client] = rule, Secrets(keys, password)
        return password, keys

    counters = default_counter_store()
    meter = describe.load(file, counters=counters, allow_demo_keys=use_demo_keys, secrets=secrets_of, state=state)
    return _handed_out(meter, drawn, lambda client: mechanism_of(rules[client]), directory, approve), meter


def cloned(
    file: Path,
    use_demo_keys: bool,
    directory: Path,
    clock: Callable[[], datetime] = system_clock,
    state: Path | None = None,
    faults: Faults = WELL_BEHAVED,
    approve: Approve = lambda _, __: None,
) -> tuple[Options, Meter]:
    """Return the meter of a snapshot with secrets drawn for it, and the options of the client that is shown.

    A client has the same secrets for all logical devices.
    """
    mechanisms: dict[int, Mechanism] = {}
    drawn: dict[int, Secrets] = {}

    def entry(association: RecordedAssociation) -> Entry:
        mechanism, client = MECHANISMS.get(association.mechanism), association.client
        if mechanism is not None and client not in drawn and (mechanism.identifier or association.protection):
            mechanisms[client], drawn[client] = mechanism, _drawn_for(association, mechanism, use_demo_keys)
        found = drawn.get(client, Secrets())
        return Entry(found.shared, found.keys)

    store = None if state is None else open_state(state)
    counters = default_counter_store() if store is None else store.counters
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        meter = clone(snapshots.read(file), entry, clock=clock, counters=counters, faults=faults)
    if store is not None:
        remember(meter, store)
    for each in said:
        say(f"warning: {each.message}")
    return _handed_out(meter, drawn, mechanisms.__getitem__, directory, approve), meter


def _handed_out(
    meter: Meter,
    drawn: Mapping[int, Secrets],
    auth: Callable[[int], Mechanism],
    directory: Path,
    approve: Approve,
) -> Options:
    """Write the secrets of every client into files; return the options of the one that the printed command is for."""
    found = in_force(meter, drawn)
    approve(meter, found.values())
    options = {client: hand_out(each, directory / f"client-{client}", auth(client)) for client, each in found.items()}
    return options.get(shown(meter.management).client, ())


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
