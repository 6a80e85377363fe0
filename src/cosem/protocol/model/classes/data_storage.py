"""Interface classes for parameters and measurement data (IEC 62056-6-2): data, registers, profiles, tables, status."""

from __future__ import annotations

from typing import Final

from cosem.protocol.model.declare import BufferAttribute, InterfaceClass, attribute, method
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.shape import (
    ANY,
    Enumeration,
    Integer8,
    Unsigned8,
    Unsigned16,
    array,
    or_any,
    structure,
)
from cosem.protocol.values.data import (
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    OctetString,
    Unsigned,
)
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit


@structure
class ScalerUnit:
    """The exponent to the base of 10 and the unit of a value: quantity = value × 10^scaler unit."""

    scaler: Integer8
    unit: Unit


@structure
class ObjectDefinition:
    """One object, named by class and logical name."""

    class_id: Unsigned16
    logical_name: Obis


@structure
class RegisterActivationMask:
    """A named set of registers, given by their places in the register assignment."""

    mask_name: bytes
    index_list: tuple[Unsigned8, ...]


class SortMethod(Enumeration):
    """How a profile orders its buffer, and which entry goes when it is full."""

    FIRST_IN_FIRST_OUT = 1
    LAST_IN_FIRST_OUT = 2
    LARGEST = 3
    SMALLEST = 4
    NEAREST_TO_ZERO = 5
    FAREST_FROM_ZERO = 6


class Data(InterfaceClass, class_id=1, version=0):
    """Holds one value of any type, such as a parameter or an identification. (class_id 1)"""

    value = attribute(2, ANY)


class Register(InterfaceClass, class_id=3, version=0):
    """Holds one value with its scaler and unit. (class_id 3)"""

    value = attribute(2, ANY)
    scaler_unit = attribute(3, ScalerUnit, static=True, writable=False)
    reset = method(1, Integer, sn=0x28)


class ExtendedRegister(InterfaceClass, class_id=4, version=0):
    """Holds one value with its scaler and unit, a status, and the time when it was captured. (class_id 4)"""

    value = attribute(2, ANY)
    scaler_unit = attribute(3, ScalerUnit, static=True, writable=False)
    status = attribute(4, ANY)
    capture_time = attribute(5, DateTime)
    reset = method(1, Integer, sn=0x38)


class DemandRegister(InterfaceClass, class_id=5, version=0):
    """Holds the current and the last average of a value over a block or sliding period. (class_id 5)"""

    current_average_value = attribute(2, ANY)
    last_average_value = attribute(3, ANY)
    scaler_unit = attribute(4, ScalerUnit, static=True, writable=False)
    status = attribute(5, ANY)
    capture_time = attribute(6, DateTime)
    start_time_current = attribute(7, DateTime)
    period = attribute(8, DoubleLongUnsigned, static=True, unit=Unit.SECOND)
    number_of_periods = attribute(9, LongUnsigned, static=True, writable=False)
    reset = method(1, Integer, sn=0x48)
    next_period = method(2, Integer, sn=0x50)


class RegisterActivation(InterfaceClass, class_id=6, version=0):
    """Holds which registers count under which tariff mask, and the mask that is active. (class_id 6)"""

    register_assignment = attribute(2, array(ObjectDefinition), static=True)
    mask_list = attribute(3, array(RegisterActivationMask), static=True)
    active_mask = attribute(4, OctetString)
    add_register = method(1, ObjectDefinition, sn=0x30)
    add_mask = method(2, RegisterActivationMask, sn=0x38)
    delete_mask = method(3, OctetString, sn=0x40)


class ProfileGenericCommon(InterfaceClass):
    """What all versions of Profile generic have in common."""

    buffer = BufferAttribute(2)
    capture_objects = attribute(3, array(CaptureObject), static=True)
    capture_period = attribute(4, DoubleLongUnsigned, static=True, unit=Unit.SECOND)
    sort_method = attribute(5, SortMethod, static=True)
    sort_object = attribute(6, CaptureObject, static=True)
    entries_in_use = attribute(7, DoubleLongUnsigned)
    profile_entries = attribute(8, DoubleLongUnsigned, static=True, writable=False)
    reset = method(1, Integer, sn=0x58)
    capture = method(2, Integer, sn=0x60)


class ProfileGenericVersion0(ProfileGenericCommon, class_id=7, version=0):
    """Holds rows of captured values, which methods as well as selective access give in part. (class_id 7)"""

    get_buffer_by_range = method(3, ANY, ANY, sn=0x68)
    get_buffer_by_index = method(4, ANY, ANY, sn=0x70)


class ProfileGeneric(ProfileGenericCommon, class_id=7, version=1):
    """Holds rows of captured values, such as a load profile or an event log. (class_id 7)"""


class UtilityTables(InterfaceClass, class_id=26, version=0):
    """Holds a table of ANSI C12.19, by its number, as octets. (class_id 26)"""

    table_id = attribute(2, LongUnsigned, static=True)
    length = attribute(3, DoubleLongUnsigned, static=True, writable=False)
    buffer = attribute(4, OctetString)


@structure
class TableCellDefinition:
    """An attribute of the objects whose logical names differ in group E alone, and the values of E that there are."""

    class_id: Unsigned16
    logical_name: Obis
    group_e_values: tuple[Unsigned8, ...]
    attribute_index: Integer8


class RegisterTable(InterfaceClass, class_id=61, version=0):
    """Holds one attribute of many like objects as a table, with one scaler and unit for all. (class_id 61)"""

    table_cell_values = attribute(2, or_any(array(ANY)))
    table_cell_definition = attribute(3, TableCellDefinition, static=True)
    scaler_unit = attribute(4, ScalerUnit, static=True, writable=False)
    reset = method(1, Integer, sn=0x28)
    capture = method(2, Integer, sn=0x30)


class CaptureMethod(Enumeration):
    """When the attributes are captured: when `capture` is run, or whenever the buffer is read."""

    INVOKE = 0
    IMPLICIT = 1


class CompactDataCommon(InterfaceClass):
    """What all versions of Compact data have in common."""

    compact_buffer = attribute(2, OctetString)
    template_id = attribute(4, Unsigned, static=True)
    template_description = attribute(5, OctetString)
    capture_method = attribute(6, CaptureMethod, static=True)
    reset = method(1, Integer)
    capture = method(2, Integer)


class CompactDataVersion0(CompactDataCommon, class_id=62, version=0):
    """Holds captured values without their types, which a template describes. (class_id 62)"""

    capture_objects = attribute(3, array(CaptureObject), static=True)


class CompactData(CompactDataCommon, class_id=62, version=1):
    """As version 0, with selective access to captured buffers. (class_id 62)"""

    capture_objects = attribute(3, array(or_any(CaptureObject)), static=True)


@structure
class MappingTable:
    """Which entries of a reference table the bits of a status word mean: the first of all, or one for each bit."""

    ref_table_id: Unsigned8
    ref_table_mapping: Unsigned16 | tuple[Unsigned16, ...]


class StatusMapping(InterfaceClass, class_id=63, version=0):
    """Holds a status word, and which entries of a reference table its bits mean. (class_id 63)"""

    status_word = attribute(2, ANY)
    mapping_table = attribute(3, MappingTable, static=True)


class MeasurementDataMonitoring(InterfaceClass, class_id=66, version=0):
    """Holds the samples of one quantity around a trigger. (class_id 66)"""

    waveform_data = attribute(2, ANY)
    trigger_time = attribute(3, ANY)
    trigger_source = attribute(4, ANY)
    status = attribute(5, ANY)
    sampling_rate = attribute(6, ANY, static=True)
    number_of_samples_before_trigger = attribute(7, ANY, static=True)
    number_of_samples_after_trigger = attribute(8, ANY, static=True)
    scaler_unit = attribute(9, ANY, static=True, writable=False)
    reset = method(1, ANY, ANY)
    trigger = method(2, ANY, ANY)


_SCALED: Final[dict[tuple[int, int], type[Register | ExtendedRegister | DemandRegister]]] = {
    (Register.class_id, Register.value.index): Register,
    (ExtendedRegister.class_id, ExtendedRegister.value.index): ExtendedRegister,
    (DemandRegister.class_id, DemandRegister.current_average_value.index): DemandRegister,
    (DemandRegister.class_id, DemandRegister.last_average_value.index): DemandRegister,
}
"""The attributes whose values have a scaler and unit beside them."""


def scaler_unit_of(class_id: int, instance: Obis, index: int) -> AttributeRef[ScalerUnit] | None:
    """Return where the scaler and unit of an attribute's value are; None for attributes that have none."""
    kind = _SCALED.get((class_id, index))
    return None if kind is None else kind(instance).scaler_unit
