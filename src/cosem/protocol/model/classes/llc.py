"""Interface classes for the logical link control of IEC 61334-4-32 and ISO/IEC 8802-2 (IEC 62056-6-2)."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute
from cosem.protocol.model.shape import ANY, Unsigned8, array, structure
from cosem.protocol.values.data import LongUnsigned, Unsigned
from cosem.protocol.values.units import Unit


@structure
class ReplyStatus:
    """How many octets wait at one service access point of the link."""

    l_sap_selector: Unsigned8
    length_of_waiting_l_sdu: Unsigned8


class Iec61334LlcSetupVersion0(InterfaceClass, class_id=55, version=0, instance="0.0.26.5.0.255"):
    """Holds the frame length of the IEC 61334-4-32 LLC and which replies wait, for S-FSK alone. (class_id 55)"""

    max_frame_length = attribute(2, ANY, static=True)
    reply_status_list = attribute(3, ANY)


class Iec61334LlcSetup(InterfaceClass, class_id=55, version=1, instance="0.0.26.5.0.255"):
    """Holds the frame length of the IEC 61334-4-32 LLC and which replies wait. (class_id 55)"""

    max_frame_length = attribute(2, LongUnsigned, static=True)
    reply_status_list = attribute(3, array(ReplyStatus))


class Iso8802LlcType1Setup(InterfaceClass, class_id=57, version=0, instance="0.0.27.0.0.255"):
    """Holds the parameters of the ISO/IEC 8802-2 LLC in type 1 operation, without connection. (class_id 57)"""

    max_octets_ui_pdu = attribute(2, LongUnsigned, static=True)


class Iso8802LlcType2Setup(InterfaceClass, class_id=58, version=0, instance="0.0.27.1.0.255"):
    """Holds the parameters of the ISO/IEC 8802-2 LLC in type 2 operation, with connection. (class_id 58)"""

    transmit_window_size_k = attribute(2, Unsigned, static=True)
    receive_window_size_rw = attribute(3, Unsigned, static=True)
    max_octets_i_pdu_n1 = attribute(4, LongUnsigned, static=True)
    max_number_transmissions_n2 = attribute(5, Unsigned, static=True)
    acknowledgement_timer = attribute(6, LongUnsigned, static=True, unit=Unit.SECOND)
    p_bit_timer = attribute(7, LongUnsigned, static=True, unit=Unit.SECOND)
    reject_timer = attribute(8, LongUnsigned, static=True, unit=Unit.SECOND)
    busy_state_timer = attribute(9, LongUnsigned, static=True, unit=Unit.SECOND)


class Iso8802LlcType3Setup(InterfaceClass, class_id=59, version=0, instance="0.0.27.2.0.255"):
    """Holds the parameters of the ISO/IEC 8802-2 LLC in type 3 operation, acknowledged. (class_id 59)"""

    max_octets_acn_pdu_n3 = attribute(2, LongUnsigned, static=True)
    max_number_transmissions_n4 = attribute(3, Unsigned, static=True)
    acknowledgement_time_t1 = attribute(4, LongUnsigned, static=True)
    receive_lifetime_var_t2 = attribute(5, LongUnsigned, static=True)
    transmit_lifetime_var_t3 = attribute(6, LongUnsigned, static=True)
