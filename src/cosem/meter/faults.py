"""What a misbehaving meter does wrong, as data: faults of its line, of itself, and deviations from the standard."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from cosem.errors import ConfigurationError
from cosem.meter.associations import AssociationDescription
from cosem.protocol.crypto.key import Key
from cosem.protocol.dialect import Dialect
from cosem.protocol.link.hdlc.settings import Tolerance
from cosem.protocol.model.table import Table, tables_of

Chance: TypeAlias = random.Random
"""What befalls one meter is drawn from, the same again from the same seed."""

DEVIATIONS: Final = frozenset(field.name for field in fields(Dialect)) - {"link"}
"""The fields of `Dialect` that are switches: what a client may put up with, a meter can be made to do."""

LINK_DEVIATIONS: Final = frozenset(str(each.name) for each in Tolerance if each)
"""What the tolerances of HDLC are for."""

IN_PROTECTION: Final = frozenset({"fields_in_tag", "content_length_signed", "ephemeral_key_signed_with_scheme"})
"""Deviations of how messages are protected: they are those of the association, not of single messages."""

OF_PROTECTION: Final = IN_PROTECTION | {"any_transaction_id", "empty_system_title"}
"""Deviations that only protected messages can have."""

OF_IMAGES: Final = (
    *("block_loss", "verification_fails", "activation_fails"),
    *("verification_time", "activation_time", "activation_restarts"),
)
"""What goes wrong with firmware images."""

LONGEST: Final = 3600.0
"""Seconds that anything may be held up."""

_ODDS: Final = ("loss", "duplication", "damage", "truncation", "reset", "late", "reflection")
"""Odds of what happens to answers."""

OF_LINE: Final = (*_ODDS, "late_by", "latency", "jitter", "reboot_after")
"""Fields of `Faults` that are of any line, whatever is spoken there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Everything that a meter does wrong; the defaults do nothing wrong.

    Attributes:
        seed: where chance begins: the same faults befall the same conversations in the same order.
        latency: seconds before each answer; `jitter` is the most that chance adds.
        loss, duplication, damage, truncation: odds from 0 to 1 that an answer is lost, comes twice, with one bit turned
            over, or without its end.
        reset: odds that the connection breaks instead of an answer.
        late: odds that an answer comes `late_by` seconds late, when nobody waits for it any more.
        reflection: odds that what a client sends comes back to it before it is answered.
        reboot_after: after so many answers on one connection the meter restarts: that answer and all connections are
            lost, in the middle of a transfer too, and it notes and, when it has started up, pushes that it has power;
            0 never does.
        clock_drift: seconds a day by which the clock gains, or loses where negative.
        counter_back: by how much the invocation counter of what the meter sends falls back with each association.
            Counters that are used twice give a key away: temporary keys only, and demo keys, which everybody has.
        block_loss: odds that a block of a firmware image gets lost in the meter, which says that it has arrived.
        verification_fails, activation_fails: no image is found right, or can be activated.
        verification_time, activation_time: seconds by the meter's clock that it takes over that; meanwhile it answers
            temporary-failure, and the outcome is in the status.
        activation_restarts: the meter restarts when it activates an image: the answer and all connections are lost.
        wrong_keys: the meter has other keys than it is described with.
        deviations: names of fields of `Dialect` and of tolerances of HDLC (`cosem.protocol.link.hdlc.Tolerance`):
            the meter does what those put up with.

    Raises:
        ConfigurationError: a number out of its range, or a deviation that there is not.
    """

    seed: int = 0
    latency: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0
    damage: float = 0.0
    truncation: float = 0.0
    reset: float = 0.0
    late: float = 0.0
    late_by: float = 30.0
    reflection: float = 0.0
    reboot_after: int = 0
    clock_drift: float = 0.0
    counter_back: int = 0
    block_loss: float = 0.0
    verification_fails: bool = False
    activation_fails: bool = False
    verification_time: float = 0.0
    activation_time: float = 0.0
    activation_restarts: bool = False
    wrong_keys: bool = False
    deviations: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in (*_ODDS, "block_loss"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"{name}: expected odds from 0 to 1, not {getattr(self, name)}")
        for name in ("latency", "jitter", "late_by", "verification_time", "activation_time"):
            if not 0 <= getattr(self, name) <= LONGEST:
                raise ConfigurationError(f"{name}: expected 0 to {LONGEST:g} seconds, not {getattr(self, name)}")
        for name in ("reboot_after", "counter_back"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"{name}: expected 0 or more, not {getattr(self, name)}")
        if not abs(self.clock_drift) < 86_400:
            raise ConfigurationError(f"clock_drift: expected less than a day a day, not {self.clock_drift} seconds")
        unknown = self.deviations - DEVIATIONS - LINK_DEVIATIONS
        if unknown:
            known = ", ".join(sorted(DEVIATIONS) + sorted(LINK_DEVIATIONS))
            raise ConfigurationError(f"there is no deviation {', '.join(sorted(unknown))}; there are {known}")

    @property
    def of_line(self) -> bool:
        """Whether anything happens to octets on their way."""
        return self is not WELL_BEHAVED and any(
            (
                self.latency,
                self.jitter,
                self.reboot_after,
                self.activation_restarts,
                *(getattr(self, name) for name in _ODDS),
            )
        )

    @property
    def named(self) -> tuple[str, ...]:
        """The names of the fields that differ from those of a meter that does nothing wrong, then the deviations."""
        others = (field.name for field in fields(Faults) if field.name != "deviations")
        return (
            *(name for name in others if getattr(self, name) != getattr(WELL_BEHAVED, name)),
            *sorted(self.deviations),
        )

    @property
    def by_chance(self) -> bool:
        """Whether anything goes wrong by chance, which the seed decides."""
        return any(getattr(self, name) for name in (*_ODDS, "jitter", "block_loss"))

    @property
    def alone(self) -> tuple[tuple[str, str], ...]:
        """The fields that do nothing without others, which are not there, with why and what to try."""
        idle = {
            "seed": None if self.by_chance else "nothing goes wrong by chance; say the odds of something, as loss=0.1",
            "late_by": None if self.late else "no answer comes late; say how many do, as late=0.1",
        }
        return tuple((name, why) for name, why in idle.items() if why is not None and name in self.named)

    def chance(self) -> Chance:
        """Return the source of chance of one meter."""
        return Chance(self.seed)  # chance that can be repeated is the point

    def loses(self, what: str) -> bool:
        """Tell whether a block of an image gets lost; the same of the same words."""
        return self.block_loss > 0 and random.Random(f"{self.seed} {what}").random() < self.block_loss  # noqa: S311

    def clock(self, clock: Callable[[], datetime]) -> Callable[[], datetime]:
        """Return a clock that drifts, right at the moment it is made; the same clock where it does not."""
        return DriftingClock(clock, self.clock_drift) if self.clock_drift else clock

    def described(self, association: AssociationDescription) -> AssociationDescription:
        """Return an association as this meter really has it; ConfigurationError where that gives away lasting keys."""
        keys = association.keys
        if keys is None or self is WELL_BEHAVED:
            return association
        if self.counter_back and not (keys.temporary or keys.demonstration):
            raise ConfigurationError("counter_back uses invocation counters twice: it takes temporary or demo keys")
        if self.wrong_keys:
            keys = replace(keys, encryption=_other(keys.encryption), authentication=_other(keys.authentication))
        switched: dict[str, Any] = dict.fromkeys(self.deviations & IN_PROTECTION, True)
        return replace(association, keys=keys, dialect=replace(association.dialect, **switched))


class DriftingClock:
    """A clock that gains so many seconds a day, or loses them, since it `begun` by the true time."""

    __slots__ = ("_clock", "_rate", "begun")

    def __init__(self, clock: Callable[[], datetime], drift: float) -> None:
        self._clock = clock
        self._rate = drift / 86_400
        self.begun = clock().astimezone(UTC)

    def __call__(self) -> datetime:
        """Return the time that it shows."""
        now = self._clock()
        return now + timedelta(seconds=(now.astimezone(UTC) - self.begun).total_seconds() * self._rate)


WELL_BEHAVED: Final = Faults()


NAMES: Final = tuple(field.name for field in fields(Faults))
_DEVIATIONS: Final = "deviations"


def read(table: Table) -> Faults:
    """Return the faults that a table of TOML describes, by the names of `Faults`; `deviations` is a list of names."""
    given = {name: value_of(table, name) for name in NAMES if name in table}
    table.finish()
    return Faults(**given)


def value_of(table: Table, name: str) -> Any:
    """Return what a table says of one field of `Faults`. Raises ConfigurationError with the table and the key."""
    if name == _DEVIATIONS:
        value: Any = frozenset(str(each) for each in table.sequence(name))
    else:
        value = _READ[type(getattr(WELL_BEHAVED, name))](table, name)
    alone: dict[str, Any] = {name: value}
    table.guarded(lambda: Faults(**alone), name if name == _DEVIATIONS else "")  # the others name themselves
    return value


def of_words(words: Iterable[str]) -> Faults:
    """Return the faults of words such as `loss=0.1` and `deviation=any_invoke_id`; ConfigurationError for another."""
    deviations: list[str] = []
    content: dict[str, Any] = {_DEVIATIONS: deviations}
    for word in words:
        name, _, value = word.partition("=")
        if name == "deviation":
            deviations.append(value)
        else:
            content |= _of_word(name, value)
    return read(Table("faults", "", content))


def _of_word(name: str, value: str) -> dict[str, Any]:
    try:
        found = tables_of(f"{name} = {value}", "")
    except ConfigurationError:
        found = {}
    if not found or _DEVIATIONS in found:  # those have a word each
        raise ConfigurationError(f"'{name}={value}' is no fault: write one such as loss=0.1 or deviation=any_invoke_id")
    return found


def words(faults: Faults) -> tuple[str, ...]:
    """Return the words of which `of_words` makes these faults; none of a meter that behaves well."""
    told: list[str] = []
    for name in NAMES:
        value = getattr(faults, name)
        if name == _DEVIATIONS:
            told += (f"deviation={each}" for each in sorted(value))
        elif value != getattr(WELL_BEHAVED, name):
            told.append(f"{name}={str(value).lower()}")
    return tuple(told)


_READ: Final[dict[type, Callable[[Table, str], object]]] = {
    float: lambda table, key: table.number(key),
    int: lambda table, key: table.integer(key),
    bool: lambda table, key: table.boolean(key, default=False),
}


def _other(key: Key) -> Key:
    """Return a key that differs in every octet."""
    return Key(bytes(octet ^ 0xFF for octet in key.reveal()))
