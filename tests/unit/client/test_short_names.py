"""A client and a meter by short names: the same references, found by the meter's list, in the fewest exchanges."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem import Client, Clock, Data, Meter, ProfileGeneric, Register, Unit
from cosem.client.resolve import ObjectDirectory, read_references
from cosem.errors import ActionError, AssociationRejected, ConfigurationError, DataAccessError, SecurityWarning
from cosem.meter import Access, AssociationDescription, Keys, Rights
from cosem.meter.associations import BY_EITHER_NAMES
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.context import IMPLEMENTED_SHORT_NAME_SERVICES, Naming
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model.classes.access_control import AssociationLN
from cosem.protocol.model.classes.time_and_event import Schedule
from cosem.protocol.model.reference import parse_reference
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, OctetString
from cosem.store.memory import MemoryCounterStore
from interop.served import served

EK, AK = "11223344556677889900AABBCCDDEEFF", "D1D2D3D4D5D6D7D8D9DADBDCDDDEDF00"
ENERGY, TEXT, PARAMETER = Register("1.0.1.8.0.255"), Data("0.0.96.1.1.255"), Data("0.0.96.1.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
ROWS = [(MIDNIGHT + timedelta(minutes=15 * row), DoubleLongUnsigned(1000 + row)) for row in range(96)]


def described(**more: Any) -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: MIDNIGHT + timedelta(days=1))
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(TEXT, writable=("value",), value=OctetString(b"short"))
    meter.add(PARAMETER, writable=("value",), value=LongUnsigned(5))
    meter.add(Schedule("0.0.12.0.0.255"), entries=())
    meter.add(PROFILE, capture_objects=(Clock().time, ENERGY.value), buffer=ROWS)
    words: dict[str, Any] = {"naming": BY_EITHER_NAMES, "rights": Rights(Access.MANAGE), "max_receive_pdu_size": 200}
    meter.offer(AssociationDescription(client=1, **{**words, **more}))
    secret = Secret(b"a secret of sixteen")
    for client, mechanism in ((2, 1), (3, 6)):
        meter.offer(AssociationDescription(client=client, mechanism=MECHANISMS[mechanism], secret=secret, **words))
    keys = Keys(Key.from_hex(EK), Key.from_hex(AK), temporary=True)
    meter.offer(
        AssociationDescription(
            client=4, mechanism=MECHANISMS[5], keys=keys, protection=AUTHENTICATED_ENCRYPTION, **words
        )
    )
    return meter


WAYS: dict[int, dict[str, Any]] = {
    1: {},
    2: {"password": "a secret of sixteen"},
    3: {"auth": "sha256", "password": "a secret of sixteen", "system_title": "434F530000000001"},
    4: {"ek": EK, "ak": AK, "system_title": "434F530000000001"},
}


@pytest.fixture(autouse=True)
def _passwords_in_clear_are_meant() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


@pytest.mark.parametrize("scheme", ["tcp", "hdlc+tcp"])
@pytest.mark.parametrize("client", WAYS)
def test_everything_works_as_by_logical_names(scheme: str, client: int) -> None:
    with served(described(), scheme) as port:
        url = f"{scheme}://127.0.0.1:{port}?client={client}&server=1"
        words = {**WAYS[client], **({"counters": MemoryCounterStore()} if client == 4 else {})}
        with Client.open(url, naming="sn", max_receive_pdu_size=300, **words) as meter:
            assert meter.negotiated is not None
            assert meter.negotiated.by_short_names
            assert str(meter.quantity(ENERGY)) == "12345678 Wh"
            assert {(each.class_id, str(each.logical_name)) for each in meter.browse()} >= {
                (12, "0.0.40.0.0.255"),
                (3, "1.0.1.8.0.255"),
            }
            assert meter.clock().year == 2026
            rows = meter.profile(PROFILE)
            assert len(rows) == 96
            part = meter.profile(PROFILE, since=MIDNIGHT + timedelta(hours=1), until=MIDNIGHT + timedelta(hours=2))
            assert [row[1] for row in part] == [1004, 1005, 1006, 1007, 1008]
            meter.set(TEXT.value, OctetString(bytes(600)))
            assert meter.get(TEXT.value) == bytes(600)
            assert meter.act(Clock().adjust_to_minute, 0) is None
            with pytest.raises(DataAccessError, match="read-write-denied"):
                meter.set(ENERGY.value, LongUnsigned(5))


def opened(port: int, **words: Any) -> Client:
    return Client.open(f"tcp://127.0.0.1:{port}?client=1&server=1", naming=Naming.SHORT_NAMES, **words)


def test_many_things_go_in_one_request_and_errors_stay_with_their_items() -> None:
    with served(described()) as port, opened(port) as meter:
        tasks: list[Any] = [ENERGY.value, Register("1.0.99.9.9.255").value, ENERGY.scaler_unit]
        tasks += [
            (PARAMETER.value, LongUnsigned(9)),
            (ENERGY.value, LongUnsigned(1)),
            (Clock().adjust_to_minute, 0),
            PARAMETER.value,
        ]
        answers = meter.access(tasks)
        assert answers[0] == 12_345_678
        assert isinstance(answers[1], DataAccessError)
        assert answers[1].result == 4
        assert answers[3] is None
        assert isinstance(answers[4], DataAccessError)
        assert answers[5:] == [None, 9]
        broken = meter.access([ENERGY.value, (ENERGY.value, LongUnsigned(1)), PARAMETER.value], break_on_error=True)
        assert [getattr(each, "result", None) for each in broken] == [None, 3, 250]


def test_an_object_of_another_class_is_found_by_the_list() -> None:
    with served(described()) as port, opened(port) as meter:
        with pytest.raises(DataAccessError, match="object-class-inconsistent"):
            meter.get(Data("1.0.1.8.0.255").value)
        with pytest.raises(ActionError, match="object-undefined"):
            meter.act(Register("1.0.99.9.9.255").reset, 0)
        references = [parse_reference(each) for each in ("0.0.96.1.0.255", "1.0.99.9.9.255", "8/0.0.1.0.0.255/2")]
        answers = meter.bind(read_references)(references, ObjectDirectory())
        assert [answer.error is None for answer in answers] == [True, False, True]
        with pytest.raises(DataAccessError, match="object-class-inconsistent"):
            meter.get(AssociationLN().associated_partners_id)


def test_a_method_without_a_known_short_name_is_not_guessed() -> None:
    with served(described()) as port, opened(port) as meter:
        schedule = Schedule("0.0.12.0.0.255")
        with pytest.raises(ConfigurationError, match="no source tells the short name"):
            meter.act(schedule.method(9), None)


def test_an_unconfirmed_write_is_done_and_not_answered() -> None:
    described_ = described()
    with served(described_) as port, opened(port) as meter:
        meter.set_unconfirmed(PARAMETER.value, LongUnsigned(77))
        assert meter.get(PARAMETER.value) == 77
        meter.act_unconfirmed(Clock().adjust_to_minute, 0)
        assert meter.get(PARAMETER.value) == 77


@pytest.mark.parametrize(
    "without", [Conformance.MULTIPLE_REFERENCES, Conformance.PARAMETERIZED_ACCESS], ids=lambda bit: bit.name
)
def test_what_was_not_negotiated_is_done_without(without: Conformance) -> None:
    services = IMPLEMENTED_SHORT_NAME_SERVICES & ~without
    with served(described(short_name_conformance=services)) as port, opened(port) as meter:
        assert meter.many([ENERGY.value, PARAMETER.value]) == [12_345_678, 5]
        assert meter.act(Clock().adjust_to_minute, 0) is None
        assert len(meter.profile(PROFILE, since=MIDNIGHT + timedelta(hours=23))) == 4


def test_a_meter_that_speaks_only_the_other_says_what_to_try() -> None:
    for spoken, other in ((Naming.SHORT_NAMES, "ln"), (Naming.LOGICAL_NAMES, "sn")):
        with served(described(naming=frozenset((spoken,)))) as port:
            client = Client.open(f"tcp://127.0.0.1:{port}?client=1&server=1", naming=other)
            with pytest.raises(AssociationRejected) as caught:
                client.connect()
            assert f"try --naming {spoken.value}" in str(caught.value.hint)
    with pytest.raises(ConfigurationError, match="write ln or sn"):
        Client.open("tcp://127.0.0.1:1", naming="xx")
