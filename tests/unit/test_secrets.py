"""LOG-1: after whole sessions of a client and a meter, nothing that can be shown shows a key, password or secret."""

from __future__ import annotations

import base64
import gc
import logging
import traceback
import types
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from cosem.client.access import Access as Entry
from cosem.client.access import access
from cosem.client.exchange import Exchange
from cosem.client.services import Services
from cosem.errors import CosemError
from cosem.io.capture import Recorder
from cosem.io.simulated import SimulatedStream, World
from cosem.meter import PUBLIC_ASSOCIATION, Access, AssociationDescription, Keys, Meter, Rights, attend
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.initiate import Conformance, InitiateRequest
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.context import ClientSettings
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, SecurityContext
from cosem.protocol.crypto.elliptic import P_256, PrivateKey
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, Signatures, named
from cosem.protocol.crypto.ring import KeyKind, MemoryKeyRing
from cosem.protocol.model import Clock, Register
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.session import ClientSession
from cosem.protocol.values.units import Unit
from cosem.store.keys import FileKeyRing
from cosem.store.memory import MemoryCounterStore

EK, AK, DEDICATED = b"Quokka-in-a-key.", b"Zebra.on-a-key..", b"Dormouse.in.key."
PASSWORD, SECRET, WRONG = b"Ocelot-password", b"Wombat-is-a-secret", b"Badger-is-wrong."
OURS, THEIRS = b"Pangolin signs with this number.", b"Narwhals sign with that number.."
KEK, PASSPHRASE = b"Lemur-wraps-keys", b"Gecko opens the file"
CANARIES = (EK, AK, DEDICATED, PASSWORD, SECRET, WRONG, OURS, THEIRS, KEK, PASSPHRASE)
SIGNING, SIGNING_OF_METER = PrivateKey(P_256, OURS), PrivateKey(P_256, THEIRS)

ENERGY = Register("1.0.1.8.0.255")


def forms(canary: bytes) -> tuple[str, ...]:
    return canary.decode(), canary.hex(), canary.hex().upper(), base64.b64encode(canary).decode().rstrip("=")[:-1]


def leaks(text: str) -> list[str]:
    return [form for canary in CANARIES for form in forms(canary) if form in text]


def shown(error: BaseException) -> str:
    links = "".join(traceback.format_exception(error))
    return f"{links}{error!r}{error!s}{getattr(error, '__notes__', '')}"


def reachable(roots: Iterable[object]) -> list[object]:
    """Return every object of our own classes that can be reached from `roots`, and every error."""
    seen: dict[int, object] = {}
    waiting = list(roots)
    ours: list[object] = []
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, type | types.ModuleType | types.FunctionType | types.CodeType):
            continue
        seen[id(thing)] = thing
        if type(thing).__module__.split(".")[0] == "cosem" or isinstance(thing, BaseException):
            ours.append(thing)
        waiting += gc.get_referents(thing)
        if isinstance(thing, types.MethodType):
            waiting.append(thing.__self__)
    return ours


class Bench:
    """A meter that knows every kind of secret, and clients that know them or do not."""

    def __init__(self) -> None:
        self.world = World(1)
        self.meter = Meter("KFM1020012345678")
        self.meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
        keys = Keys(Key(EK), Key(AK), temporary=True)
        full = Rights(Access.MANAGE)
        self.meter.offer(
            PUBLIC_ASSOCIATION,
            AssociationDescription(
                client=1, mechanism=named("gmac"), keys=keys, protection=AUTHENTICATED_ENCRYPTION, rights=full
            ),
            AssociationDescription(client=32, mechanism=named("low"), secret=Secret(PASSWORD), rights=full),
            AssociationDescription(
                client=48,
                mechanism=named("sha256"),
                secret=Secret(SECRET),
                keys=keys,
                protection=AUTHENTICATED_ENCRYPTION,
                rights=full,
            ),
            AssociationDescription(
                client=64,
                mechanism=named("ecdsa"),
                secret=Signatures(SIGNING_OF_METER, SIGNING.public),
                keys=Keys(Key(EK), Key(AK), temporary=True, suite=1),
                protection=AUTHENTICATED_ENCRYPTION,
                rights=full,
            ),
        )
        self.traces: list[tuple[bool, str]] = []
        self.roots: list[object] = [self.meter, self.world]
        self.texts: list[str] = []
        self.read = 0

    def entropy(self, octets: int) -> bytes:
        return DEDICATED if octets == 16 and not self.drawn(octets) else self.world.random.randbytes(octets)

    def drawn(self, octets: int) -> bool:
        first, self._first = getattr(self, "_first", False), True
        return first

    async def _attend(self, stream: SimulatedStream) -> None:
        try:
            await attend(self.meter, stream, entropy=self.world.random.randbytes)
        except CosemError as error:
            self.texts.append(shown(error))
        await stream.close()

    async def session(self, client: int, entry: Entry) -> None:
        url = ConnectionUrl.parse(f"tcp://127.0.0.1?client={client}")
        profile = profile_of(url)
        near, far = self.world.pair()
        self.world.spawn(self._attend(far))
        self._first = not entry.dedicated
        association = entry.association(profile.application, self.entropy, entry.counter() if entry.secured else None)
        exchange = Exchange(
            ClientSession(profile.lower_layers.client(url), association, profile.application.timing),
            Recorder(near, lambda line: self.traces.append((entry.sends_password, line))),
        )
        self.roots += [url, entry, exchange]
        try:
            await exchange.connect()
            self.look()
            negotiated = await exchange.associate()
            services = Services(exchange)
            self.roots += [services, negotiated]
            assert await services.get(ENERGY.value) == 12_345_678
            await services.get_many([ENERGY.scaler_unit, Clock().time])
            self.read += 1
            self.look()
        except CosemError as error:
            self.roots.append(error)
            self.texts.append(shown(error))
        finally:
            self.look()
            await exchange.close()

    def look(self) -> None:
        for thing in reachable(self.roots):
            self.texts.append(f"{thing!r} {thing}")


def entries() -> list[tuple[int, Entry]]:
    common = {"counters": MemoryCounterStore(), "system_title": "4142434445464748"}
    gmac = access(auth="gmac", ek=EK, ak=AK, **common)  # type: ignore[arg-type]
    signs = access(
        ek=EK,
        ak=AK,
        suite=1,
        signing_key=SIGNING,
        peer_signing_key=SIGNING_OF_METER.public,
        **common,  # type: ignore[arg-type]
    )
    return [
        (1, gmac),
        (1, replace(gmac, dedicated=True)),
        (1, access(auth="gmac", ek=WRONG, ak=AK, **common)),  # type: ignore[arg-type]
        (1, access(auth="gmac", ek=EK, ak=WRONG, **common)),  # type: ignore[arg-type]
        (1, access(auth="low", password=PASSWORD)),
        (32, access(auth="low", password=PASSWORD)),
        (32, access(auth="low", password=WRONG)),
        (48, access(auth="sha256", password=SECRET, ek=EK, ak=AK, **common)),  # type: ignore[arg-type]
        (48, access(auth="sha256", password=WRONG, ek=EK, ak=AK, **common)),  # type: ignore[arg-type]
        (99, access(auth="low", password=PASSWORD)),
        (64, signs),
        (64, replace(signs, secret=Signatures(SIGNING, SIGNING.public))),
    ]


def test_log_1_whole_sessions_show_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench = Bench()

    async def main() -> None:
        for client, entry in entries():
            await bench.session(client, entry)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        bench.world.run(main())
    assert bench.read == 5
    assert len(bench.texts) > 500, "the search has found hardly anything"
    assert sum("Secret(not shown)" in text for text in bench.texts) > 0
    for text in [*bench.texts, caplog.text, *(str(warning.message) for warning in warned)]:
        assert not leaks(text), text[:300]
    # A trace shows what is on the line: of a low level authentication that is the password, of all others nothing.
    assert len(bench.traces) > 50
    assert any(leaks(line.replace(" ", "")) for sends_password, line in bench.traces if sends_password)
    assert not any(leaks(line.replace(" ", "")) for sends_password, line in bench.traces if not sends_password)


def test_log_1_key_rings_and_their_files_show_no_key(tmp_path: Path) -> None:
    """Not the file, its witness or its lock, raw, in hex of both cases or base64; not the ring nor its errors."""
    owner = b"KFM\0\0\0\0\1"
    texts: list[str] = []
    for number, secret in enumerate((Secret(PASSPHRASE), Key(OURS))):
        path = tmp_path / f"keys-{number}"
        for ring in (MemoryKeyRing(), FileKeyRing(path, secret, create=True)):
            names = [
                ring.add(owner, KeyKind.ENCRYPTION, Key(EK)),
                ring.add(owner, KeyKind.AUTHENTICATION, Key(AK)),
                ring.add(owner, KeyKind.MASTER, Key(KEK)),
                ring.add(owner, KeyKind.SIGNING, SIGNING_OF_METER),
                ring.add(owner, KeyKind.AGREEMENT, SIGNING),
            ]
            made: list[object] = [ring, *names, ring.cipher(names[0], names[1])]
            made += [ring.signer(names[3]), ring.agreer(names[4]), ring.fingerprint(names[0])]
            texts += [f"{thing!r} {thing}" for thing in reachable([*made])]
            texts += [f"{thing!r} {thing}" for thing in made]
            for wrong in (
                lambda ring=ring, name=names[0]: ring.signer(name),
                lambda ring=ring, name=names[0]: ring.activate(ring.withdraw(name)),
                lambda ring=ring: ring.add(owner, KeyKind.SIGNING, Key(EK)),
                lambda path=path: FileKeyRing(path, Secret(WRONG)),
                lambda path=path: FileKeyRing(path, Key(THEIRS)),
            ):
                with pytest.raises(CosemError) as failed:
                    wrong()
                texts.append(shown(failed.value))
    assert len(texts) > 60
    for text in texts:
        assert not leaks(text), text[:300]
    files = list(tmp_path.iterdir())
    assert len(files) == 6
    for file in files:
        octets = file.read_bytes()
        for canary in CANARIES:
            encoded = [base64.b64encode(canary[start:])[:12] for start in range(3)]
            for form in (canary[:12], canary.hex()[:24].encode(), canary.hex().upper()[:24].encode(), *encoded):
                assert form not in octets, file.name


def test_log_1_keys_of_general_protection_are_not_shown() -> None:
    keys = GeneralKeys(master_key=Key(KEK), signer=SIGNING, agreer=SIGNING, peer_signing_key=SIGNING_OF_METER.public)
    context = SecurityContext(
        1,
        b"ABCDEFGH",
        b"KFM12345",
        Key(EK),
        Key(AK),
        keys=keys,
        counter=InvocationCounter(MemoryCounterStore(), "name"),
    )
    for thing in reachable([keys, context]):
        assert not leaks(f"{thing!r} {thing}")


def test_log_1_what_carries_secrets_on_the_wire_does_not_show_them() -> None:
    initiate = InitiateRequest(
        dedicated_key=DEDICATED, proposed_conformance=Conformance.GET, client_max_receive_pdu_size=1024
    )
    request = apdus.AssociationRequest(
        application_context_name=apdus.ApplicationContext.LOGICAL_NAME,
        calling_authentication_value=PASSWORD,
        user_information=initiate.encode(),
    )
    release = apdus.ReleaseRequest(user_information=initiate.encode())
    for thing in (
        initiate,
        request,
        release,
        *(apdus.decode(each.encode()) for each in (initiate, request, release)),
        ClientSettings(secret=Secret(SECRET), dedicated_key=Key(DEDICATED)),
        ServerPolicy(mechanism=MECHANISMS[1], secret=Secret(PASSWORD)),
    ):
        assert not leaks(repr(thing))
        assert not leaks(str(thing))
