"""The table [[payment]]: an account with the gateway that takes its tokens and the breaker of its supply."""

from __future__ import annotations

from cosem.errors import ConfigurationError
from cosem.meter.behaviour.payment import Supply
from cosem.meter.behaviour.token_gateway import Tokens
from cosem.meter.describe.words import device_of
from cosem.meter.device import Meter
from cosem.meter.item import Item
from cosem.meter.logical_device import LogicalDevice
from cosem.protocol.model.classes.payment import Account, TokenGateway
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.model.table import Table
from cosem.protocol.values.obis import Obis


def add_payment(meter: Meter, table: Table) -> None:
    """Say of the account of one [[payment]] what it does not say itself; its objects must be there."""
    device = device_of(meter, table)
    account = table.converted("account", Obis)
    table.name(str(account))
    gateway, breaker = table.optional("test_tokens", Obis), table.optional("disconnect", Obis)
    table.finish()
    item = table.guarded(lambda: _item(device, account, Account.class_id), "account")
    if breaker is not None:
        table.guarded(lambda: _item(device, breaker, DisconnectControl.class_id), "disconnect")
    if gateway is not None:
        found = table.guarded(lambda: _item(device, gateway, TokenGateway.class_id), "test_tokens")
        device.owned(found).state = Tokens(account)
    device.owned(item).state = Supply(breaker)


def _item(device: LogicalDevice, instance: Obis, class_id: int) -> Item:
    item = device.find(instance)
    if item is None or item.class_id != class_id:
        raise ConfigurationError(f"{instance}: there is no such object of class {class_id}; describe it first")
    return item
