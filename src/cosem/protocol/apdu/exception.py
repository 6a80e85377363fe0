"""Refusals of a whole service: ExceptionResponse and ConfirmedServiceError (IEC 62056-5-3)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

from cosem.protocol.codec.schema import U8, Int, OpenEnum, When, Wire, wire


class StateError(OpenEnum):
    """Why the state of the server does not allow the service."""

    SERVICE_NOT_ALLOWED = 1
    SERVICE_UNKNOWN = 2


class ServiceErrorCode(OpenEnum):
    """Why the service was not carried out."""

    OPERATION_NOT_POSSIBLE = 1
    SERVICE_NOT_SUPPORTED = 2
    OTHER_REASON = 3
    PDU_TOO_LONG = 4
    DECIPHERING_ERROR = 5
    INVOCATION_COUNTER_ERROR = 6


@wire(tag=b"\xd8")
class ExceptionResponse(Wire):
    """The server could not make anything of the request.

    With INVOCATION_COUNTER_ERROR `invocation_counter` is the least number that the server expects; it is None when the
    server left it out, and with every other error.
    """

    state_error: StateError
    service_error: ServiceErrorCode
    invocation_counter: Annotated[int | None, When("service_error", 6, Int(4))] = None


class ConfirmedService(OpenEnum):
    """The service that a ConfirmedServiceError answers."""

    INITIATE_ERROR = 1
    GET_STATUS = 2
    GET_NAME_LIST = 3
    GET_VARIABLE_ATTRIBUTE = 4
    READ = 5
    WRITE = 6
    GET_DATA_SET_ATTRIBUTE = 7
    GET_TI_ATTRIBUTE = 8
    CHANGE_SCOPE = 9
    START = 10
    STOP = 11
    RESUME = 12
    MAKE_USABLE = 13
    INITIATE_LOAD = 14
    LOAD_SEGMENT = 15
    TERMINATE_LOAD = 16
    INITIATE_UP_LOAD = 17
    UPLOAD_SEGMENT = 18
    TERMINATE_UP_LOAD = 19


class ServiceError(OpenEnum):
    """The kind of error; `ERROR_NAMES` has the meaning of the number that follows it."""

    APPLICATION_REFERENCE = 0
    HARDWARE_RESOURCE = 1
    VDE_STATE_ERROR = 2
    SERVICE = 3
    DEFINITION = 4
    ACCESS = 5
    INITIATE = 6
    LOAD_DATA_SET = 7
    CHANGE_SCOPE = 8
    TASK = 9
    OTHER = 10


ERROR_NAMES: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        0: (
            *("other", "time-elapsed", "application-unreachable", "application-reference-invalid"),
            *("application-context-unsupported", "provider-communication-error", "deciphering-error"),
        ),
        1: (
            *("other", "memory-unavailable", "processor-resource-unavailable", "mass-storage-unavailable"),
            "other-resource-unavailable",
        ),
        2: ("other", "no-dlms-context", "loading-data-set", "status-nochange", "status-inoperable"),
        3: ("other", "pdu-size", "service-unsupported"),
        4: ("other", "object-undefined", "object-class-inconsistent", "object-attribute-inconsistent"),
        5: ("other", "scope-of-access-violated", "object-access-violated", "hardware-fault", "object-unavailable"),
        6: (
            *("other", "dlms-version-too-low", "incompatible-conformance", "pdu-size-too-short"),
            "refused-by-the-VDE-handler",
        ),
        7: (
            *("other", "primitive-out-of-sequence", "not-loadable", "dataset-size-too-large", "not-awaited-segment"),
            *("interpretation-failure", "storage-failure", "data-set-not-ready"),
        ),
        9: ("other", "no-remote-control", "ti-stopped", "ti-running", "ti-unusable"),
        10: ("other",),
    }
)


@wire(tag=b"\x0e")
class ConfirmedServiceError(Wire):
    """A confirmed service, mostly the initiate of an association, failed: which, in what respect, and how."""

    service: ConfirmedService
    error: ServiceError
    value: U8

    @property
    def text(self) -> str:
        """The error in the words of the standard: `initiate-error: initiate, dlms-version-too-low (1)`."""
        names = ERROR_NAMES.get(self.error, ())
        name = names[self.value] if self.value < len(names) else "unknown"
        kind = self.error.name.lower().replace("_", "-")
        return f"{self.service.name.lower().replace('_', '-')}: {kind}, {name} ({self.value})"
