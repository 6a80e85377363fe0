"""A client by asyncua: reads, writes and watches the nodes that lines on stdin name.

Argument: JSON with "url", and where wanted "username", "password", "certificate", "key", "server" (certificate).
Lines in:  ["read", node] ["write", node, value, type] ["browse"] ["watch", node, count] (the next values)
Lines out: {"connected": true} or {"refused": why}, then {"did": …, "result": …} for each line in.
"""

import asyncio
import json
import logging
import sys
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256


class Changes:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self.queue.put_nowait(value)


async def main() -> None:
    logging.disable(logging.CRITICAL)
    settings = json.loads(sys.argv[1])
    client = Client(settings["url"], timeout=60)
    try:
        if "username" in settings:
            client.set_user(settings["username"])
            client.set_password(settings["password"])
        if "certificate" in settings:
            client.application_uri = "urn:cosem:peer"
            await client.set_security(
                SecurityPolicyBasic256Sha256,
                settings["certificate"],
                settings["key"],
                server_certificate=settings["server"],
                mode=ua.MessageSecurityMode.SignAndEncrypt,
            )
        await client.connect()
    except Exception as error:
        print(json.dumps({"refused": f"{type(error).__name__}: {error}"}), flush=True)
        return
    print(json.dumps({"connected": True}), flush=True)
    watched: dict[str, Changes] = {}

    async def read(node: str) -> Any:
        told = await client.get_node(node).read_data_value(raise_on_bad_status=False)
        return {
            "value": told.Value.Value,
            "type": told.Value.VariantType.name,
            "status": told.StatusCode.name,
            "source": told.SourceTimestamp,
        }

    async def write(node: str, value: Any, kind: str) -> Any:
        try:
            await client.get_node(node).write_value(ua.DataValue(ua.Variant(value, ua.VariantType[kind])))
        except ua.UaStatusCodeError as refused:
            return ua.StatusCode(refused.code).name
        return "Good"

    async def browse() -> Any:
        found = {}
        for folder in await client.nodes.objects.get_children():
            if folder.nodeid.NamespaceIndex == 2:
                names = [await each.read_display_name() for each in await folder.get_children()]
                found[(await folder.read_browse_name()).Name] = [each.Text for each in names]
        return found

    async def watch(node: str, count: int) -> Any:
        if node not in watched:
            watched[node] = Changes()
            subscription = await client.create_subscription(50, watched[node])
            await subscription.subscribe_data_change(client.get_node(node))
        async with asyncio.timeout(30):
            return [await watched[node].queue.get() for _ in range(count)]

    doing = {"read": read, "write": write, "browse": browse, "watch": watch}
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, *words = json.loads(line)
        try:
            print(json.dumps({"did": name, "result": await doing[name](*words)}, default=str), flush=True)
        except Exception as error:
            print(json.dumps({"did": name, "error": f"{type(error).__name__}: {error}"}), flush=True)
    await client.disconnect()


if __name__ == "__main__":
    asyncio.run(main())
