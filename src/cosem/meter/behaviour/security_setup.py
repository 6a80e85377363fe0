"""The security set-up of an association: policy, suite and titles, and the procedures that change its keys (class 64).

A change is made whole or not at all, and where keys outlive the process it is kept before the client hears of it. The
answer still goes under the keys that the request came under; who associates from then on finds the new ones, with
invocation counters that begin anew.

Left open by the public text, and refused here: agreeing on the master key, whose AlgorithmID no source settles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from cosem.errors import ConfigurationError, CosemError, DecodeError, SecurityError
from cosem.meter.associations import AssociationDescription, Keys
from cosem.meter.item import Behaviour, Item, Refusal, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.security import Protection
from cosem.protocol.crypto import agreement, certificate, wrap
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.certificate import Certificate, Use
from cosem.protocol.crypto.elliptic import PrivateKey, PublicKey, entropy_octets
from cosem.protocol.crypto.key import Key
from cosem.protocol.model.classes.access_control import (
    CertificateByEntity,
    CertificateBySerial,
    CertificateEntity,
    CertificateIdentification,
    CertificateInfo,
    CertificateType,
    KeyAgreementData,
    KeyId,
    SecurityPolicy,
    SecurityPolicyVersion0,
    SecuritySetup,
    SecuritySetupVersion0,
)
from cosem.protocol.values.data import Data, Enumerated, OctetString

POLICY, SUITE, CLIENT_TITLE, SERVER_TITLE, CERTIFICATES = range(2, 7)
(ACTIVATE, TRANSFER, AGREE, GENERATE, REQUEST, IMPORT, EXPORT, REMOVE) = range(1, 9)

MOST_CERTIFICATES: Final = 16
"""Certificates that one association holds."""

_BOTH: Final = Protection.AUTHENTICATION | Protection.ENCRYPTION
_POLICIES_0: Final = {
    Protection.NONE: SecurityPolicyVersion0.NONE,
    Protection.AUTHENTICATION: SecurityPolicyVersion0.AUTHENTICATED,
    Protection.ENCRYPTION: SecurityPolicyVersion0.ENCRYPTED,
    _BOTH: SecurityPolicyVersion0.AUTHENTICATED_AND_ENCRYPTED,
}

_FIELDS: Final[Mapping[KeyId, str]] = {
    KeyId.GLOBAL_UNICAST_ENCRYPTION: "encryption",
    KeyId.GLOBAL_BROADCAST_ENCRYPTION: "broadcast",
    KeyId.AUTHENTICATION: "authentication",
}
"""Where `Keys` has all but the master key."""

_USES: Final = {CertificateType.DIGITAL_SIGNATURE: Use.SIGNATURE, CertificateType.KEY_AGREEMENT: Use.AGREEMENT}
_TYPES: Final = {use: kind for kind, use in _USES.items()}


# -- what is read -----------------------------------------------------------------------------------------------------


def _policy_0(visit: Visit, _: Item) -> Data:
    required = Protection.NONE if visit.association is None else _current(visit).protection & _BOTH
    return Enumerated(_POLICIES_0[required])


def _policy_1(visit: Visit, _: Item) -> Data:
    required = Protection.NONE if visit.association is None else _current(visit).protection
    return Enumerated(SecurityPolicy.of(required))


def _suite(visit: Visit, _: Item) -> Data:
    return Enumerated(_keys(visit).suite if visit.association is not None else 0)


def _client_title(visit: Visit, _: Item) -> Data:
    return OctetString(_title_of_client(visit) or b"")


def _server_title(visit: Visit, _: Item) -> Data:
    return OctetString(visit.device.system_title)


def _certificates(visit: Visit, item: Item) -> Data:
    held = _keys(visit).certificates
    return SecuritySetup.certificates.shape.encode(tuple(_info(visit, each) for each in held))


def _info(visit: Visit, held: Certificate) -> CertificateInfo:
    return CertificateInfo(
        certificate_entity=_entity(visit, held),
        certificate_type=next((_TYPES[use] for use in held.uses if use in _TYPES), CertificateType.OTHER),
        serial_number=held.serial_number,
        issuer=held.issuer,
        subject=held.subject,
        subject_alt_name=held.subject_alt_name,
    )


def _entity(visit: Visit, held: Certificate) -> CertificateEntity:
    if Use.AUTHORITY in held.uses:
        return CertificateEntity.CERTIFICATION_AUTHORITY
    titles = {visit.device.system_title: CertificateEntity.SERVER, _title_of_client(visit): CertificateEntity.CLIENT}
    return titles.get(held.system_title, CertificateEntity.OTHER)


# -- what is done -----------------------------------------------------------------------------------------------------


def _activate_0(visit: Visit, _: Item, argument: Data) -> Data:
    policy = SecuritySetupVersion0.security_activate.argument.decode(argument)
    wanted = next(protection for protection, number in _POLICIES_0.items() if number is policy)
    return _strengthen(visit, wanted)


def _activate_1(visit: Visit, _: Item, argument: Data) -> Data:
    policy = SecuritySetup.security_activate.argument.decode(argument)
    return _strengthen(visit, policy.requests | policy.responses)  # what is asked for in one direction holds in both


def _strengthen(visit: Visit, wanted: Protection) -> Data:
    association = _current(visit)
    if association.protection & ~wanted:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)  # a policy is only ever made stronger
    return _change(visit, replace_policy=wanted)


def _transfer(visit: Visit, _: Item, argument: Data) -> Data:
    """Take new keys, each wrapped under the master key; one that does not open leaves all as they are."""
    keys = _keys(visit)
    master = keys.general.master_key
    if master is None:
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    items = SecuritySetup.key_transfer.argument.decode(argument)
    if not items or len({item.key_id for item in items}) != len(items):
        raise Refusal(DataAccessResult.OTHER_REASON)
    try:
        taken = {item.key_id: wrap.unwrap(master, bytes(item.key_wrapped)) for item in items}
    except SecurityError as error:
        raise _refusal(error) from error
    return _change(visit, _with(keys, taken))


def _agree(visit: Visit, _: Item, argument: Data) -> Data:
    """Agree on keys by the ephemeral unified model: take the client's signed keys and answer with ours."""
    keys, client = _keys(visit), _title_of_client(visit)
    signer, peer = keys.general.signer, keys.general.peer_signing_key
    if signer is None or peer is None or client is None:
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    suite = suites.of(keys.suite)
    items = SecuritySetup.key_agreement.argument.decode(argument)
    if not items or len({item.key_id for item in items}) != len(items):
        raise Refusal(DataAccessResult.OTHER_REASON)
    taken: dict[KeyId, Key] = {}
    answers: list[KeyAgreementData] = []
    try:
        for item in items:
            if item.key_id not in _FIELDS:
                raise Refusal(DataAccessResult.OTHER_REASON)
            theirs = agreement.opened(suite, bytes(item.key_data), peer, item.key_id)
            ours = _made(visit, keys)
            taken[item.key_id] = agreement.agreed(suite, ours, theirs, client, visit.device.system_title)
            answers.append(KeyAgreementData(item.key_id, agreement.signed(ours.public, signer, item.key_id)))
    except SecurityError as error:
        raise _refusal(error) from error
    _change(visit, _with(keys, taken))
    return SecuritySetup.key_agreement.result.encode(tuple(answers))


def _generate(visit: Visit, _: Item, argument: Data) -> Data:
    """Make a key pair; it takes the place of the one in use when a certificate for it is imported."""
    keys = _keys(visit)
    use = _use(SecuritySetup.generate_key_pair.argument.decode(argument))
    return _change(visit, replace(keys, pending={**keys.pending, use: _made(visit, keys)}))


def _request(visit: Visit, _: Item, argument: Data) -> Data:
    """Return a request for a certificate of the key pair made last, or else of the one in use."""
    keys = _keys(visit)
    use = _use(SecuritySetup.generate_certificate_request.argument.decode(argument))
    in_use = {Use.SIGNATURE: keys.general.signer, Use.AGREEMENT: keys.general.agreer}[use]
    key = keys.pending.get(use, in_use)
    if not isinstance(key, PrivateKey):
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    return OctetString(certificate.request(key, visit.device.system_title))


def _import(visit: Visit, _: Item, argument: Data) -> Data:
    """Take a certificate that an authority we hold has given, and use its key where it is ours or the client's."""
    keys = _keys(visit)
    try:
        given = Certificate.decode(SecuritySetup.import_certificate.argument.decode(argument))
        _check_issuer(visit, keys, given)
    except (DecodeError, SecurityError) as error:
        raise _refusal(error) from error
    others = tuple(held for held in keys.certificates if not _replaces(given, held))
    if len(others) >= MOST_CERTIFICATES:
        raise Refusal(DataAccessResult.OTHER_REASON)
    return _change(visit, _in_use(visit, replace(keys, certificates=(*others, given)), given))


def _check_issuer(visit: Visit, keys: Keys, given: Certificate) -> None:
    authorities = [held for held in keys.certificates if Use.AUTHORITY in held.uses and held.subject == given.issuer]
    if not authorities:
        raise SecurityError("no authority that is held has given this certificate")
    given.check(authorities[-1], visit.time)


def _in_use(visit: Visit, keys: Keys, given: Certificate) -> Keys:
    """Return the keys with that of a certificate in its place."""
    general, pending = keys.general, dict(keys.pending)
    for use in given.uses & {Use.SIGNATURE, Use.AGREEMENT}:
        if given.system_title == visit.device.system_title:
            made = pending.get(use)
            if made is not None and made.public == given.public:
                del pending[use]
                general = _OURS[use](general, made)
        elif given.system_title == _title_of_client(visit):
            general = _THEIRS[use](general, given.public)
    return replace(keys, general=general, pending=pending)


_OURS: Final[Mapping[Use, Callable[[GeneralKeys, PrivateKey], GeneralKeys]]] = {
    Use.SIGNATURE: lambda general, key: replace(general, signer=key),
    Use.AGREEMENT: lambda general, key: replace(general, agreer=key),
}
_THEIRS: Final[Mapping[Use, Callable[[GeneralKeys, PublicKey], GeneralKeys]]] = {
    Use.SIGNATURE: lambda general, key: replace(general, peer_signing_key=key),
    Use.AGREEMENT: lambda general, key: replace(general, peer_agreement_key=key),
}


def _export(visit: Visit, _: Item, argument: Data) -> Data:
    return OctetString(_named(visit, SecuritySetup.export_certificate.argument.decode(argument)).octets)


def _remove(visit: Visit, _: Item, argument: Data) -> Data:
    """Forget a certificate; a key that is in use stays so, and the last authority is not given up."""
    keys = _keys(visit)
    named = _named(visit, SecuritySetup.remove_certificate.argument.decode(argument))
    left = tuple(held for held in keys.certificates if held is not named)
    if Use.AUTHORITY in named.uses and not any(Use.AUTHORITY in held.uses for held in left):
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    return _change(visit, replace(keys, certificates=left))


def _named(visit: Visit, identification: CertificateIdentification) -> Certificate:
    """Return the certificate that is meant, the one imported last where several fit."""
    options = identification.certificate_identification_options
    for held in reversed(_keys(visit).certificates):
        if isinstance(options, CertificateBySerial):
            if (held.serial_number, held.issuer) == (bytes(options.serial_number), bytes(options.issuer)):
                return held
        elif _is_of(visit, held, options):
            return held
    raise Refusal(DataAccessResult.OBJECT_UNDEFINED)


def _is_of(visit: Visit, held: Certificate, options: CertificateByEntity) -> bool:
    info = _info(visit, held)
    found = info.certificate_entity, info.certificate_type, held.system_title or b""
    return found == (options.certificate_entity, options.certificate_type, bytes(options.system_title))


# -- small things -----------------------------------------------------------------------------------------------------


def _current(visit: Visit) -> AssociationDescription:
    """Return the association as it is now: within one request it may have changed already."""
    assert visit.association is not None
    return visit.device.association(visit.association.client) or visit.association


def _keys(visit: Visit) -> Keys:
    keys = None if visit.association is None else _current(visit).keys
    if keys is None:
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    return keys


def _title_of_client(visit: Visit) -> bytes | None:
    return None if visit.negotiated is None else visit.negotiated.peer_title


def _with(keys: Keys, taken: Mapping[KeyId, Key]) -> Keys:
    """Return the keys with some replaced, all at once; Refusal where they do not fit then."""
    if not taken.keys() <= {*_FIELDS, KeyId.MASTER}:
        raise Refusal(DataAccessResult.OTHER_REASON)
    changed: dict[str, Any] = {_FIELDS[key_id]: key for key_id, key in taken.items() if key_id in _FIELDS}
    try:
        general = replace(keys.general, master_key=taken.get(KeyId.MASTER, keys.general.master_key))
        return replace(keys, general=general, **changed)
    except ConfigurationError as error:
        raise _refusal(error) from error


def _use(kind: CertificateType) -> Use:
    if kind not in _USES:
        raise Refusal(DataAccessResult.OTHER_REASON)
    return _USES[kind]


def _made(visit: Visit, keys: Keys) -> PrivateKey:
    curve = suites.of(keys.suite).required_curve
    return PrivateKey.from_entropy(curve, visit.device.meter.entropy(entropy_octets(curve)))


def _replaces(given: Certificate, held: Certificate) -> bool:
    """Tell whether a certificate takes the place of another: of the same subject, for the same use."""
    return (given.subject, given.uses) == (held.subject, held.uses)


def _change(visit: Visit, keys: Keys | None = None, *, replace_policy: Protection | None = None) -> Data:
    """Use other keys or a stronger policy from now on; Refusal where that cannot be kept."""
    association = _current(visit)
    protection = association.protection if replace_policy is None else replace_policy
    try:
        changed = replace(association, keys=keys or association.keys, protection=protection)
        visit.device.replace(association.client, changed)
    except ConfigurationError as error:
        raise _refusal(error) from error
    return None


def _refusal(error: CosemError) -> Refusal:
    refusal = Refusal(DataAccessResult.OTHER_REASON)
    refusal.__cause__ = error
    return refusal


_READS: Final[Mapping[int, Any]] = {SUITE: _suite, CLIENT_TITLE: _client_title, SERVER_TITLE: _server_title}

BEHAVIOURS: Final = (
    Behaviour(reads={POLICY: _policy_0, **_READS}, methods={ACTIVATE: _activate_0, TRANSFER: _transfer}),
    Behaviour(
        reads={POLICY: _policy_1, CERTIFICATES: _certificates, **_READS},
        methods={
            ACTIVATE: _activate_1,
            TRANSFER: _transfer,
            AGREE: _agree,
            GENERATE: _generate,
            REQUEST: _request,
            IMPORT: _import,
            EXPORT: _export,
            REMOVE: _remove,
        },
    ),
)
"""What the security set-up does, by its version."""
