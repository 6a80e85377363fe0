"""A bare echo on uvloop: answers octets with octets by a script of their numbers; prints its port, serves for ever."""

import asyncio
import json
import sys

import uvloop


class Echo(asyncio.Protocol):
    """One connection, and how far it is in the script."""

    def __init__(self, script):
        self.script = iter(script)
        self.next()

    def next(self):
        self.wanted, answered = next(self.script, (0, 0))
        self.answer = bytes(answered)

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.wanted -= len(data)
        if self.wanted <= 0:
            self.transport.write(self.answer)
            self.next()


async def main(script):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Echo(script), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


uvloop.run(main(json.loads(sys.argv[1])))
