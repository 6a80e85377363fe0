"""A server of Modbus TCP: its registers, and how they are asked for; messages are coded by pymodbus."""

from cosem.gateway.northbound.modbus.registers import ModbusSettings
from cosem.gateway.northbound.modbus.server import PORT, SECURE_PORT, ModbusOutput

__all__ = ["PORT", "SECURE_PORT", "ModbusOutput", "ModbusSettings"]
