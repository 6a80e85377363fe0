"""Where octets move: the stream every operation runs over, in blocking, asyncio, simulated and recorded form."""
