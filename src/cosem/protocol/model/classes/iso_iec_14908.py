"""Interface classes for networks by ISO/IEC 14908 (IEC 62056-6-2)."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import ANY


class Iso14908Identification(InterfaceClass, class_id=130, version=0):
    """Holds the addresses of the node, its program, and the number given to it when it was made. (class_id 130)"""

    node_id = attribute(2, ANY, static=True)
    subnet_id = attribute(3, ANY, static=True)
    domain_id = attribute(4, ANY, static=True)
    program_id = attribute(5, ANY, static=True)
    unique_node_id = attribute(6, ANY, static=True)


class Iso14908ProtocolSetup(InterfaceClass, class_id=131, version=0):
    """Holds after how many minutes of silence the node counts as out of communication. (class_id 131)"""

    inactivity_timeout = attribute(2, ANY, static=True)


class Iso14908ProtocolStatus(InterfaceClass, class_id=132, version=0):
    """Holds counters of messages, errors and losses. (class_id 132)"""

    transmission_errors = attribute(2, ANY)
    transmit_tx_failure = attribute(3, ANY)
    transmit_tx_retries = attribute(4, ANY)
    receive_tx_full = attribute(5, ANY)
    lost_messages = attribute(6, ANY)
    missed_messages = attribute(7, ANY)
    layer2_received = attribute(8, ANY)
    layer3_received = attribute(9, ANY)
    messages_received = attribute(10, ANY)
    messages_validated = attribute(11, ANY)
    reset = method(1, ANY, ANY)


class Iso14908Diagnostic(InterfaceClass, class_id=133, version=0):
    """Holds the quality of the signal, the state of the module, and counters of failures. (class_id 133)"""

    plc_signal_quality_status = attribute(2, ANY)
    com_module_state = attribute(3, ANY)
    received_message_status = attribute(4, ANY)
    no_receive_buffer = attribute(5, ANY)
    transmit_no_data = attribute(6, ANY)
    backlog_overflows = attribute(7, ANY)
    late_ack = attribute(8, ANY)
    frequency_invalid = attribute(9, ANY)
    reset = method(1, ANY, ANY)
