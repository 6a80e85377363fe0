"""Interface classes for time- and event-bound control (IEC 62056-6-2): clock, scripts, calendars, limits, breakers."""

from __future__ import annotations

from cosem.protocol.model.classes.data_storage import ScalerUnit
from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import (
    ANY,
    Bits,
    Enumeration,
    Integer8,
    Unsigned8,
    Unsigned16,
    Unsigned32,
    array,
    flags,
    structure,
)
from cosem.protocol.values.data import (
    BitString,
    Data,
    DoubleLongUnsigned,
    Enumerated,
    Integer,
    Long,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
)
from cosem.protocol.values.dates import ClockStatus, Date, DateTime, Time
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit


class ClockBase(Enumeration):
    """What the clock takes its time from."""

    NOT_DEFINED = 0
    INTERNAL_CRYSTAL = 1
    MAINS_FREQUENCY_50_HZ = 2
    MAINS_FREQUENCY_60_HZ = 3
    GLOBAL_POSITIONING_SYSTEM = 4
    RADIO_CONTROLLED = 5


@structure
class PresetTime:
    """A time to set later, and the interval in which it may be set."""

    preset_time: DateTime
    validity_interval_start: DateTime
    validity_interval_end: DateTime


class Clock(InterfaceClass, class_id=8, version=0, instance="0.0.1.0.0.255"):
    """Holds date, time, the deviation from UTC and the rules of daylight saving. (class_id 8)"""

    time = attribute(2, DateTime, writable=True)
    time_zone = attribute(3, Long, static=True, unit=Unit.MINUTE)
    status = attribute(4, flags(ClockStatus, Unsigned))
    daylight_savings_begin = attribute(5, DateTime, static=True)
    daylight_savings_end = attribute(6, DateTime, static=True)
    daylight_savings_deviation = attribute(7, Integer, static=True, unit=Unit.MINUTE)
    daylight_savings_enabled = attribute(8, bool, static=True)
    clock_base = attribute(9, ClockBase, static=True)
    adjust_to_quarter = method(1, Integer, sn=0x60)
    adjust_to_measuring_period = method(2, Integer, sn=0x68)
    adjust_to_minute = method(3, Integer, sn=0x70)
    adjust_to_preset_time = method(4, Integer, sn=0x78)
    preset_adjusting_time = method(5, PresetTime, sn=0x80)
    shift_time = method(6, Long, sn=0x88)


class ServiceId(Enumeration):
    """What a script does with the attribute or method it names."""

    WRITE_ATTRIBUTE = 1
    EXECUTE_METHOD = 2


@structure
class ActionSpecification:
    """One step of a script: the attribute to write or the method to run, with the value or argument."""

    service_id: ServiceId
    class_id: Unsigned16
    logical_name: Obis
    index: Integer8
    parameter: Data


@structure
class Script:
    """One script, by its number; number 0 does nothing."""

    script_identifier: Unsigned16
    actions: tuple[ActionSpecification, ...]


class ScriptTable(InterfaceClass, class_id=9, version=0):
    """Holds scripts: lists of attributes to write and methods to run. (class_id 9)"""

    scripts = attribute(2, array(Script), static=True)
    execute = method(1, LongUnsigned, sn=0x20)


@structure
class ScheduleTableEntry:
    """A script to run at a time of day, on some days of the week and special days, between two dates."""

    index: Unsigned16
    enable: bool
    script_logical_name: Obis
    script_selector: Unsigned16
    switch_time: Time
    validity_window: Unsigned16
    exec_weekdays: Bits
    exec_specdays: Bits
    begin_date: Date
    end_date: Date


@structure
class EnableDisable:
    """The entries to disable (A) and then those to enable (B), each by its first and last index."""

    first_index_a: Unsigned16
    last_index_a: Unsigned16
    first_index_b: Unsigned16
    last_index_b: Unsigned16


@structure
class IndexRange:
    """The entries from a first to a last index."""

    first_index: Unsigned16
    last_index: Unsigned16


class Schedule(InterfaceClass, class_id=10, version=0):
    """Holds scripts to run at times of day, by day of the week and special day. (class_id 10)"""

    entries = attribute(2, array(ScheduleTableEntry), static=True)
    enable_disable = method(1, EnableDisable)
    insert = method(2, ScheduleTableEntry)
    delete = method(3, IndexRange)


@structure
class SpecialDay:
    """A date, possibly with open fields, and the day profile that it gets."""

    index: Unsigned16
    specialday_date: Date
    day_id: Unsigned8


class SpecialDaysTable(InterfaceClass, class_id=11, version=0):
    """Holds dates on which another day profile applies than the calendar says. (class_id 11)"""

    entries = attribute(2, array(SpecialDay), static=True)
    insert = method(1, SpecialDay, sn=0x10)
    delete = method(2, LongUnsigned, sn=0x18)


@structure
class Season:
    """A season: when it begins, and the week profile that then applies."""

    season_profile_name: bytes
    season_start: DateTime
    week_name: bytes


@structure
class WeekProfile:
    """The day profile of each day of a week."""

    week_profile_name: bytes
    monday: Unsigned8
    tuesday: Unsigned8
    wednesday: Unsigned8
    thursday: Unsigned8
    friday: Unsigned8
    saturday: Unsigned8
    sunday: Unsigned8


@structure
class DayProfileAction:
    """A script to run at a time of day."""

    start_time: Time
    script_logical_name: Obis
    script_selector: Unsigned16


@structure
class DayProfile:
    """What happens in the course of a day."""

    day_id: Unsigned8
    day_schedule: tuple[DayProfileAction, ...]


class ActivityCalendar(InterfaceClass, class_id=20, version=0, instance="0.0.13.0.0.255"):
    """Holds seasons, weeks and day profiles, those in force and those that follow. (class_id 20)"""

    calendar_name_active = attribute(2, OctetString, static=True)
    season_profile_active = attribute(3, array(Season), static=True)
    week_profile_table_active = attribute(4, array(WeekProfile), static=True)
    day_profile_table_active = attribute(5, array(DayProfile), static=True)
    calendar_name_passive = attribute(6, OctetString, static=True)
    season_profile_passive = attribute(7, array(Season), static=True)
    week_profile_table_passive = attribute(8, array(WeekProfile), static=True)
    day_profile_table_passive = attribute(9, array(DayProfile), static=True)
    activate_passive_calendar_time = attribute(10, DateTime, static=True)
    activate_passive_calendar = method(1, Integer, sn=0x50)


@structure
class ActionItem:
    """A script, by the table it is in and its number."""

    script_logical_name: Obis
    script_selector: Unsigned16


@structure
class ValueDefinition:
    """An attribute to watch."""

    class_id: Unsigned16
    logical_name: Obis
    attribute_index: Integer8


@structure
class ActionSet:
    """The scripts to run when a threshold is crossed upwards and downwards."""

    action_up: ActionItem
    action_down: ActionItem


class RegisterMonitor(InterfaceClass, class_id=21, version=0):
    """Holds thresholds for an attribute, and the scripts to run when its value crosses them. (class_id 21)"""

    thresholds = attribute(2, array(ANY), static=True)
    monitored_value = attribute(3, ValueDefinition, static=True)
    actions = attribute(4, array(ActionSet), static=True)


class SingleActionScheduleType(Enumeration):
    """Whether there is one execution time or several, and which fields of date and time may be open."""

    ONE_TIME_ANY_DATE = 1
    TIMES_ALIKE_NO_OPEN_DATE = 2
    TIMES_ALIKE_ANY_DATE = 3
    TIMES_DIFFERENT_NO_OPEN_DATE = 4
    TIMES_DIFFERENT_ANY_DATE = 5


@structure
class ExecutionTime:
    """One time and date at which a script runs; fields may be open."""

    time: Time
    date: Date


class SingleActionSchedule(InterfaceClass, class_id=22, version=0):
    """Holds a script and the times at which it runs. (class_id 22)"""

    executed_script = attribute(2, ActionItem, static=True)
    type = attribute(3, SingleActionScheduleType, static=True)
    execution_time = attribute(4, array(ExecutionTime), static=True)


class ControlState(Enumeration):
    """The state of a disconnect control object."""

    DISCONNECTED = 0
    CONNECTED = 1
    READY_FOR_RECONNECTION = 2


class ControlMode(Enumeration):
    """Which ways of disconnecting and reconnecting are open: remotely, by hand, by the meter itself."""

    ALWAYS_CONNECTED = 0
    MODE_1 = 1
    MODE_2 = 2
    MODE_3 = 3
    MODE_4 = 4
    MODE_5 = 5
    MODE_6 = 6
    MODE_7 = 7


class DisconnectControlCommon(InterfaceClass, instance="0.0.96.3.10.255"):
    """What all versions of Disconnect control have in common."""

    output_state = attribute(2, bool)
    control_state = attribute(3, ControlState)
    control_mode = attribute(4, ControlMode, static=True)
    remote_disconnect = method(1, Integer, sn=0x20)
    remote_reconnect = method(2, Integer, sn=0x28)


class DisconnectControlVersion0(DisconnectControlCommon, class_id=70, version=0):
    """Holds the state of a breaker or valve, in control modes 0 to 6. (class_id 70)"""


class DisconnectControl(DisconnectControlCommon, class_id=70, version=1):
    """Holds the state of a breaker or valve, in control modes 0 to 7. (class_id 70)"""


@structure
class EmergencyProfile:
    """An emergency: its group, when it begins, and for how many seconds it lasts."""

    emergency_profile_id: Unsigned16
    emergency_activation_time: DateTime
    emergency_duration: Unsigned32


@structure
class LimiterActions:
    """The scripts to run when the value has been over, and when it has been under the threshold for long enough."""

    action_over_threshold: ActionItem
    action_under_threshold: ActionItem


class Limiter(InterfaceClass, class_id=71, version=0):
    """Holds thresholds for an attribute, usual and in emergencies, and the scripts to run beyond them. (class_id 71)"""

    monitored_value = attribute(2, ValueDefinition, static=True)
    threshold_active = attribute(3, ANY)
    threshold_normal = attribute(4, ANY, static=True)
    threshold_emergency = attribute(5, ANY, static=True)
    min_over_threshold_duration = attribute(6, DoubleLongUnsigned, static=True, unit=Unit.SECOND)
    min_under_threshold_duration = attribute(7, DoubleLongUnsigned, static=True, unit=Unit.SECOND)
    emergency_profile = attribute(8, EmergencyProfile, static=True)
    emergency_profile_group_id_list = attribute(9, array(LongUnsigned), static=True)
    emergency_profile_active = attribute(10, bool)
    actions = attribute(11, LimiterActions, static=True)


@structure
class ParameterListElement:
    """An attribute whose changes are watched."""

    class_id: Unsigned16
    logical_name: Obis
    attribute_index: Integer8


@structure
class ChangedParameter:
    """The attribute that was changed last, with its new value."""

    class_id: Unsigned16
    logical_name: Obis
    attribute_index: Integer8
    attribute_value: Data


class ParameterMonitorCommon(InterfaceClass):
    """What all versions of Parameter monitor have in common."""

    changed_parameter = attribute(2, ChangedParameter)
    capture_time = attribute(3, DateTime)
    parameter_list = attribute(4, array(ParameterListElement), static=True)


class ParameterMonitorVersion0(ParameterMonitorCommon, class_id=65, version=0):
    """Holds which parameters are watched, and the one that was changed last. (class_id 65)"""

    add_parameter = method(1, ParameterListElement, sn=0x20)
    delete_parameter = method(2, ParameterListElement, sn=0x28)


class ParameterMonitor(ParameterMonitorCommon, class_id=65, version=1):
    """As version 0, with the values of all watched parameters and a digest of them. (class_id 65)"""

    parameter_list_name = attribute(5, OctetString, static=True)
    hash_algorithm_id = attribute(6, Enumerated, static=True)
    parameter_value_digest = attribute(7, OctetString)
    parameter_values = attribute(8, Structure)
    add_parameter = method(1, ParameterListElement)
    delete_parameter = method(2, ParameterListElement)


class SensorManager(InterfaceClass, class_id=67, version=0):
    """Holds what identifies a sensor, its raw and processed value, and thresholds for both. (class_id 67)"""

    serial_number = attribute(2, OctetString)
    metrological_identification = attribute(3, OctetString)
    output_type = attribute(4, Enumerated)
    adjustment_method = attribute(5, OctetString)
    sealing_method = attribute(6, Enumerated)
    raw_value = attribute(7, ANY)
    scaler_unit = attribute(8, ScalerUnit)
    status = attribute(9, ANY)
    capture_time = attribute(10, DateTime)
    raw_value_thresholds = attribute(11, array(ANY))
    raw_value_actions = attribute(12, array(ANY))
    processed_value = attribute(13, ANY)
    processed_value_thresholds = attribute(14, array(ANY))
    processed_value_actions = attribute(15, array(ANY))
    reset = method(1, ANY, sn=0x80)


@structure
class RequestAction:
    """The actions that an actor asks for, a bit for each, in the order of the actions."""

    request_actor: Unsigned8
    request_action_list: Bits


class Arbitrator(InterfaceClass, class_id=68, version=0):
    """Holds which of several actors may do what, and which of their requests has won. (class_id 68)"""

    actions = attribute(2, array(ActionItem), static=True)
    permissions_table = attribute(3, array(BitString), static=True)
    weightings_table = attribute(4, array(array(LongUnsigned)), static=True)
    most_recent_requests_table = attribute(5, array(BitString))
    last_outcome = attribute(6, Unsigned)
    request_action = method(1, RequestAction)
    reset = method(2, Integer)
