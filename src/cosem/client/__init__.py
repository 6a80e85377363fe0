"""Clients: read, write and act on meters, blocking or on asyncio, by one text."""

from cosem.client.access import Access, AccessWords, access
from cosem.client.client import AsyncClient, Client
from cosem.readings.column import ProfileColumn
from cosem.readings.profile import ProfileRows

__all__ = ["Access", "AccessWords", "AsyncClient", "Client", "ProfileColumn", "ProfileRows", "access"]
