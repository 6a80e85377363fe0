"""The HDLC based data link of IEC 62056-7-6: frames, addresses, and the engines of both stations."""

from cosem.protocol.link.hdlc.address import HdlcAddress
from cosem.protocol.link.hdlc.client import HdlcClient
from cosem.protocol.link.hdlc.frame import Frame, FrameReader, Kind
from cosem.protocol.link.hdlc.listener import HdlcListener
from cosem.protocol.link.hdlc.parameters import MOST, Parameters
from cosem.protocol.link.hdlc.reject import FrameReject
from cosem.protocol.link.hdlc.server import HdlcServer
from cosem.protocol.link.hdlc.settings import ClientSettings, ListenerSettings, ServerSettings, Tolerance

__all__ = [
    "MOST",
    "ClientSettings",
    "Frame",
    "FrameReader",
    "FrameReject",
    "HdlcAddress",
    "HdlcClient",
    "HdlcListener",
    "HdlcServer",
    "Kind",
    "ListenerSettings",
    "Parameters",
    "ServerSettings",
    "Tolerance",
]
