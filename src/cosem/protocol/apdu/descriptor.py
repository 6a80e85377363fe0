"""What a request points at: attributes, methods and a selection within an attribute (IEC 62056-5-3)."""

from __future__ import annotations

from typing import Final

from cosem.protocol.codec.schema import I8, U8, U16, DataField, Wire, wire
from cosem.protocol.values.obis import Obis

ATTRIBUTE_0: Final = 0
"""The attribute that stands for all attributes of an object at once, in a structure in the order of their numbers.

What may not be read is null-data in it, and null-data leaves as it is what need not be written.
"""


@wire()
class AttributeDescriptor(Wire):
    """Cosem-Attribute-Descriptor: the attribute of an object; ATTRIBUTE_0 stands for all of them."""

    class_id: U16
    instance_id: Obis
    attribute_id: I8


@wire()
class MethodDescriptor(Wire):
    """Cosem-Method-Descriptor: the method of an object."""

    class_id: U16
    instance_id: Obis
    method_id: I8


@wire()
class SelectiveAccess(Wire):
    """Selective-Access-Descriptor: a part of an attribute, as its interface class defines it."""

    selector: U8
    parameters: DataField


@wire()
class AttributeDescriptorWithSelection(Wire):
    """Cosem-Attribute-Descriptor-With-Selection: an item of a list of attributes."""

    attribute: AttributeDescriptor
    access_selection: SelectiveAccess | None = None
