"""Type checkers infer what a reference holds: checked by running mypy on a snippet."""

from __future__ import annotations

import re
from pathlib import Path

from mypy import api

SNIPPET = """
from cosem.protocol.model import Clock, ProfileGeneric, Register, SecuritySetup
from cosem.protocol.model.classes.data_storage import ScalerUnit

energy = Register("1.0.1.8.0.255")
profile = ProfileGeneric("1.0.99.1.0.255")
reveal_type(energy.value)  # AttributeRef[Data]
reveal_type(energy.scaler_unit)  # AttributeRef[ScalerUnit]
reveal_type(energy.logical_name)  # AttributeRef[Obis]
reveal_type(energy.reset)  # MethodRef[int, None]
reveal_type(Register.value)  # Attribute[Data]
reveal_type(Clock().time)  # AttributeRef[DateTime]
reveal_type(Clock().time_zone)  # AttributeRef[int]
reveal_type(Clock().daylight_savings_enabled)  # AttributeRef[bool]
reveal_type(profile.capture_objects)  # AttributeRef[tuple[CaptureObject, ...]]
reveal_type(profile.sort_method)  # AttributeRef[SortMethod]
reveal_type(profile.buffer)  # BufferRef
reveal_type(profile.buffer.entries(1, 10))  # BufferRef
reveal_type(SecuritySetup().export_certificate)  # MethodRef[CertificateIdentification, OctetString]
ScalerUnit(0, "Wh")  # error: incompatible
energy.value.select(7)  # error: incompatible
"""


def test_mypy_infers_what_references_hold(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET)
    report, errors, _ = api.run(["--strict", "--no-error-summary", str(snippet)])  # with the cache of `make check`
    assert not errors, errors
    said = {int(line.split(":")[1]): line for line in report.splitlines() if "snippet.py:" in line}
    for number, line in enumerate(SNIPPET.splitlines(), start=1):
        if "  # " not in line:
            assert number not in said, said[number]
            continue
        expected = line.split("  # ")[1]
        if expected.startswith("error"):
            assert "error:" in said[number], line
            continue
        assert plain(said[number]) == expected, said[number]


def plain(line: str) -> str:
    """Take the module names and the expansion of the alias Data out of a revealed type."""
    revealed = line.split('"', 1)[1].rstrip('"')
    revealed = re.sub(r"\b[a-z_]+(?:\.[a-z_]+)*\.(?=[A-Z])", "", revealed).replace("builtins.", "")
    return re.sub(r"Array \| Structure \| .* \| None", "Data", revealed)
