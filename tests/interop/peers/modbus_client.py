"""A master by pymodbus: asks a server of Modbus TCP for what lines on stdin say.

Argument: JSON with "host", "port" and "unit".
Lines in:  ["registers", "holding" or "input", address, count] ["coils" or "discrete", address, count]
           ["number", table, address, type, word order] (converted by the peer)
           ["write_register", address, value] ["write_registers", address, values] ["write_coil", address, value]
           ["write_number", address, value, type, word order] ["write_coils", address, values]
           ["mask", address, and, or] ["both", address, values, address, count] ["identify"]
Lines out: {"did": …, "result": …} for each, where {"exception": code} is a result too.
"""

import asyncio
import json
import sys
from typing import Any

from pymodbus.client import AsyncModbusTcpClient


def told(answer: Any, what: Any) -> Any:
    return {"exception": answer.exception_code} if answer.isError() else what(answer)


async def main() -> None:
    settings = json.loads(sys.argv[1])
    client = AsyncModbusTcpClient(settings["host"], port=settings["port"], timeout=20)
    unit = settings.get("unit", 1)
    assert await client.connect()

    async def registers(table: str, address: int, count: int) -> Any:
        ask = client.read_holding_registers if table == "holding" else client.read_input_registers
        return told(await ask(address, count=count, device_id=unit), lambda answer: list(answer.registers))

    async def number(table: str, address: int, kind: str, order: str) -> Any:
        data_type = client.DATATYPE[kind]
        found = await registers(table, address, data_type.value[1])
        return client.convert_from_registers(found, data_type, word_order=order)

    async def bits(ask: Any, address: int, count: int) -> Any:
        return told(await ask(address, count=count, device_id=unit), lambda answer: list(answer.bits[:count]))

    async def write(ask: Any, *words: Any, **named: Any) -> Any:
        return told(await ask(*words, device_id=unit, **named), lambda answer: True)

    async def write_number(address: int, value: Any, kind: str, order: str) -> Any:
        words = client.convert_to_registers(value, client.DATATYPE[kind], word_order=order)
        return await write(client.write_registers, address, words)

    async def both(to: int, values: list[int], at: int, count: int) -> Any:
        answer = await client.readwrite_registers(
            read_address=at, read_count=count, write_address=to, values=values, device_id=unit
        )
        return told(answer, lambda answer: list(answer.registers))

    async def mask(address: int, and_mask: int, or_mask: int) -> Any:
        return await write(client.mask_write_register, address=address, and_mask=and_mask, or_mask=or_mask)

    doing = {
        "registers": registers,
        "number": number,
        "coils": lambda *words: bits(client.read_coils, *words),
        "discrete": lambda *words: bits(client.read_discrete_inputs, *words),
        "write_register": lambda *words: write(client.write_register, *words),
        "write_registers": lambda *words: write(client.write_registers, *words),
        "write_number": write_number,
        "write_coil": lambda *words: write(client.write_coil, *words),
        "write_coils": lambda *words: write(client.write_coils, *words),
        "mask": mask,
        "both": both,
        "identify": lambda: write(client.read_device_information),
    }
    for line in iter(sys.stdin.readline, ""):
        name, *words = json.loads(line)
        try:
            print(json.dumps({"did": name, "result": await doing[name](*words)}), flush=True)
        except Exception as error:
            print(json.dumps({"did": name, "error": f"{type(error).__name__}: {error}"}), flush=True)
    client.close()


if __name__ == "__main__":
    asyncio.run(main())
