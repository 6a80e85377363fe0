"""What a row of Devices says, as one frozen type for each driver: how to reach, enter and keep reading a device.

The address of a DLMS device comes out by one rule, in this order, which settles what the columns contradict each other
in (their defaults do: 1600 does not go into one octet, and 0 is nobody's logical device):

1. With `serial_number`, the lower address follows the rule of the maker and the upper one is 1; `physical_address` and
   `logical_address` are ignored.
2. Otherwise `logical_address` 0 is 1, the management logical device, and `physical_address` 0 is no lower address.
3. The address is as long as the smallest of 1, 2 or 4 octets that holds it and is not below `address_size`.

In mode DLMS-WRAPPER there is only `logical_address`, by point 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from cosem import danger
from cosem.client.access import Access, access
from cosem.danger import Weakness
from cosem.errors import ConfigurationError
from cosem.gateway.config.reference import Reference
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import Mechanism, manufacturer_specific
from cosem.protocol.crypto.ring import KeyKind
from cosem.protocol.dialect import STANDARD, dialect_of
from cosem.protocol.elgama import gama, models
from cosem.protocol.iec21.message import BAUD_RATES
from cosem.protocol.link.hdlc.serial_number import USUAL, rule_of
from cosem.protocol.profile.address import ConnectionUrl

R = TypeVar("R")

MANAGEMENT: Final = 1
"""The logical device that every meter has."""

EVERY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - to compare with
"""Words for no address in particular."""

PARITIES: Final = MappingProxyType({"none": "N", "even": "E", "odd": "O"})

MECHANISMS: Final = MappingProxyType(
    {
        "None": "none",
        "Low": "low",
        "High": "manufacturer",
        "HighMd5": "md5",
        "HighSha1": "sha1",
        "HighSha256": "sha256",
        "HighGmac": "gmac",
        "HighEcdsa": "ecdsa",
    }
)
"""The words of the column `auth`, and what the client calls them."""


def _aes(challenge: bytes, secret: bytes) -> bytes:
    """Return a challenge under AES-128 with the secret, block by block: what meters that say `High` mostly mean."""
    encryptor = Cipher(algorithms.AES(secret.ljust(16, b"\0")), modes.ECB()).encryptor()  # noqa: S305 - it is theirs
    return encryptor.update(challenge + bytes(-len(challenge) % 16)) + encryptor.finalize()


HIGH: Final = manufacturer_specific(_aes)
"""Mechanism 2, which belongs to the manufacturer, with the function that most of them have (IS 15959 too)."""

WEAK: Final = MappingProxyType({"HighMd5": Weakness.MD5_AUTHENTICATION, "HighSha1": Weakness.SHA1_AUTHENTICATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class LineParameters:
    """What every device has: where it is, and how often it is asked.

    `device` is the serial port as it is opened, PORT1 resolved; "" over TCP. `ip` is a host name too; `port` None where
    there is none. Times are milliseconds as in the table.

    Attributes:
        timeout_ms: silence before an answer begins.
        scan_rate_ms: all of a device is read within it; 0 for as fast as it goes.
        retry_counter: requests unanswered before the device counts as lost.
        reconnect_time: how often a lost device is tried again.
        reconnect_longest_ms: above reconnect_time, delays double up to it; 0 for no growth.
        poll_delay_ms: silence before anything is sent on the port.
        serial_close_delay: how long a port is left alone after it was closed.
        keep_open: keep the session between scans, where the protocol has one.
    """

    ip: str = ""
    port: int | None = None
    bind_address: str = ""
    device: str = ""
    baudrate: int = 9600
    databits: int = 8
    stopbits: int = 1
    parity: str = "none"
    flowcontrol: str = "none"
    timeout_ms: int = 2500
    scan_rate_ms: int = 10_000
    retry_counter: int = 3
    reconnect_time: int = 1000
    reconnect_longest_ms: int = 0
    poll_delay_ms: int = 0
    serial_close_delay: int = 0
    keep_open: bool = True
    echo: str = ""

    @property
    def over_tcp(self) -> bool:
        """Whether the device is reached over TCP."""
        return not self.device

    @property
    def line(self) -> str:
        """One text for each physical way to devices, which take turns on it."""
        return f"{self.ip}:{self.port}" if self.over_tcp else self.device

    @property
    def character_format(self) -> str:
        """Data bits, parity and stop bits as in 8N1. Raises ConfigurationError for nine data bits, with the reason."""
        if self.databits == 9:
            raise ConfigurationError(
                f"databits 9: {self.device or 'a serial port'} carries 5 to 8 data bits in a character; no serial port "
                "of this system has 9. Meters use 8, or 7 with parity"
            )
        return f"{self.databits}{PARITIES[self.parity]}{self.stopbits}"

    def place_of(self, framing: str, **serial: Any) -> dict[str, Any]:
        """Return framing, medium and place of the URL; `serial` are fields of it that a serial line has."""
        fields: dict[str, Any] = {"framing": framing, "echo": self.echo or None}
        if self.over_tcp:
            ours = None if self.bind_address in EVERY_ADDRESS else self.bind_address
            return {**fields, "medium": "tcp", "host": self.ip, "port": self.port, "bind": ours}
        return {**fields, "medium": "serial", "path": self.device, "flow": self.flowcontrol, **serial}


@dataclass(frozen=True, slots=True, kw_only=True)
class DlmsParameters(LineParameters):
    """A device of DLMS/COSEM. Secrets are references, looked up by `access`; see the module for the address."""

    serial_number: int = 0
    address_rule: str = USUAL
    physical_address: int = 1600
    logical_address: int = 0
    address_size: int = 1
    client_address: int = 0x10
    type: str = "SN"
    mode: str = "DLMS-HDLC"
    auth: str = "None"
    password: Reference | None = None
    security_suite: int | None = None
    protection: str = ""
    encryption_key: Reference | None = None
    authentication_key: Reference | None = None
    master_key: Reference | None = None
    signing_key: Reference | None = None
    peer_signing_key: Reference | None = None
    certificate: Reference | None = None
    agreement_key: Reference | None = None
    peer_agreement_key: Reference | None = None
    client_system_title: str = ""
    meter_system_title: str = ""
    dedicated_key: bool = False
    envelope: str = ""
    key_info: str = ""
    counter_object: str = ""
    user: int | None = None
    gateway: str = ""
    dialect: str = ""
    max_information: int | None = None
    window: int | None = None

    @property
    def upper_address(self) -> int:
        """The upper HDLC address, or the server's wrapper port."""
        return MANAGEMENT if self.logical_address == 0 or self._by_serial_number else self.logical_address

    @property
    def lower_address(self) -> int | None:
        """The lower HDLC address, None for none."""
        if self.mode == "DLMS-WRAPPER":
            return None
        if self._by_serial_number:
            return rule_of(self.address_rule).physical(str(self.serial_number))
        return self.physical_address or None

    @property
    def address_octets(self) -> int:
        """How many octets the server's address has."""
        lower = self.lower_address
        least = 1 if lower is None else 2 if max(self.upper_address, lower) <= 0x7F else 4
        return max(least, 4 if self.address_size == 3 else self.address_size)

    @property
    def _by_serial_number(self) -> bool:
        return self.serial_number != 0 and self.mode != "DLMS-WRAPPER"

    @property
    def permitted(self) -> frozenset[Weakness]:
        """What the row consents to by naming it."""
        weaknesses = [WEAK[self.auth]] if self.auth in WEAK else []
        if self.protection == "enc":
            weaknesses.append(Weakness.UNVERIFIED_CIPHERTEXT)
        return danger.allow(*weaknesses)

    def url(self) -> ConnectionUrl:
        """Return where the device is. Raises ConfigurationError."""
        addresses: dict[str, Any] = {"client": self.client_address, "server": self.upper_address}
        addresses["gateway"] = self.gateway or None
        if self.mode == "DLMS-WRAPPER":
            return ConnectionUrl(**self.place_of("wrapper"), **addresses)
        addresses |= {"physical": self.lower_address, "address_size": self.address_octets}
        addresses |= {"window": self.window, "information": self.max_information}
        if self.mode != "IEC":
            serial = {} if self.over_tcp else {"baud": self.baudrate, "format": self.character_format}
            return ConnectionUrl(**self.place_of("hdlc", **serial), **addresses)
        # The sign-on is at 300 7E1 whatever the table says; baudrate is what is gone on with.
        fastest = str(self.baudrate) if self.baudrate in BAUD_RATES.values() else None
        return ConnectionUrl(**self.place_of("hdlc"), **addresses, sign_on="iec21", data_baud=fastest)

    def access(self, counters: CounterStore | None = None) -> Access:
        """Return how the device is entered, with what the references lead to now. Raises ConfigurationError.

        Invocation counters are leased from `counters`; left out, from those of this user.
        """

        def found(reference: Reference | None, read: Callable[[Reference], R]) -> R | None:
            return None if reference is None else read(reference)

        auth: str | Mechanism = HIGH if self.auth == "High" else MECHANISMS[self.auth]
        # A password does nothing in these; the column is filled all the same where a form asks for it.
        needless = auth in ("none", "gmac", "ecdsa")
        return access(
            auth=auth,
            password=None if needless else found(self.password, Reference.password),
            suite=self.security_suite,
            protection=self.protection or None,
            ek=found(self.encryption_key, lambda each: each.key(KeyKind.ENCRYPTION)),
            ak=found(self.authentication_key, lambda each: each.key(KeyKind.AUTHENTICATION)),
            master_key=found(self.master_key, lambda each: each.key(KeyKind.MASTER)),
            signing_key=found(self.signing_key, Reference.signer),
            peer_signing_key=found(self.peer_signing_key, Reference.public_key),
            certificate=found(self.certificate, Reference.certificate),
            agreement_key=found(self.agreement_key, Reference.agreer),
            peer_agreement_key=found(self.peer_agreement_key, Reference.public_key),
            system_title=self.client_system_title or None,
            meter_title=self.meter_system_title or None,
            dedicated=self.dedicated_key,
            envelope=self.envelope or None,
            key_info=self.key_info or None,
            counter_object=self.counter_object or None,
            user=self.user,
            naming=self.type.lower(),
            dialect=dialect_of(*self.dialect.split("/", 1)) if self.dialect else STANDARD,
            counters=counters,
            permitted=self.permitted,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Iec21Parameters(LineParameters):
    """A device of IEC 62056-21. `serialnumber` "" calls any meter, by `/?!`; `t2` are milliseconds."""

    poll_delay_ms: int = 200
    serial_close_delay: int = 400
    serialnumber: str = "1"
    type: str = "C"
    t2: int = 300
    meter_model: int = 1
    password: Reference | None = None

    def url(self) -> ConnectionUrl:
        """Return where the device is. Raises ConfigurationError."""
        serial = {} if self.over_tcp else {"baud": self.baudrate, "format": self.character_format}
        return ConnectionUrl(**self.place_of("iec21", **serial), mode=self.type, address=self.serialnumber or None)

    def secret(self) -> Secret | None:
        """Return the password of programming mode, as the reference leads to it now. Raises ConfigurationError."""
        return None if self.password is None else self.password.password()


@dataclass(frozen=True, slots=True, kw_only=True)
class ElgamaParameters(LineParameters):
    """A meter of Elgama: `meter_model` 0 and 1 speak a byte protocol (EXPERIMENTAL), 2 and 3 DLMS by short names.

    `use_time` 1 takes the time of the meter for its values, 0 that of the system.
    """

    id: int
    meter_model: int
    serial_close_delay: int = 400
    use_time: int = 0
    password: Reference | None = None
    client_address: int | None = None

    @property
    def by_short_names(self) -> bool:
        """Whether the meter speaks DLMS: a GAMA."""
        return models.NUMBERS[str(self.meter_model)].startswith("gama")

    def url(self) -> ConnectionUrl:
        """Return where the device is. Raises ConfigurationError; naming the model was the consent to an experiment."""
        serial = {} if self.over_tcp else {"baud": self.baudrate, "format": self.character_format}
        if not self.by_short_names:
            model = models.named(str(self.meter_model), experimental=True)
            place = self.place_of("elgama", **serial)
            return ConnectionUrl(**place, model=model.word, serial=self.id, experimental="yes")
        usual = gama.PUBLIC_CLIENT if self.password is None else gama.CLIENT
        return ConnectionUrl(
            **self.place_of("hdlc", **serial),
            client=usual if self.client_address is None else self.client_address,
            server=gama.LOGICAL_DEVICE,
            physical=gama.lower_address(self.id),
            address_size=gama.ADDRESS_SIZE,
            information=gama.MAXIMUM_INFORMATION,
        )

    def access(self) -> Access:
        """Return how a GAMA is entered. Raises ConfigurationError."""
        if self.password is None:
            return access(auth="none", naming="sn")
        return access(auth="low", password=self.password.password(), naming="sn")

    def secret(self) -> Secret | None:
        """Return the password of the byte protocol. Raises ConfigurationError."""
        return None if self.password is None else self.password.password()


Parameters: TypeAlias = DlmsParameters | Iec21Parameters | ElgamaParameters
