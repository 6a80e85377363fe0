"""Every operation of a client, written once; `Client` and `AsyncClient` are two ways to run this text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from cosem.client import keys as keys_of
from cosem.client.access import Access
from cosem.client.keys import NewKeys
from cosem.client.operation import operation
from cosem.client.profile import Bits, Ways, no_bits, read_profile
from cosem.client.services import Services
from cosem.client.several import Task
from cosem.errors import ConnectionLost, CosemError
from cosem.protocol.association.context import Negotiated, Notified
from cosem.protocol.crypto.key import Key
from cosem.protocol.model.classes.access_control import AssociationLN, KeyId, SecuritySetupCommon
from cosem.protocol.model.classes.data_storage import ExtendedRegister, ProfileGenericCommon, Register
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.declare import InterfaceClass
from cosem.protocol.model.reference import AttributeRef, MethodRef
from cosem.protocol.model.rights import ObjectListElement
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.quantity import Quantity
from cosem.readings.profile import ProfileRows

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")


class Operations:
    """What a client can do in an open association.

    Every operation raises TransportError, RemoteProtocolError or SecurityError when the session is lost; it is closed
    then, and `CosemError.retry` says what may be tried.
    """

    entry: Access
    services: Services | None = None
    ways: Ways
    """How the rows of each profile were had the last time; keep it from session to session of one meter."""

    @property
    def negotiated(self) -> Negotiated | None:
        """What the open association allows, or None while there is none."""
        return None if self.services is None else self.services.exchange.negotiated

    @operation
    async def get(self, reference: AttributeRef[T]) -> T:
        """Read one attribute. Raises DataAccessError when the meter refuses, ShapeError for Data of another type."""
        return await self._open().get(reference)

    @operation
    async def many(self, references: Iterable[AttributeRef[Any]]) -> list[Any]:
        """Read several attributes in as few round trips as the association allows.

        Returns, in the order asked, a value or the `DataAccessError` or `ShapeError` of each; nothing is raised for a
        single item.
        """
        return await self._open().get_many(list(references))

    @operation
    async def set(self, reference: AttributeRef[T], value: T) -> None:
        """Write one attribute. Raises DataAccessError when the meter refuses, ShapeError before anything is sent."""
        await self._open().set(reference, value)

    @operation
    async def act(self, reference: MethodRef[A, R], argument: A) -> R:
        """Invoke one method. Raises ActionError when the meter refuses, ShapeError before anything is sent."""
        return await self._open().act(reference, argument)

    @operation
    async def set_unconfirmed(self, reference: AttributeRef[T], value: T) -> None:
        """Write one attribute without an answer: nobody says whether it was written. Raises ShapeError."""
        await self._open().set_unconfirmed(reference, value)

    @operation
    async def act_unconfirmed(self, reference: MethodRef[A, R], argument: A) -> None:
        """Invoke one method without an answer: nobody says what became of it. Raises ShapeError."""
        await self._open().act_unconfirmed(reference, argument)

    @operation
    async def set_many(self, values: Iterable[tuple[AttributeRef[Any], Any]]) -> list[CosemError | None]:
        """Write several attributes, in the order given, in as few round trips as the association allows.

        Returns None for each that was written, and the `DataAccessError` of each that was refused. Raises ShapeError
        before anything is sent.
        """
        return await self._open().access(values)

    @operation
    async def act_many(self, calls: Iterable[tuple[MethodRef[Any, Any], Any]]) -> list[Any]:
        """Invoke several methods with their arguments, in the order given, in as few round trips as can be.

        Returns what each returned, or its `ActionError`. Raises ShapeError before anything is sent.
        """
        return await self._open().access(calls)

    @operation
    async def access(self, tasks: Iterable[Task], *, break_on_error: bool = False) -> list[Any]:
        """Read, write and run several things in the order given, in as few round trips as the association allows.

        Args:
            tasks: an attribute to read, a pair of attribute and value to write, or a pair of method and argument.
            break_on_error: do nothing after the first that fails; what was left out has the error other-reason (250).

        Returns a value (None for what was written), or the `DataAccessError`, `ActionError` or `ShapeError` of each.
        Raises ShapeError before anything is sent. `cosem.client.several` says which services are used when.
        """
        return await self._open().access(tasks, break_on_error=break_on_error)

    @operation
    async def get_object(self, address: InterfaceClass) -> dict[str, Any]:
        """Read all attributes of an object, by their names; None for those that may not be read.

        Goes by attribute 0 where that was negotiated, and of a profile brings its whole buffer. Raises DataAccessError
        when the meter refuses the object, ShapeError for Data of another type.
        """
        return await self._open().get_object(address)

    @operation
    async def set_object(self, address: InterfaceClass, values: Mapping[str, Any]) -> None:
        """Write the attributes of an object that are named; the others stay as they are.

        Goes by attribute 0 where that was negotiated. Raises ShapeError before anything is sent, DataAccessError when
        the meter refuses one of them; without attribute 0 others may have been written then.
        """
        await self._open().set_object(address, values)

    @operation
    async def quantity(self, register: Register | ExtendedRegister) -> Quantity:
        """Read a register's value with its scaler and unit, exactly. Raises as `get` does."""
        value, scaler_unit = await self._open().get_many([register.value, register.scaler_unit])
        for answer in (value, scaler_unit):
            if isinstance(answer, CosemError):
                raise answer
        return Quantity.of(value, scaler_unit.scaler, scaler_unit.unit)

    @operation
    async def profile(
        self,
        profile: ProfileGenericCommon,
        *,
        since: datetime | DateTime | None = None,
        until: datetime | DateTime | None = None,
        columns: Iterable[CaptureObject] | None = None,
        bits: Bits = no_bits,
    ) -> ProfileRows:
        """Read the rows of a profile, all or those captured from `since` to `until`, with what each column is.

        A time without zone is the meter's local time. Where the meter refuses a range, other ways are tried (see
        `cosem.client.profile`), and the one that worked is kept in `ways`.

        Args:
            profile: the profile.
            since, until: the first and the last time, both included.
            columns: the columns that are wanted; that of the clock always comes along.
            bits: gives the names of the bits of a column that holds a status.

        Raises DataAccessError when the meter refuses columns or buffer, ShapeError for a column that it has not.
        """
        return await read_profile(self._open(), profile, since, until, wanted=columns, ways=self.ways, bits=bits)

    @operation
    async def browse(self, association: AssociationLN | None = None) -> tuple[ObjectListElement, ...]:
        """Read the list of all objects that this association can see, with the access rights to each.

        By short names it is the current association's, which tells no rights.
        """
        return await self._open().objects(AssociationLN() if association is None else association)

    @operation
    async def clock(self, clock: Clock | None = None) -> DateTime:
        """Read the meter's clock."""
        return await self._open().get((Clock() if clock is None else clock).time)

    @operation
    async def transfer_keys(
        self, keys: NewKeys, *, keep: Callable[[NewKeys], object], setup: SecuritySetupCommon | None = None
    ) -> None:
        """Give the meter new keys, each wrapped under the master key (class 64, key_transfer).

        Args:
            keys: the new keys, by which key each of them is.
            keep: makes them durable; it is called before anything is sent, and what it raises ends the change.
            setup: the security set-up; that of this association unless given.

        This association goes on under its old keys. Raises ConfigurationError for a missing master key or a key of
        another length, ActionError when the meter refuses; then all its keys are as they were.
        """
        await keys_of.transfer_keys(self._open(), self.entry, keys, keep, setup)

    @operation
    async def agree_keys(
        self,
        key_ids: Iterable[KeyId],
        *,
        keep: Callable[[NewKeys], object],
        setup: SecuritySetupCommon | None = None,
    ) -> dict[KeyId, Key]:
        """Agree with the meter on new keys that nobody else can know (class 64, key_agreement; suites 1 and 2).

        `keep` makes them durable, once the meter's signed answer is verified. If that answer is lost the meter may have
        keys that we do not; a key transfer sets that right. Returns the keys. Raises ConfigurationError for missing
        keys or titles, SecurityError when the answer was not signed by the meter, ActionError when it refuses.
        """
        return await keys_of.agree_keys(self._open(), self.entry, key_ids, keep, setup)

    @operation
    async def notification(self, seconds: float | None = None) -> Notified | None:
        """Return the next notification, waiting for it if need be; None when none comes within `seconds`."""
        return await self._open().exchange.wait_for_notification(seconds)

    def _open(self) -> Services:
        if self.services is None or not self.services.exchange.open:
            raise ConnectionLost("there is no open session; connect first")
        return self.services
