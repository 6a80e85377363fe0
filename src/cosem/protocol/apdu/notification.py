"""What a server sends unasked, and the confirmation of a push (IEC 62056-5-3)."""

from __future__ import annotations

from typing import Annotated

from cosem.protocol.apdu.descriptor import AttributeDescriptor
from cosem.protocol.codec.schema import DataField, LongInvokeIdAndPriority, OptionalTime, TimeOctets, Wire, wire


@wire(tag=b"\x0f")
class DataNotification(Wire):
    """Pushed data; `date_time` are the octets of a date-time, or none."""

    long_invoke_id_and_priority: LongInvokeIdAndPriority
    date_time: Annotated[bytes, TimeOctets()]
    body: DataField


@wire(tag=b"\x10")
class DataNotificationConfirm(Wire):
    """The push of that invoke-id has arrived; `date_time` are the octets of a date-time, or none.

    The layout is that of the head of a DataNotification. One independent implementation has it, COSEMpdu, an encoder
    and no station; its octets are in tests/vectors/apdu.jsonl. No client or meter at hand sends or expects it.
    """

    long_invoke_id_and_priority: LongInvokeIdAndPriority
    date_time: Annotated[bytes, TimeOctets()]


@wire(tag=b"\xc2")
class EventNotification(Wire):
    """Event-Notification-Request: the value that an attribute has taken; `time` are the octets of a date-time."""

    time: Annotated[bytes | None, OptionalTime()]
    attribute: AttributeDescriptor
    value: DataField
