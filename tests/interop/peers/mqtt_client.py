"""A client by paho-mqtt: subscribes to everything and prints what arrives; publishes what lines on stdin say.

Argument: JSON with "host", "port", and where wanted "ca", "username", "password", "client_id" of a lasting session.
Lines in:  ["publish", topic, payload, retain] ["stop"]
Lines out: {"connected": true} at each connection, {"topic": …, "payload": …, "retain": …} for each message.
"""

import json
import sys
import threading
from typing import Any

import paho.mqtt.client as mqtt

lock = threading.Lock()


def say(**told: Any) -> None:
    with lock:
        print(json.dumps(told), flush=True)


def on_connect(client: mqtt.Client, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
    if reason.is_failure:
        say(refused=str(reason))
        return
    client.subscribe("#", qos=1)


def on_subscribe(client: mqtt.Client, userdata: Any, mid: int, reasons: Any, properties: Any) -> None:
    say(connected=True)


def on_message(client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
    say(topic=message.topic, payload=message.payload.decode(), retain=message.retain)


def main() -> None:
    settings = json.loads(sys.argv[1])
    name = settings.get("client_id", "")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=not name)
    if "ca" in settings:
        client.tls_set(settings["ca"])
    if "username" in settings:
        client.username_pw_set(settings["username"], settings["password"])
    client.reconnect_delay_set(1, 1)
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect(settings["host"], settings["port"])
    client.loop_start()
    for line in sys.stdin:
        verb, *words = json.loads(line)
        if verb == "stop":
            break
        topic, payload, retain = words
        client.publish(topic, payload, qos=1, retain=retain)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
