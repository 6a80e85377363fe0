"""Parses P1 telegrams with dsmr-parser: prints what it makes of each line, by the specifications that accept the whole.

Arguments: a JSON list of telegrams in clear as text, and one of encrypted ones, each its octets in hexadecimal, the key
and the authentication key.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import datetime
from typing import Any

from dsmr_parser import telegram_specifications as specifications
from dsmr_parser.parsers import TelegramParser

CLEAR = ("V2_2", "V4", "V5", "BELGIUM_FLUVIUS", "SWEDEN", "ISKRA_IE", "EON_HUNGARY")
SEALED = ("SAGEMCOM_T210_D_R", "LUXEMBOURG_SMARTY")


def main() -> None:
    logging.disable(logging.CRITICAL)
    clear, sealed = map(json.loads, sys.argv[1:])
    print(json.dumps({"clear": [in_clear(text) for text in clear], "sealed": [opened(*each) for each in sealed]}))


def in_clear(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in CLEAR:
        specification = getattr(specifications, name)
        try:
            TelegramParser(specification).parse(text)
        except Exception as error:
            found[name] = {"error": f"{type(error).__name__}: {error}"}
        else:
            found[name] = {"lines": lines(specification, text)}
    return found


def opened(octets: str, key: str, authentication_key: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in SEALED:
        try:
            telegram = TelegramParser(getattr(specifications, name)).parse(octets, key, authentication_key)
        except Exception as error:
            found[name] = {"error": f"{type(error).__name__}: {error}"}
        else:
            numbers = [value for _, each in telegram if hasattr(each, "values") for value in map(plain, each.values)]
            found[name] = {"values": numbers}
    return found


def lines(specification: dict[str, Any], text: str) -> list[list[Any]]:
    """What the parser of a line, as the specification names it, makes of every line that it claims."""
    found = []
    for entry in specification["objects"]:
        for line in re.findall(entry["obis_reference"], text, re.DOTALL | re.MULTILINE):
            try:
                parsed = entry["value_parser"].parse(line)
            except Exception:
                continue
            each = parsed if isinstance(parsed, list) else [parsed]
            found.append([line.partition("(")[0], [[plain(value) for value in part.values] for part in each]])
    return found


def plain(value: Any) -> list[Any]:
    """The kind, the text and the unit of a value."""
    inner = value.get("value") if isinstance(value, dict) else value
    unit = value.get("unit") if isinstance(value, dict) else None
    kind = "time" if isinstance(inner, datetime) else type(inner).__name__
    return [kind, inner.isoformat() if isinstance(inner, datetime) else None if inner is None else str(inner), unit]


main()
