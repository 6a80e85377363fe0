"""The COSEM object model: interface classes as typed addresses, their shapes, selections, rights and names."""

from __future__ import annotations

from cosem.protocol.model.classes.access_control import (
    AssociationLN,
    AssociationSN,
    ImageTransfer,
    SapAssignment,
    SecuritySetup,
)
from cosem.protocol.model.classes.data_storage import (
    Data,
    DemandRegister,
    ExtendedRegister,
    ProfileGeneric,
    Register,
    RegisterActivation,
    ScalerUnit,
)
from cosem.protocol.model.classes.push import PushSetup
from cosem.protocol.model.classes.time_and_event import (
    ActivityCalendar,
    Clock,
    DisconnectControl,
    RegisterMonitor,
    Schedule,
    ScriptTable,
    SingleActionSchedule,
    SpecialDaysTable,
)
from cosem.protocol.model.declare import REGISTRY, InterfaceClass, UnknownClass, declared, latest, object_for
from cosem.protocol.model.reference import AttributeRef, BufferRef, MethodRef, Reference, parse_reference
from cosem.protocol.model.rights import AttributeAccess, MethodAccess, ObjectListElement
from cosem.protocol.model.selection import CLOCK_TIME, CaptureObject, EntrySelection, RangeSelection, Selection

__all__ = [
    "CLOCK_TIME",
    "REGISTRY",
    "ActivityCalendar",
    "AssociationLN",
    "AssociationSN",
    "AttributeAccess",
    "AttributeRef",
    "BufferRef",
    "CaptureObject",
    "Clock",
    "Data",
    "DemandRegister",
    "DisconnectControl",
    "EntrySelection",
    "ExtendedRegister",
    "ImageTransfer",
    "InterfaceClass",
    "MethodAccess",
    "MethodRef",
    "ObjectListElement",
    "ProfileGeneric",
    "PushSetup",
    "RangeSelection",
    "Reference",
    "Register",
    "RegisterActivation",
    "RegisterMonitor",
    "SapAssignment",
    "ScalerUnit",
    "Schedule",
    "ScriptTable",
    "SecuritySetup",
    "Selection",
    "SingleActionSchedule",
    "SpecialDaysTable",
    "UnknownClass",
    "declared",
    "latest",
    "object_for",
    "parse_reference",
]
