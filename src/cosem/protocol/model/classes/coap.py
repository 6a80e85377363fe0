"""Interface classes for CoAP (IEC 62056-6-2): how the transport layer is set up, and what it has counted."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import ANY, REFERENCE
from cosem.protocol.values.data import Enumerated, Integer, LongUnsigned, OctetString, Unsigned


class CoapSetup(InterfaceClass, class_id=152, version=0, instance="0.0.25.16.0.255"):
    """Holds timers, path, mode and token length of CoAP, and the UDP port it goes over. (class_id 152)"""

    udp_reference = attribute(2, REFERENCE, static=True)
    ack_timeout = attribute(3, LongUnsigned, static=True)
    ack_random_factor = attribute(4, LongUnsigned, static=True)
    max_retransmit = attribute(5, LongUnsigned, static=True)
    nstart = attribute(6, LongUnsigned, static=True)
    delay_ack_timeout = attribute(7, LongUnsigned, static=True)
    exponential_back_off = attribute(8, LongUnsigned, static=True)
    probing_rate = attribute(9, LongUnsigned, static=True)
    coap_uri_path = attribute(10, OctetString, static=True)
    transport_mode = attribute(11, Enumerated, static=True)
    wrapper_version = attribute(12, ANY)
    """What the standard calls version: that of the CoAP wrapper, not of this class."""
    token_length = attribute(13, Unsigned, static=True)


class CoapDiagnostic(InterfaceClass, class_id=153, version=0, instance="0.0.25.17.0.255"):
    """Holds what the CoAP transport layer has counted: messages, requests, responses, transfers. (class_id 153)"""

    messages_counter = attribute(2, ANY)
    request_response_counter = attribute(3, ANY)
    coap_bt_counter = attribute(4, ANY)
    capture_time = attribute(5, ANY)
    reset = method(1, Integer)
