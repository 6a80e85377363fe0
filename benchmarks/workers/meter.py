"""The meter that the sessions are held with: our server engine on one socket; prints its port, serves until killed.

It shares the core with the client whose time counts, so it is as small as can be: a larger one drives the client's code
out of the caches between any two answers, which costs a lean client more than a slow one.
"""

import secrets
import socket
import sys
import time

from cosem.errors import CosemError
from cosem.protocol.apdu.acse import ApplicationContext
from cosem.protocol.apdu.get import GetResponseNormal
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.context import Requested
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, SecurityContext
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.link.wrapper import WrapperServer
from cosem.protocol.profile.session import ServerSession
from cosem.protocol.profile.timing import ServerTiming
from cosem.protocol.values.data import DoubleLongUnsigned
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore

GMAC = 5
TITLE = bytes.fromhex("4D4D4D0000BC614E")


def policy(encryption_key, authentication_key):
    counter = InvocationCounter(MemoryCounterStore(), "meter")

    def security(client_title):
        return SecurityContext(0, TITLE, client_title, encryption_key, authentication_key, counter=counter)

    return ServerPolicy(
        application_context=ApplicationContext.LOGICAL_NAME_CIPHERED,
        mechanism=MECHANISMS[GMAC],
        required=AUTHENTICATED_ENCRYPTION,
        security=security,
        own_title=TITLE,
    )


def attend(connection, offered, values):
    session = ServerSession(WrapperServer(), lambda _: ServerAssociation(offered, secrets.token_bytes), ServerTiming())
    while octets := connection.recv(65536):
        session.receive(octets, time.monotonic())
        for pair, event in session.events():
            if isinstance(event, Requested):
                asked = event.apdu
                answer = GetResponseNormal(asked.invoke_id_and_priority, values[asked.attribute.instance_id])
                session.respond(pair, answer, time.monotonic())
        connection.sendall(session.outgoing())


def main(encryption_key, authentication_key, *registers):
    offered = policy(Key.from_hex(encryption_key), Key.from_hex(authentication_key))
    values = {Obis(name): DoubleLongUnsigned(12_345_678 + number) for number, name in enumerate(registers)}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                try:
                    attend(connection, offered, values)
                except (CosemError, OSError) as error:
                    print(error, file=sys.stderr)


main(*sys.argv[1:])
