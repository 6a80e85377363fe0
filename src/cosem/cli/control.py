"""What a person does to running simulated meters: lines on the standard input move cover, seal, breaker and supply.

    cover open                          # of the only meter that has one
    KFM1020000000002 breaker off        # of the one that is called so
    help

What it came to, or why it could not be, is said on stderr, and what is done is kept where the meter has a state.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cosem.cli.report import say
from cosem.errors import ConfigurationError, CosemError
from cosem.meter.behaviour.disconnect_control import By, operate
from cosem.meter.device import Meter
from cosem.meter.item import Item, Refusal
from cosem.meter.logical_device import MANAGEMENT, LogicalDevice
from cosem.meter.metrology import Metrology
from cosem.protocol.model.classes.time_and_event import ControlState, DisconnectControl
from cosem.protocol.values.obis import Obis

LONGEST_LINE: Final = 1024
"""Octets of a line."""

STANDARD_INPUT: Final = 0
MOST_NAMES: Final = 8
"""How many names of meters are told at once."""

_LARGEST: Final = 4096
"""Octets taken at once."""


class Control:
    """Moves what a person can move at some meters, as the lines say."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._devices = [device for meter in meters for device in meter.devices.values()]
        self._names: dict[str, list[LogicalDevice]] = {}
        for device in self._devices:
            self._names.setdefault(device.name.casefold(), []).append(device)

    def act(self, line: str) -> str:
        """Do what a line says; return what came of it, nothing of an empty one.

        Raises ConfigurationError with the reason where there is no such thing to do, or it cannot be done.
        """
        words = line.split()
        if [word.casefold() for word in words] == ["help"]:
            return "\n".join(self._help())
        if not words:
            return ""
        for place in range(len(words) - 1):
            act = ACTS.get((words[place].casefold(), words[place + 1].casefold()))
            if act is not None:
                return self._done(act, " ".join(words[:place]), words[place + 2 :])
        raise ConfigurationError(f"there is no {line.strip()!r}: {_WHAT_THERE_IS}")

    def _done(self, act: Act, name: str, more: Sequence[str]) -> str:
        device = self._device(act.thing, name)
        if len(more) > act.thing.takes:
            raise ConfigurationError(f"what is {' '.join(more[act.thing.takes :])!r}? {_WHAT_THERE_IS}")
        if act.thing.powered and not device.meter.powered:
            raise ConfigurationError(f"{device.name} has no power: type supply on first")
        device.meter.settle()
        done = act.do(device, *more)
        device.meter.keep_state()
        return f"{device.name}: {done}"

    def _device(self, thing: Thing, name: str) -> LogicalDevice:
        """Return the logical device that is called so, or the only one that has such a thing."""
        named = self._names.get(name.casefold(), []) if name else self._devices
        if not named:
            raise ConfigurationError(f"nothing is called {name!r} here, but {_some(self._devices)}")
        having = [device for device in named if thing.of(device)]
        if not having:
            who = named[0].name if len(named) == 1 else "none of the meters here"
            raise ConfigurationError(f"{who}: {thing.lacking}")
        if len(having) > 1:
            raise ConfigurationError(f"put in front which one: {_some(having)}")
        return having[0]

    def _help(self) -> Iterator[str]:
        for act, (_, each) in zip(_COMMANDS, ACTS.items(), strict=True):
            yield f"{act:<20}{each.told}"
        yield f"{'help':<20}this"
        if len(self._devices) > 1:
            yield f"with the name of a meter in front, where several have one: {_some(self._devices)}"


def _some(devices: Sequence[LogicalDevice]) -> str:
    names = [device.name for device in devices]
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


# -- what can be moved -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Thing:
    """Something at a meter; `takes` is how many words may follow, `powered` whether it takes a meter with power."""

    of: Callable[[LogicalDevice], bool]
    lacking: str
    takes: int = 0
    powered: bool = True


@dataclass(frozen=True, slots=True)
class Act:
    """One way to move a thing: what it does, as help tells, and how."""

    thing: Thing
    told: str
    do: Callable[..., str]


def _metrology(device: LogicalDevice) -> Metrology:
    assert device.metrology is not None  # or it would not have been chosen
    return device.metrology


def _cover(off: bool) -> Callable[[LogicalDevice], str]:
    def move(device: LogicalDevice) -> str:
        _metrology(device).cover(off=off)
        return f"the cover is {'open' if off else 'closed'}"

    return move


def _seal(broken: bool) -> Callable[[LogicalDevice], str]:
    def move(device: LogicalDevice) -> str:
        _metrology(device).seal(broken=broken)
        return f"the seal is {'broken' if broken else 'whole'}"

    return move


def _supply(on: bool) -> Callable[[LogicalDevice], str]:
    def move(device: LogicalDevice) -> str:
        power = device.meter.power
        (power.up if on else power.down)()
        if on and not power.on:
            raise ConfigurationError(f"{device.name}: an outage of [[power]] goes on")
        return f"the supply is {'on' if on else 'off'}"

    return move


def _breaker(connect: bool) -> Callable[..., str]:
    wanted = "reconnection" if connect else "disconnection"

    def move(device: LogicalDevice, instance: str = "") -> str:
        item = _breaker_of(device, instance)
        visit, address = device.visit(), DisconnectControl(item.instance)
        try:
            moved = operate(visit, item, By.MANUAL, connect=connect)
        except Refusal:
            mode = int(device.value(address.control_mode))
            raise ConfigurationError(f"{item.instance}: control mode {mode} has no manual {wanted}") from None
        state = ControlState(device.value(address.control_state))
        if not moved and connect and state is ControlState.DISCONNECTED:
            raise ConfigurationError(f"{item.instance}: it was disconnected from afar, and not made ready since")
        return f"{item.instance} is {_SHOWN[state]}"

    return move


def _breaker_of(device: LogicalDevice, instance: str) -> Item:
    """Return the breaker of a code; without one the main one, or the only one."""
    breakers = list(_breakers(device))
    known = ", ".join(str(item.instance) for item in breakers)
    if instance:
        code = Obis(instance)
        found = next((item for item in breakers if item.instance == code), None)
        if found is None:
            raise ConfigurationError(f"{device.name}: there is no {code}, but {known}")
        return found
    wanted = breakers if len(breakers) == 1 else [item for item in breakers if not item.instance.octets[_CHANNEL]]
    if len(wanted) != 1:
        raise ConfigurationError(f"{device.name}: put behind it which one: {known}")
    return wanted[0]


def _breakers(device: LogicalDevice) -> Iterator[Item]:
    return (item for item in device.items() if item.class_id == DisconnectControl.class_id)


_CHANNEL: Final = 1
"""Where value group B is."""

_SHOWN: Final[Mapping[ControlState, str]] = {
    ControlState.DISCONNECTED: "off",
    ControlState.READY_FOR_RECONNECTION: "off, and ready to be switched on",
    ControlState.CONNECTED: "on",
}

_CASE: Final = Thing(
    lambda device: device.metrology is not None, "nothing looks after a cover and a seal there: describe [[metrology]]"
)
_BREAKER: Final = Thing(
    lambda device: next(_breakers(device), None) is not None, "there is no disconnect control (class 70)", takes=1
)
_SUPPLY: Final = Thing(lambda device: device.sap == MANAGEMENT, "the supply is that of the whole meter", powered=False)

ACTS: Final[Mapping[tuple[str, str], Act]] = MappingProxyType(
    {
        ("cover", "open"): Act(_CASE, "take the cover off", _cover(off=True)),
        ("cover", "close"): Act(_CASE, "put the cover on, which ends calibration mode", _cover(off=False)),
        ("seal", "break"): Act(_CASE, "break the seal", _seal(broken=True)),
        ("seal", "mend"): Act(_CASE, "put a new seal on, which ends calibration mode", _seal(broken=False)),
        ("breaker", "off"): Act(_BREAKER, "disconnect by hand, as far as the control mode has it", _breaker(False)),
        ("breaker", "on"): Act(_BREAKER, "reconnect by hand, where it is ready for that", _breaker(True)),
        ("supply", "off"): Act(_SUPPLY, "let the power fail", _supply(on=False)),
        ("supply", "on"): Act(_SUPPLY, "let the power come back", _supply(on=True)),
    }
)
"""What can be done, by its two words; a breaker may be named by its code behind them."""

_COMMANDS: Final = [f"{' '.join(words)}{' [OBIS]' * act.thing.takes}" for words, act in ACTS.items()]
_WHAT_THERE_IS: Final = f"there is {', '.join(_COMMANDS)} and help"


# -- where lines come from ---------------------------------------------------------------------------------------------


class Lines:
    """Cuts what comes into lines; None stands for one that is too long."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._too_long = False

    def feed(self, octets: bytes) -> Iterator[str | None]:
        """Return the lines that have come to their end; no octets are the end of everything."""
        *whole, rest = octets.split(b"\n")
        for each in whole:
            yield from self._end(each)
        if octets:
            self._take(rest)
        else:
            yield from self._end(b"")

    def _end(self, octets: bytes) -> Iterator[str | None]:
        self._take(octets)
        if self._too_long:
            yield None
        elif self._begun:
            yield self._begun.decode(errors="replace")
        self._begun.clear()
        self._too_long = False

    def _take(self, octets: bytes) -> None:
        if len(self._begun) + len(octets) > LONGEST_LINE:
            self._too_long = True
        else:
            self._begun += octets


def obey(control: Control, descriptor: int = STANDARD_INPUT) -> None:
    """Do from now on what the lines of a file descriptor say, until its end, in the event loop that runs.

    A thread waits for them, which does for terminals, pipes and files alike; it takes no more until all is done.
    """
    loop, lines = asyncio.get_running_loop(), Lines()

    def wait() -> None:
        octets, done = b" ", threading.Event()
        while octets:
            try:
                octets = os.read(descriptor, _LARGEST)
            except OSError:
                octets = b""  # a terminal that is gone
            done.clear()
            try:
                loop.call_soon_threadsafe(take, octets, done)
            except RuntimeError:
                return  # the loop has ended
            done.wait()

    def take(octets: bytes, done: threading.Event) -> None:
        try:
            for line in lines.feed(octets):
                _tell(control, line)
        finally:
            done.set()

    threading.Thread(target=wait, name="control", daemon=True).start()


def _tell(control: Control, line: str | None) -> None:
    if line is None:
        say(f"error: a line has at most {LONGEST_LINE} octets")
        return
    try:
        for each in control.act(line).splitlines():
            say(each)
    except CosemError as error:
        say(f"error: {error}")
