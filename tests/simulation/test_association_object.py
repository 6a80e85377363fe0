"""A client administers its association: who may come in, by which secret, and which objects it shows (class 15)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cosem import AsyncClient, Data, Register, Unit
from cosem.client.access import access
from cosem.errors import ActionError, AssociationRejected, ConfigurationError, CosemError, DataAccessError
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model import Clock
from cosem.protocol.model.classes.access_control import (
    AssociationLN,
    AssociationLNVersion1,
    AssociationLNVersion2,
    User,
)
from cosem.protocol.model.rights import AccessRights, AttributeAccess, AttributeAccessItem, ObjectListElement
from cosem.protocol.values.data import OctetString, Unsigned
from cosem.store.memory import MemoryCounterStore
from simulation.bench import Bench

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
KEYS = Keys.random()
ENERGY, SERIAL = Register("1.0.1.8.0.255"), Data("0.0.96.1.0.255")
OWN: Any = AssociationLNVersion1()
WITH_USERS = AssociationLNVersion2()
ANN, BEN = User(1, "Ann"), User(7, "Ben")


class Own(Bench):
    """A meter with one association, which the client may manage."""

    def __init__(self, mechanism: int = 0, protection: Protection = Protection.NONE, **more: Any) -> None:
        super().__init__()
        self.meter = Meter("KFM1020012345678", clock=lambda: NOW)
        self.meter.add(ENERGY, value=7, scaler_unit=(0, Unit.WATT_HOUR))
        self.meter.add(SERIAL, value=Unsigned(1), writable=("value",))
        secret = Secret(b"a secret of sixteen") if MECHANISMS[mechanism].secret else None
        self.meter.offer(
            AssociationDescription(
                client=1,
                mechanism=MECHANISMS[mechanism],
                secret=secret,
                keys=KEYS if protection else None,
                protection=protection,
                rights=Rights(Access.MANAGE),
                **more,
            )
        )
        self.words: dict[str, Any] = {"auth": MECHANISMS[mechanism].name, "counters": MemoryCounterStore()}
        if secret is not None:
            self.words["password"] = secret
        if protection:
            keys = {"ek": KEYS.encryption, "ak": KEYS.authentication, "system_title": "4142434445464748"}
            self.words |= {**keys, "protection": protection}

    def enters(self, **words: Any) -> bool:
        async def nothing(client: AsyncClient) -> bool:
            return client.negotiated is not None

        try:
            return self.run(nothing, **words)
        except AssociationRejected:
            return False


# -- users ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protection", [Protection.NONE, AUTHENTICATED_ENCRYPTION])
def test_only_listed_users_come_in(protection: Protection) -> None:
    bench = Own(protection=protection, users=(ANN, BEN))

    async def who(client: AsyncClient) -> Any:
        return await client.many([WITH_USERS.user_list, WITH_USERS.current_user])

    assert bench.run(who, user=7) == [(ANN, BEN), BEN]
    assert [bench.enters(user=each) for each in (1, 2, None)] == [True, False, False]


def test_without_a_list_everybody_comes_in_and_with_an_empty_one_too() -> None:
    assert Own().enters(user=3)
    bench = Own(users=())

    async def who(client: AsyncClient) -> Any:
        return await client.get(WITH_USERS.current_user)

    assert bench.run(who) == User(0, "")
    assert bench.run(who, user=3) == User(3, "")


def test_users_are_added_and_removed_and_the_last_one_stays() -> None:
    bench = Own(users=(ANN,))

    async def change(client: AsyncClient) -> None:
        await client.act(WITH_USERS.add_user, BEN)
        with pytest.raises(ActionError):
            await client.act(WITH_USERS.add_user, User(7, "Ben again"))
        await client.act(WITH_USERS.remove_user, ANN)
        with pytest.raises(ActionError):
            await client.act(WITH_USERS.remove_user, ANN)
        with pytest.raises(ActionError):
            await client.act(WITH_USERS.remove_user, BEN)
        assert await client.get(WITH_USERS.user_list) == (BEN,)

    bench.run(change, user=1)
    assert [bench.enters(user=each) for each in (1, 7)] == [False, True]


def test_a_list_of_users_is_bounded() -> None:
    bench = Own(users=(ANN,))

    async def fill(client: AsyncClient) -> None:
        for number in range(2, 65):
            await client.act(WITH_USERS.add_user, User(number, "x"))
        with pytest.raises(ActionError):
            await client.act(WITH_USERS.add_user, User(65, "x"))

    bench.run(fill, user=1)


def test_a_user_has_a_number_of_one_octet() -> None:
    assert access(user=255).user == 255
    with pytest.raises(ConfigurationError, match="0 to 255"):
        access(user=256)


# -- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::cosem.errors.SecurityWarning")
def test_the_secret_of_high_level_security_is_changed_in_an_encrypted_association() -> None:
    bench = Own(6, AUTHENTICATED_ENCRYPTION)

    async def change(client: AsyncClient) -> None:
        await client.act(OWN.change_hls_secret, b"x" * 64)
        await client.act(OWN.change_hls_secret, b"another one of sixteen")
        for wrong in (b"", b"x" * 65):
            with pytest.raises(ActionError):
                await client.act(OWN.change_hls_secret, wrong)

    bench.run(change)
    assert bench.enters(password=Secret(b"another one of sixteen"))


@pytest.mark.filterwarnings("ignore::cosem.errors.SecurityWarning")
def test_the_old_secret_opens_nothing_any_more() -> None:
    bench = Own(6, AUTHENTICATED_ENCRYPTION)

    async def change(client: AsyncClient) -> None:
        await client.act(OWN.change_hls_secret, b"another one of sixteen")

    bench.run(change)
    with pytest.raises(CosemError):
        bench.run(change)


@pytest.mark.filterwarnings("ignore::cosem.errors.SecurityWarning")
@pytest.mark.parametrize("mechanism", [0, 1, 6])
def test_in_clear_no_secret_is_changed(mechanism: int) -> None:
    bench = Own(mechanism)

    async def change(client: AsyncClient) -> None:
        with pytest.raises(ActionError):
            await client.act(OWN.change_hls_secret, b"another one of sixteen")
        with pytest.raises(DataAccessError):
            await client.set(OWN.secret, OctetString(b"another one of sixteen"))

    bench.run(change)
    assert bench.enters()


def test_the_password_is_written_in_an_encrypted_association_and_never_read() -> None:
    bench = Own(1, AUTHENTICATED_ENCRYPTION)

    async def change(client: AsyncClient) -> None:
        with pytest.raises(DataAccessError):
            await client.get(OWN.secret)
        await client.set(OWN.secret, OctetString(b"open sesame"))

    bench.run(change)
    assert [bench.enters(password=each) for each in ("open sesame", "a secret of sixteen")] == [True, False]


# -- objects ----------------------------------------------------------------------------------------------------------


def element(listed: Any, instance: Any) -> ObjectListElement:
    found: ObjectListElement = next(each for each in listed if each.logical_name == instance)
    return found


def test_an_object_is_taken_away_and_given_back_with_fewer_rights() -> None:
    bench = Own()

    async def change(client: AsyncClient) -> None:
        before: Any = await client.get(OWN.object_list)
        serial = element(before, SERIAL.instance)
        await client.act(OWN.remove_object, serial)
        with pytest.raises(DataAccessError):
            await client.get(SERIAL.value)
        assert [each for each in before if each != serial] == list(await client.get(OWN.object_list))
        with pytest.raises(ActionError):
            await client.act(OWN.remove_object, serial)
        rights = AccessRights((AttributeAccessItem(2, AttributeAccess.READ, None),), ())
        await client.act(OWN.add_object, ObjectListElement(1, 0, SERIAL.instance, rights))
        assert await client.get(SERIAL.value) == Unsigned(1)
        with pytest.raises(DataAccessError):
            await client.set(SERIAL.value, Unsigned(2))
        await client.act(OWN.add_object, serial)
        await client.set(SERIAL.value, Unsigned(2))
        assert list(await client.get(OWN.object_list)) == list(before)

    bench.run(change)


def test_no_rights_are_given_that_an_object_refuses() -> None:
    bench = Own()

    async def change(client: AsyncClient) -> None:
        rights = AccessRights((AttributeAccessItem(2, AttributeAccess.READ_WRITE, None),), ())
        await client.act(OWN.add_object, ObjectListElement(3, 0, ENERGY.instance, rights))
        found = element(await client.get(OWN.object_list), ENERGY.instance)
        assert found.attribute_access(2) is AttributeAccess.READ
        with pytest.raises(DataAccessError):
            await client.set(ENERGY.value, Unsigned(2))

    bench.run(change)


@pytest.mark.parametrize("instance", [Clock().instance, AssociationLN().instance])
def test_what_everybody_needs_is_not_taken_away(instance: Any) -> None:
    bench = Own()

    async def change(client: AsyncClient) -> None:
        with pytest.raises(ActionError):
            await client.act(OWN.remove_object, element(await client.get(OWN.object_list), instance))

    bench.run(change)


def test_an_object_that_the_meter_does_not_have_is_not_added() -> None:
    bench = Own()

    async def change(client: AsyncClient) -> None:
        for class_id, instance in ((3, Data("0.0.96.1.9.255").instance), (4, ENERGY.instance)):
            with pytest.raises(ActionError):
                await client.act(OWN.add_object, ObjectListElement(class_id, 0, instance, AccessRights((), ())))

    bench.run(change)
