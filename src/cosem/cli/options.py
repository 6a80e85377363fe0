"""The options that commands share: where the meter is, how to enter it, and what to show beside the data."""

from __future__ import annotations

import inspect
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeVar, get_type_hints

import typer

from cosem import danger
from cosem.cli.report import say
from cosem.client.access import PROTECTIONS, Access, access
from cosem.danger import Weakness
from cosem.errors import ConfigurationError
from cosem.io import credentials
from cosem.meter.associations import demo_keys
from cosem.protocol.association.general_block import WINDOW_MAXIMUM
from cosem.protocol.association.security import Protection
from cosem.protocol.crypto.elliptic import PrivateKey, PublicKey
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.dialect import STANDARD, Dialect, dialect_of, known_dialects, option_of
from cosem.protocol.model.classes.access_control import GREATEST_USER
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.timing import Timing
from cosem.protocol.values.obis import Obis

P = ParamSpec("P")
T = TypeVar("T")

COUNTER_OBJECT: Final = Obis("0.0.43.1.0.255")
"""Where most meters keep the last invocation counter they have received."""

DIALECT_WEAKNESSES: Final = (Weakness.ANY_INVOKE_ID, Weakness.FOREIGN_STATION, Weakness.EMPTY_SYSTEM_TITLE)
"""What a dialect is not without leave."""

WEAK_MECHANISMS: Final = {"md5": Weakness.MD5_AUTHENTICATION, "sha1": Weakness.SHA1_AUTHENTICATION}

LAST: Final = 0xFFFF_FFFF
"""The greatest invocation counter."""

_ACCESS: Final = "Access to the meter"
_KEY: Final = "file:PATH, env:NAME or hex"

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables and text.")]


DialectOption = Annotated[
    str | None,
    typer.Option(
        "--dialect",
        metavar="MAKER[/MODEL]",
        help="Put up with what meters of this maker are known for: its three letters, and a model, as LGZ/ZMF100.",
        show_default=False,
    ),
]

AllowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="WEAKNESS",
        help=f"Permit a dialect what weakens identity: {', '.join(map(option_of, DIALECT_WEAKNESSES))}.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What the options of every command that talks to a meter say."""

    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="Where the meter is: tcp://HOST[:4059]?client=16&server=1, "
            "hdlc+tcp://HOST:PORT?client=16&server=1&physical=17, hdlc+serial:///dev/ttyUSB0?baud=9600 "
            "(sign_on=iec21 for mode E); iec21+serial:///dev/ttyUSB0 for cosem read",
            show_default=False,
        ),
    ]
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="none|low|md5|sha1|gmac|sha256|ecdsa",
            help="How to authenticate. Left out: ecdsa with --signing-key, gmac with --ek, low with --password, "
            "else none.",
            show_default=False,
        ),
    ] = None
    password: Annotated[
        str | None,
        typer.Option(
            metavar="SECRET", help="LLS password or HLS secret: file:PATH, env:NAME, 0x… or text.", show_default=False
        ),
    ] = None
    ek: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help=f"Encryption key, also called GUEK, block cipher key or global unicast key: {_KEY}.",
            show_default=False,
        ),
    ] = None
    ak: Annotated[
        str | None,
        typer.Option(metavar="KEY", help=f"Authentication key, also called GAK: {_KEY}.", show_default=False),
    ] = None
    suite: Annotated[
        int | None,
        typer.Option(
            metavar="0|1|2", help="Security suite. Left out: the lowest that the keys fit.", show_default=False
        ),
    ] = None
    signing_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Our private signing key, for --auth ecdsa and signed messages: file:PATH (PEM, DER, hex), env:NAME.",
            show_default=False,
        ),
    ] = None
    peer_signing_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="The meter's public signing key or its certificate: file:PATH (PEM, DER or hex), env:NAME or hex.",
            show_default=False,
        ),
    ] = None
    certificate: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The certificate of our signing key, for a meter that lacks it: file:PATH (PEM, DER), env:NAME.",
            show_default=False,
        ),
    ] = None
    system_title: Annotated[
        str | None,
        typer.Option(
            metavar="HEX", help="The client's own system title. Left out: made once and kept.", show_default=False
        ),
    ] = None
    protection: Annotated[
        str | None,
        typer.Option(
            metavar="none|auth|enc|auth+enc|auth+enc+sign",
            help="Protection of every message. Left out: auth+enc with --ek, else none.",
            show_default=False,
        ),
    ] = None
    dedicated: Annotated[
        bool, typer.Option("--dedicated", help="Use a dedicated key, made anew for each association.")
    ] = False
    envelope: Annotated[
        str | None,
        typer.Option(
            metavar="service|general|general-ciphering",
            help="Envelope of every ciphered message. Left out: that of the service (glo- or ded-), which every meter "
            "takes and which shows what is asked for; general and general-ciphering hide it.",
            show_default=False,
        ),
    ] = None
    key_info: Annotated[
        str | None,
        typer.Option(
            metavar="identified|wrapped|one-pass|static",
            help="How general-ciphering tells its key: the global one, a new one wrapped with --master-key, or one "
            "agreed with --agreement-key and --peer-agreement-key.",
            show_default=False,
        ),
    ] = None
    master_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help=f"Master key, also called KEK: {_KEY}.", show_default=False),
    ] = None
    agreement_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Our private key agreement key: file:PATH (PEM, DER or hex), env:NAME.",
            show_default=False,
        ),
    ] = None
    peer_agreement_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="The meter's public key agreement key or its certificate: file:PATH, env:NAME or hex.",
            show_default=False,
        ),
    ] = None
    invocation_counter: Annotated[
        str | None,
        typer.Option(
            metavar="N|read",
            help="Begin at this counter or above; 'read' asks the meter first, as its public client.",
            show_default=False,
        ),
    ] = None
    approve_counter: Annotated[
        bool,
        typer.Option("--approve-counter", help="Believe the --invocation-counter however far it jumps: looked at it."),
    ] = False
    approve_counter_reset: Annotated[
        bool,
        typer.Option("--approve-counter-reset", help="The meter's own counter was set back rightly: believe it once."),
    ] = False
    counter_object: Annotated[
        str | None,
        typer.Option(
            metavar="OBIS", help=f"The object to read the counter from (usually {COUNTER_OBJECT}).", show_default=False
        ),
    ] = None
    naming: Annotated[
        str,
        typer.Option(
            metavar="ln|sn",
            help="Refer to objects by logical names, or by short names: older meters may know only these.",
        ),
    ] = "ln"
    user: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, max=GREATEST_USER, help="Who uses this client, for a meter that lists users."),
    ] = None
    pre_established: Annotated[
        bool,
        typer.Option("--pre-established", help="The association is there without being opened."),
    ] = False
    meter_title: Annotated[
        str | None,
        typer.Option(
            metavar="HEX", help="The meter's system title, where it cannot tell it itself.", show_default=False
        ),
    ] = None
    gbt_window: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=WINDOW_MAXIMUM,
            help="Propose general block transfer, and take N blocks in a row (1 to 63).",
            show_default=False,
        ),
    ] = 0
    compression: Annotated[
        bool,
        typer.Option(
            "--compression",
            help="Compress what is encrypted in general envelopes of suites 1 and 2 (V.44), if the meter can.",
        ),
    ] = False
    delta_values: Annotated[
        bool, typer.Option("--delta-values", help="Let the meter send the rows of profiles in deltas.")
    ] = False
    dialect: DialectOption = None
    allow: AllowOption = None
    demo_keys: Annotated[
        bool, typer.Option("--demo-keys", help="Use the published example keys; only for a meter on this machine.")
    ] = False
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, help="How long to wait for each answer.", show_default="10"),
    ] = None
    first_octet: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, help="Silence before an answer begins, at most.", show_default=False),
    ] = None
    inter_octet: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, help="Silence within an answer, at most.", show_default=False),
    ] = None
    whole_answer: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.1, help="A whole answer, however long its parts keep coming.", show_default=False
        ),
    ] = None
    session: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.1, help="The whole session, from connecting on.", show_default=False),
    ] = None
    json: Json = False
    verbose: Annotated[
        int,
        typer.Option(
            "-v", "--verbose", count=True, help="Say how the URL was understood; -vv: every octet.", show_default=False
        ),
    ] = 0

    def address(self) -> ConnectionUrl:
        """Return the URL, parsed. Raises ConfigurationError."""
        return ConnectionUrl.parse(self.url)

    def timing(self, url: ConnectionUrl) -> Timing:
        """Return how long to wait in each phase."""
        usual, seconds = profile_of(url).application.timing, self.timeout
        if seconds is not None:
            least = min(usual.release, seconds)
            usual = replace(usual, connect=seconds, link=seconds, association=seconds, response=seconds, release=least)
        return replace(usual, **self.limits())

    def limits(self) -> dict[str, Any]:
        """Return the named time-outs that were given: the fields of `Timing`, and of the settings of a local port."""
        given = {
            "first_octet": self.first_octet,
            "inter_octet": self.inter_octet,
            "answer": self.whole_answer,
            "session": self.session,
        }
        return {name: seconds for name, seconds in given.items() if seconds is not None}

    def entry(self, url: ConnectionUrl) -> Access:
        """Return how to enter the meter; what is unwise about it is said. Raises ConfigurationError."""
        encryption_key, authentication_key = self._keys(url)
        counter, counter_object = self._counter()
        return access(
            auth=self.auth,
            password=secret(self.password),
            ek=encryption_key,
            ak=authentication_key,
            suite=self.suite,
            signing_key=private_key("--signing-key", self.signing_key),
            peer_signing_key=public_key("--peer-signing-key", self.peer_signing_key),
            certificate=certificate("--certificate", self.certificate),
            system_title=self.system_title,
            protection=self.protection,
            dedicated=self.dedicated,
            envelope=self.envelope,
            key_info=self.key_info,
            master_key=key("--master-key", self.master_key),
            agreement_key=private_key("--agreement-key", self.agreement_key),
            peer_agreement_key=public_key("--peer-agreement-key", self.peer_agreement_key),
            invocation_counter=counter,
            approve_counter=self.approve_counter,
            approve_counter_reset=self.approve_counter_reset,
            counter_object=counter_object,
            user=self.user,
            pre_established=self.pre_established,
            meter_title=self.meter_title,
            gbt_window=self.gbt_window,
            naming=self.naming,
            delta_values=self.delta_values,
            compression=self.compression,
            dialect=dialect_option(self.dialect, self.allow),
            permitted=permitted(self.auth, self.protection) | allowed(self.allow),
        )

    def _keys(self, url: ConnectionUrl) -> tuple[Key | None, Key | None]:
        if not self.demo_keys:
            return key("--ek", self.ek), key("--ak", self.ak)
        if self.ek is not None or self.ak is not None:
            raise ConfigurationError("--demo-keys stands for --ek and --ak: leave these out")
        if not is_loopback(url):
            raise ConfigurationError(
                f"--demo-keys are printed in every manual and are for this machine only, not for {url.place}: "
                "give the meter's own keys with --ek file:PATH --ak file:PATH"
            )
        keys = demo_keys(self.suite or 0)
        return keys.encryption, keys.authentication

    def _counter(self) -> tuple[int | None, Obis | None]:
        given = self.invocation_counter
        if given is None or given == "read":
            wanted = given is not None or self.counter_object is not None
            return None, Obis(self.counter_object or COUNTER_OBJECT) if wanted else None
        if self.counter_object is not None:
            raise ConfigurationError("--counter-object goes with --invocation-counter read, not with a number")
        try:
            number = int(given, 0)
        except ValueError:
            number = -1
        if not 0 <= number <= LAST:
            raise ConfigurationError(
                f"--invocation-counter {given!r}: write a number, or read; it counts from 0 to {LAST}"
            )
        return number, None


def connected(command: Callable[Concatenate[Connection, P], None]) -> Callable[..., None]:
    """Give a command the shared options: its first parameter takes them all as one `Connection`."""
    hints = get_type_hints(Connection, include_extras=True)
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(Connection)
    ]
    parameters = [shared[0], *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own), *shared[1:]]

    def run(**given: Any) -> None:
        connection = Connection(**{each.name: given.pop(each.name) for each in shared})
        command(connection, **given)  # type: ignore[call-arg]

    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def permitted(auth: str | None, protection: str | None) -> frozenset[Weakness]:
    """Return the weaknesses that were asked for by name, after saying what each of them costs."""
    weaknesses = [WEAK_MECHANISMS[auth]] if auth in WEAK_MECHANISMS else []
    if protection is not None and PROTECTIONS.get(protection) is Protection.ENCRYPTION:
        weaknesses.append(Weakness.UNVERIFIED_CIPHERTEXT)
    for weakness in weaknesses:
        say(f"warning: {weakness.value}")
    return danger.allow(*weaknesses)


def key(option: str, given: str | None) -> Key | None:
    """Return a key, after saying what is unsafe about how it was given."""
    if given is None:
        return None
    found = _named(option, lambda: credentials.key(given))
    _hint(option, given)
    if found.well_known:
        say(f"warning: {option} is a key that is printed in manuals: it protects nothing")
    return found


def private_key(option: str, given: str | None) -> PrivateKey | None:
    """Return a private key on an elliptic curve, after saying what is unsafe about how it was given."""
    if given is None:
        return None
    _hint(option, given)
    return _named(option, lambda: credentials.private_key(given))


def public_key(option: str, given: str | None) -> PublicKey | None:
    """Return a public key on an elliptic curve."""
    return None if given is None else _named(option, lambda: credentials.public_key(given))


def certificate(option: str, given: str | None) -> bytes | None:
    """Return a certificate in DER."""
    return None if given is None else _named(option, lambda: credentials.certificate(given))


def is_loopback(url: ConnectionUrl) -> bool:
    """Tell whether a URL stays on this machine."""
    if url.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(url.host).is_loopback
    except ValueError:
        return False


def secret(given: str | None) -> Secret | None:
    """Return a password, after saying what is unsafe about how it was given."""
    if given is None:
        return None
    found = _named("--password", lambda: credentials.password(given))
    _hint("--password", given)
    return found


def _hint(option: str, given: str) -> None:
    hint = credentials.hint(given)
    if hint is not None:
        say(f"hint: {option}: {hint}")


def _named(option: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ConfigurationError as error:
        raise ConfigurationError(f"{option}: {error}") from None


def allowed(words: Sequence[str] | None) -> frozenset[Weakness]:
    """Return what --allow permits, after saying what it costs."""
    known = {option_of(each): each for each in DIALECT_WEAKNESSES}
    unknown = [each for each in words or () if each not in known]
    if unknown:
        raise ConfigurationError(f"--allow {unknown[0]!r} is not known; write one of {', '.join(known)}")
    found = danger.allow(*(known[each] for each in words or ()))
    for weakness in found:
        say(f"warning: {weakness.value}")
    return found


def dialect_option(text: str | None, allow: Sequence[str] | None) -> Dialect:
    """Return the dialect that --dialect names."""
    if text is None:
        if allow:
            raise ConfigurationError("--allow goes with --dialect")
        return STANDARD
    maker, _, model = text.partition("/")
    found = dialect_of(maker, model)
    if found == STANDARD:
        makers = ", ".join(sorted({each.name for each in known_dialects()}))
        raise ConfigurationError(f"no dialect is known of {text!r}; there are {makers}")
    return found
