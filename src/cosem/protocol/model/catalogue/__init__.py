"""Names of OBIS codes: what a code means, which class it has as a rule, and its usual unit (IEC 62056-6-1).

The rules are data, one file for each medium: objects by pattern, then what is measured by the value groups (quantity by
C, processing by D, tariff or another classification by E, billing period by F). A code that no rule knows gets a
generic name that says who may give it a meaning.
"""

from __future__ import annotations

from typing import Any

from cosem.errors import ConfigurationError
from cosem.protocol.model.catalogue.explain import Explanation, Meaning, explain
from cosem.protocol.model.catalogue.naming import Entry, Scope, lookup
from cosem.protocol.model.catalogue.patterns import NamedPattern, patterns
from cosem.protocol.model.catalogue.search import Found, search
from cosem.protocol.model.declare import InterfaceClass, object_for
from cosem.protocol.model.reference import AttributeRef, MethodRef, Reference

__all__ = [
    "Entry",
    "Explanation",
    "Found",
    "Meaning",
    "NamedPattern",
    "Scope",
    "explain",
    "lookup",
    "patterns",
    "resolve",
    "resolve_method",
    "resolve_object",
    "search",
]


def resolve_object(reference: Reference, class_id: int | None = None, version: int | None = None) -> InterfaceClass:
    """Return the object of a reference; its class is the reference's, else `class_id`, else the catalogue's."""
    number = reference.class_id if reference.class_id is not None else class_id
    return object_for(lookup(reference.instance).class_id if number is None else number, version, reference.instance)


def resolve(reference: Reference, class_id: int | None = None, version: int | None = None) -> AttributeRef[Any]:
    """Return the attribute that a person meant; attribute 2 when they did not say which.

    `class_id` and `version` are what the meter's object list says, when it was read. Raises ConfigurationError for a
    name that the class does not have.
    """
    member = 2 if reference.member is None else reference.member
    return resolve_object(reference, class_id, version).attribute(member)


def resolve_method(
    reference: Reference, class_id: int | None = None, version: int | None = None
) -> MethodRef[Any, Any]:
    """Return the method that a person meant; raises ConfigurationError when they did not say which."""
    if reference.member is None:
        raise ConfigurationError(f"{reference} names no method: write {reference}:1 or {reference}:NAME")
    return resolve_object(reference, class_id, version).method(reference.member)
