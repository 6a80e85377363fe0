"""What of a meter is nobody else's business: attributes that hold secrets, or tell whose meter it is and where.

It is used where what was read of a meter is given to others. What is listed here is what the classes of IEC 62056-6-2
and the codes of IEC 62056-6-1 are for; a name of an attribute that speaks of a secret is one, in whatever class.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from cosem.protocol.model.declare import declared
from cosem.protocol.values.obis import Obis, ObisPattern


class Private(Enum):
    """Why a value is not given to others."""

    SECRET = "secret"  # noqa: S105  # the name of a reason
    IDENTITY = "identity"
    UNDECLARED = "undeclared class"


S, I = Private.SECRET, Private.IDENTITY  # noqa: E741

ATTRIBUTES: Final[dict[tuple[int, int], Private]] = {
    (15, 7): S,  # secret of an association
    (15, 10): I,  # user_list
    (15, 11): I,  # current_user
    (12, 5): I,  # user_list
    (12, 6): I,  # current_user
    (19, 6): I,  # device_addr of a local port
    (19, 7): S,  # pass_p1
    (19, 8): S,  # pass_p2
    (19, 9): S,  # pass_w5
    (28, 7): I,  # list_of_allowed_callers
    (29, 6): I,  # destination_list
    (40, 3): I,  # send_destination_and_method
    (42, 3): I,  # IP_address
    (42, 7): I,  # gateway_IP_address
    (43, 2): I,  # MAC_address
    (44, 5): S,  # PPP_authentication
    (45, 3): S,  # PIN_code
    (46, 3): I,  # user_name
    (46, 4): S,  # login_password
    (46, 5): I,  # server_address
    (46, 6): I,  # sender_address
    (47, 6): I,  # cell_info
    (47, 7): I,  # adjacent_cells
    (48, 4): I,  # unicast_IPv6_addresses
    (48, 6): I,  # gateway_IPv6_addresses
    (64, 4): I,  # client_system_title
    (64, 5): I,  # server_system_title
    (64, 6): S,  # certificates
    (50, 8): I,  # MAC_address
    (67, 2): I,  # serial_number of a sensor
    (67, 3): I,  # metrological_identification
    (72, 6): I,  # identification_number
    (76, 6): I,  # identification_number
    (80, 2): I,  # service_node_address
    (91, 5): S,  # mac_key_table
    (100, 3): I,  # server_address
    (100, 6): S,  # authentication_keys
    (100, 7): S,  # client_key
    (115, 2): S,  # token
}
"""By class and attribute."""

CODES: Final[tuple[tuple[ObisPattern, Private], ...]] = (
    (ObisPattern("0.*.42.0.*.255"), I),  # logical device name
    (ObisPattern("0.*.96.1.*.255"), I),  # device IDs, metering point ID
    (ObisPattern("1-19.*.0.0.*.255"), I),  # IDs of the media
    (ObisPattern("0.*.96.12.6.255"), I),  # telephone number
    (ObisPattern("0.*.96.13.*.255"), I),  # consumer messages
)
"""Objects of class 1 by code: their values."""

WORDS: Final = (
    *("password", "secret", "pin_code", "certificate"),
    *("network_key", "link_key", "master_key", "encryption_key", "transfer_key"),
)
"""What the name of an attribute says that holds a secret."""

DATA: Final = 1


def privacy(class_id: int, version: int, instance: Obis, index: int) -> Private | None:
    """Return why an attribute is not given to others, None where it may be."""
    listed = ATTRIBUTES.get((class_id, index))
    if listed is not None or index == 1:
        return listed
    if class_id == DATA:
        return next((why for pattern, why in CODES if pattern.matches(instance)), None)
    kind = declared(class_id, version)
    if kind is None:
        return Private.UNDECLARED
    attribute = kind.declared_attributes.get(index)
    if attribute is not None and any(word in attribute.name for word in WORDS):
        return Private.SECRET
    return None
