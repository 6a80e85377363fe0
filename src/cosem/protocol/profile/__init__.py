"""Communication profiles: where link and association meet, and how a meter is addressed (IEC TS 62056-1-1)."""

from __future__ import annotations

from cosem.errors import ConfigurationError
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.communication import CommunicationProfile
from cosem.protocol.profile.hdlc import HDLC_OVER_MODEM, HDLC_OVER_RFC2217, HDLC_OVER_SERIAL, HDLC_OVER_TCP
from cosem.protocol.profile.wrapper import TCP_WRAPPER, UDP_WRAPPER

PROFILES: dict[tuple[str, str], CommunicationProfile] = {
    (profile.framing, profile.medium): profile
    for profile in (TCP_WRAPPER, UDP_WRAPPER, HDLC_OVER_TCP, HDLC_OVER_SERIAL, HDLC_OVER_RFC2217, HDLC_OVER_MODEM)
}
"""Every profile this version speaks, by framing and medium."""

_ELSEWHERE = {"elgama": "cosem elgama reads it"}
"""What reads framings that are not for COSEM objects."""


def profile_of(url: ConnectionUrl) -> CommunicationProfile:
    """Return the profile that a URL asks for.

    Raises:
        ConfigurationError: framing and medium are words of the grammar, but not spoken by this version.
    """
    profile = PROFILES.get((url.framing, url.medium))
    if url.framing == "iec21":
        raise ConfigurationError(
            f"{url.framing}+{url.medium} carries lines of text and no objects: cosem read prints them, and LocalClient "
            "reads them in programs; for DLMS/COSEM behind such a sign-on write hdlc+serial://…?sign_on=iec21"
        )
    if profile is None:
        if url.framing in _ELSEWHERE:
            raise ConfigurationError(f"{url.framing}+{url.medium} carries no DLMS/COSEM: {_ELSEWHERE[url.framing]}")
        known = ", ".join("+".join(words) for words in PROFILES)
        raise ConfigurationError(f"{url.framing}+{url.medium} is not available in this version; there is {known}")
    return profile
