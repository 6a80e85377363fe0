"""The association object as its own client sees it: the objects it may use, and what was agreed (class 15).

Who manages the meter sees those of the other clients as well: what they are offered, and whether they are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cosem.errors import ConfigurationError
from cosem.meter.associations import AssociationDescription, Furnishing
from cosem.meter.item import Behaviour, Item, Read, Refusal, Visit
from cosem.meter.rights import Rule, is_public
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.association.context import DLMS_VERSION, Naming, Negotiated
from cosem.protocol.association.security import Protection
from cosem.protocol.association.state import State
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model.classes.access_control import (
    AssociatedPartners,
    AssociationLNVersion1,
    AssociationLNVersion2,
    AssociationStatus,
    ObjectIdentifier,
    User,
    XdlmsContext,
)
from cosem.protocol.model.rights import (
    AccessRights,
    AttributeAccessItem,
    MethodAccess,
    MethodAccessItem,
    ObjectListElement,
)
from cosem.protocol.model.shape import shape_of
from cosem.protocol.profile.session import SapPair
from cosem.protocol.values.data import Data, Enumerated, OctetString
from cosem.protocol.values.obis import ObisPattern

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

OBJECT_LIST, PARTNERS, CONTEXT_NAME, CONTEXT_INFO, MECHANISM_NAME = range(2, 7)
SECRET, STATUS, SECURITY_SETUP, USER_LIST, CURRENT_USER = range(7, 12)
(REPLY_TO_HLS_AUTHENTICATION, CHANGE_HLS_SECRET, ADD_OBJECT, REMOVE_OBJECT, ADD_USER, REMOVE_USER) = range(1, 7)

LONGEST_SECRET: Final = 64
MOST_USERS: Final = 64
NOBODY: Final = User(0, "")
"""The current user where the client has not said who uses it."""

_CONTEXT_KIND, _MECHANISM_KIND = 1, 2
"""The last but one arc of the identifiers of application contexts and of mechanisms."""


def _object_list(visit: Visit, _: Item) -> Data:
    return AssociationLNVersion1.object_list.shape.encode(
        tuple(_element(visit, item) for item in visit.items() if _shows(visit, item))
    )


def _shows(visit: Visit, item: Item) -> bool:
    return visit.association is not None and visit.association.rights.shows(item)


def _element(visit: Visit, item: Item) -> ObjectListElement:
    return ObjectListElement(item.class_id, item.version, item.instance, _rights(visit, item))


def _rights(visit: Visit, item: Item) -> AccessRights:
    association = visit.association
    assert association is not None
    rights = association.rights
    selectors = {index: _selectors(item, index) for index in item.behaviour.selections}
    attributes = sorted({*item.attributes(), *item.kind.declared_attributes})
    methods = sorted({*item.behaviour.methods, *item.kind.declared_methods})
    own = item.class_id == AssociationLNVersion1.class_id and item.behaviour is not OBSERVED
    proves = own and association.mechanism.challenges
    return AccessRights(
        tuple(AttributeAccessItem(index, rights.attribute(item, index), selectors.get(index)) for index in attributes),
        tuple(
            MethodAccessItem(
                index,
                MethodAccess.ACCESS if proves and index == REPLY_TO_HLS_AUTHENTICATION else rights.method(item, index),
            )
            for index in methods
        ),
    )


def _selectors(item: Item, index: int) -> tuple[int, ...] | None:
    declared = item.kind.declared_attributes.get(index)
    return tuple(declared.selectors) if declared is not None and declared.selectors else None


def _partners(visit: Visit, _: Item) -> Data:
    association = visit.association
    if association is None:
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    return _PARTNERS.encode(AssociatedPartners(association.client, visit.device.sap))


def _context_name(visit: Visit, _: Item) -> Data:
    context = _negotiated(visit).application_context
    return _IDENTIFIER.encode(ObjectIdentifier(kind=_CONTEXT_KIND, identifier=context))


def _context_info(visit: Visit, _: Item) -> Data:
    negotiated = _negotiated(visit)
    return _CONTEXT.encode(
        XdlmsContext(
            conformance=negotiated.conformance,
            max_receive_pdu_size=negotiated.max_receive_pdu_size,
            max_send_pdu_size=negotiated.max_send_pdu_size,
            dlms_version_number=DLMS_VERSION,
            quality_of_service=0,
            cyphering_info=b"",
        )
    )


def _mechanism_name(visit: Visit, _: Item) -> Data:
    return _IDENTIFIER.encode(ObjectIdentifier(kind=_MECHANISM_KIND, identifier=_negotiated(visit).mechanism))


def _status(_: Visit, __: Item) -> Data:
    return Enumerated(AssociationStatus.ASSOCIATED)  # who asks is in it


def status_of(device: LogicalDevice, client: int) -> AssociationStatus:
    """Return how far the client with a SAP has come with a logical device, on whichever connection."""
    pair, offered = SapPair(client, device.sap), device.association(client)
    found = (session.associations.get(pair) for session in device.meter.sessions)
    states = {each.state for each in found if each is not None}
    if State.ASSOCIATED in states or (offered is not None and offered.pre_established):
        return AssociationStatus.ASSOCIATED
    if State.AUTHENTICATING in states:
        return AssociationStatus.ASSOCIATION_PENDING
    return AssociationStatus.NON_ASSOCIATED


def _security_setup(visit: Visit, _: Item) -> Data:
    return OctetString(visit.device.security_setup_name(visit.association))


def _negotiated(visit: Visit) -> Negotiated:
    if visit.negotiated is None:
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    return visit.negotiated


_PARTNERS: Final = shape_of(AssociatedPartners)
_IDENTIFIER: Final = shape_of(ObjectIdentifier)
_CONTEXT: Final = shape_of(XdlmsContext)


# -- what is seen of another client -----------------------------------------------------------------------------------


def _of_other(read: Read) -> Read:
    """Return what reads of an association what its own client would, without having agreed to anything."""

    def reading(visit: Visit, item: Item) -> Data:
        return read(visit._replace(association=visit.device.associations[item.state - 1], negotiated=None), item)

    return reading


def _offered(visit: Visit) -> AssociationDescription:
    assert visit.association is not None  # it is looked up among those that are offered
    return visit.association


def _offered_context(visit: Visit, _: Item) -> Data:
    offered = _offered(visit)
    naming = Naming.LOGICAL_NAMES if Naming.LOGICAL_NAMES in offered.naming else Naming.SHORT_NAMES
    context = naming.context(ciphered=offered.protection is not Protection.NONE)
    return _IDENTIFIER.encode(ObjectIdentifier(kind=_CONTEXT_KIND, identifier=context))


def _offered_mechanism(visit: Visit, _: Item) -> Data:
    return _IDENTIFIER.encode(ObjectIdentifier(kind=_MECHANISM_KIND, identifier=_offered(visit).mechanism.identifier))


def _other_status(visit: Visit, _: Item) -> Data:
    return Enumerated(status_of(visit.device, _offered(visit).client))


OBSERVED: Final = Behaviour(
    reads={
        index: _of_other(read)
        for index, read in {
            OBJECT_LIST: _object_list,
            PARTNERS: _partners,
            CONTEXT_NAME: _offered_context,
            MECHANISM_NAME: _offered_mechanism,
            STATUS: _other_status,
            SECURITY_SETUP: _security_setup,
        }.items()
    }
)
"""What is seen of the association of another client, whose number is the state of the item."""


# -- what is changed --------------------------------------------------------------------------------------------------


def _secret(visit: Visit, _: Item, given: Data) -> None:
    """Take another LLS or HLS secret; the running association goes on, the next one is opened with it."""
    if not isinstance(given, bytes) or not 0 < len(given) <= LONGEST_SECRET:
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    _change(visit, lambda association: replace(association, secret=Secret(bytes(given))))


def _change_secret(visit: Visit, item: Item, argument: Data) -> Data:
    _secret(visit, item, argument)
    return None


def _add_object(visit: Visit, _: Item, argument: Data) -> Data:
    """Show an object of the meter again, with the rights to attributes that are given, as far as it grants them."""
    element = AssociationLNVersion1.add_object.argument.decode(argument)
    item = visit.device.find(element.logical_name, _current(visit))
    if item is None or (item.class_id, item.version) != (element.class_id, element.version):
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    pattern = ObisPattern(".".join(map(str, item.instance.octets)))
    given = [Rule(pattern, each.access, each.index) for each in element.access_rights.attribute_access]
    before = _rights(visit, item).method_access
    if element.access_rights.method_access not in ((), before):
        raise Refusal(DataAccessResult.OTHER_REASON)  # the rights to methods are not an object's own here

    def added(association: AssociationDescription) -> AssociationDescription:
        rights = association.rights
        kept = tuple(rule for rule in rights.rules if rule.objects != pattern)
        rights = replace(rights, rules=(*kept, *given), hidden=rights.hidden - {item.instance})
        if not rights.shows(item):
            raise Refusal(DataAccessResult.READ_WRITE_DENIED)
        return replace(association, rights=rights)

    _change(visit, added)
    return None


def _remove_object(visit: Visit, _: Item, argument: Data) -> Data:
    """Show an object no longer; what every association needs is not taken away."""
    element = AssociationLNVersion1.remove_object.argument.decode(argument)
    item = visit.find(element.logical_name)
    if item is None or not _shows(visit, item) or item.class_id != element.class_id:
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    if is_public(item):
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)

    def removed(association: AssociationDescription) -> AssociationDescription:
        rights = association.rights
        return replace(association, rights=replace(rights, hidden=rights.hidden | {item.instance}))

    _change(visit, removed)
    return None


def _user_list(visit: Visit, _: Item) -> Data:
    return AssociationLNVersion2.user_list.shape.encode(_current(visit).users or ())


def _current_user(visit: Visit, _: Item) -> Data:
    number = _negotiated(visit).user
    listed = (user for user in _current(visit).users or () if user.user_id == number)
    unlisted = NOBODY if number is None or number not in range(0x100) else User(number, "")
    return AssociationLNVersion2.current_user.shape.encode(next(listed, unlisted))


def _add_user(visit: Visit, _: Item, argument: Data) -> Data:
    user = AssociationLNVersion2.add_user.argument.decode(argument)
    users = _current(visit).users or ()
    if len(users) >= MOST_USERS or any(user.user_id == each.user_id for each in users):
        raise Refusal(DataAccessResult.OTHER_REASON)
    _change(visit, lambda association: replace(association, users=(*users, user)))
    return None


def _remove_user(visit: Visit, _: Item, argument: Data) -> Data:
    """Take a user off the list; the last one stays, for with nobody listed everybody comes in."""
    user = AssociationLNVersion2.remove_user.argument.decode(argument)
    users = _current(visit).users or ()
    left = tuple(each for each in users if each != user)
    if len(left) == len(users):
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    if not left:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    _change(visit, lambda association: replace(association, users=left))
    return None


def _current(visit: Visit) -> AssociationDescription:
    """Return the association as it is now: within one request it may have changed already."""
    if visit.association is None:
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    return visit.device.association(visit.association.client) or visit.association


def _change(visit: Visit, change: Callable[[AssociationDescription], AssociationDescription]) -> None:
    association = _current(visit)
    try:
        visit.device.replace(association.client, change(association))
    except ConfigurationError as error:
        refusal = Refusal(DataAccessResult.OTHER_REASON)
        raise refusal from error


_READS: Final = {
    OBJECT_LIST: _object_list,
    PARTNERS: _partners,
    CONTEXT_NAME: _context_name,
    CONTEXT_INFO: _context_info,
    MECHANISM_NAME: _mechanism_name,
    STATUS: _status,
    SECURITY_SETUP: _security_setup,
}
_METHODS: Final[dict[int, Any]] = {ADD_OBJECT: _add_object, REMOVE_OBJECT: _remove_object}


@cache
def behaviour(furnishing: Furnishing) -> Behaviour:
    """Return what the association object does that is furnished so."""
    users = furnishing.users
    return Behaviour(
        reads={**_READS, **({USER_LIST: _user_list, CURRENT_USER: _current_user} if users else {})},
        writes={SECRET: _secret} if furnishing.password else {},
        methods={
            **({CHANGE_HLS_SECRET: _change_secret} if furnishing.secret else {}),
            **_METHODS,
            **({ADD_USER: _add_user, REMOVE_USER: _remove_user} if users else {}),
        },
    )
