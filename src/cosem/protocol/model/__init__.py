"""The COSEM object model: interface classes as typed addresses, their shapes, selections, rights and names."""

from __future__ import annotations

from cosem.protocol.model.classes.access_control import AssociationLN
from cosem.protocol.model.classes.data_storage import (
    Data,
    DemandRegister,
    ExtendedRegister,
    ProfileGeneric,
    Register,
    RegisterActivation,
    ScalerUnit,
)
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.declare import REGISTRY, InterfaceClass, UnknownClass, declared, latest, object_for
from cosem.protocol.model.reference import AttributeRef, BufferRef, MethodRef, Reference, parse_reference
from cosem.protocol.model.selection import CLOCK_TIME, CaptureObject, EntrySelection, RangeSelection, Selection

__all__ = [
    "CLOCK_TIME",
    "REGISTRY",
    "AssociationLN",
    "AttributeRef",
    "BufferRef",
    "CaptureObject",
    "Clock",
    "Data",
    "DemandRegister",
    "EntrySelection",
    "ExtendedRegister",
    "InterfaceClass",
    "MethodRef",
    "ProfileGeneric",
    "RangeSelection",
    "Reference",
    "Register",
    "RegisterActivation",
    "ScalerUnit",
    "Selection",
    "UnknownClass",
    "declared",
    "latest",
    "object_for",
    "parse_reference",
]
