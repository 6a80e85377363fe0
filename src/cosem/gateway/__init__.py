"""The gateway: a table of devices and signals in; MQTT, Modbus, IEC 60870-5-104, OPC UA and others out."""
