"""General block transfer: any APDU in numbered blocks that stream in windows, and lost blocks asked for again.

Facts (IEC 62056-5-3, protocol of the general block transfer mechanism; the public excerpts of it and two independent
implementations agree on them):

- Each side numbers its blocks from 1 in every exchange, those that only acknowledge included, and acknowledges with
  each the last block of the other side that it has without a gap before it.
- The window in the block-control of one side is how many blocks the other may send in a row; all but the last of them
  say that streaming goes on. Who has a gap then asks by acknowledging the block before it, with a window as large as
  the gap, and just that much comes again. What comes again is cut from the same octets: nothing is protected anew.
- A request may be sent plainly and answered in blocks; a request in blocks is answered in blocks.
- A window of 0 is that of a side which takes nothing: its blocks come unconfirmed, as those of a push do.

A meter does not know the window of a client that has sent no block yet: the first answer begins with a single block.

Numbers begin anew with each exchange, so a copy of an old block that a network delivers late looks like one of the
present exchange where both are cut alike. Within an exchange a block that comes twice and differs is refused; across
exchanges only protection and invoke-ids tell. How one side would tell the other that it gives up is in no public text:
a server says it with an exception-response, as to anything else that it cannot take, and a client by going on.

General block transfer never needs more round trips than the block transfer of a service: its blocks carry more (the
envelope of a protected APDU is there once, not in each block) and go in windows. So wherever it was negotiated, it is
what carries an APDU that is too long for one PDU, on either side.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cosem.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from cosem.protocol.apdu.block import BlockControl, GeneralBlockTransfer
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.context import AssociationLimits, Negotiated
from cosem.protocol.association.services import ACSE_OF_CLIENTS, ACSE_OF_SERVERS

GENERAL_BLOCK_TRANSFER: Final = GeneralBlockTransfer.TAG[0]

NEVER_IN_BLOCKS: Final = ACSE_OF_CLIENTS | ACSE_OF_SERVERS | {GENERAL_BLOCK_TRANSFER}
"""First octets of what opens and closes associations, and of blocks: these are in no block."""

WINDOW_MAXIMUM: Final = 63
NUMBER_MAXIMUM: Final = 0xFFFF

HEADER_OCTETS: Final = 6
"""Tag, block-control, block-number, block-number-ack; the length of the block data comes after them."""

LENGTHS: Final = ((1, 0x7F), (2, 0xFF), (3, 0xFFFF))
"""How many octets a length takes, and the greatest one in so many."""

UNLIMITED: Final = 0xFFFF
"""How long a PDU may be for a peer that sets no limit (0)."""


class PushLost(RemoteProtocolError):
    """An APDU in unconfirmed blocks that could not be joined; what else is under way goes on."""


class Arrived(NamedTuple):
    """What follows from a block: the whole APDU when it is there, and blocks that must leave."""

    whole: bytes | None = None
    leaving: tuple[bytes, ...] = ()


def room(longest: int) -> int:
    """Return how many octets of an APDU fit into one block of at most `longest` octets.

    Raises:
        LocalProtocolError: none do.
    """
    fitting = max(min(longest - HEADER_OCTETS - octets, most) for octets, most in LENGTHS)
    if fitting < 1:
        raise LocalProtocolError("the negotiated PDU size leaves no room for a block")
    return fitting


def cut(octets: bytes, longest: int) -> list[bytes]:
    """Return an APDU in pieces that fit into blocks of at most `longest` octets."""
    size = room(longest)
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)]
    if len(pieces) > NUMBER_MAXIMUM:
        raise LocalProtocolError(f"{len(pieces)} blocks, at most {NUMBER_MAXIMUM} can be numbered")
    return pieces


def unconfirmed(octets: bytes, longest: int) -> list[bytes]:
    """Return an APDU in blocks that nobody acknowledges, each of at most `longest` octets, as a push is sent."""
    pieces = cut(octets, longest)
    last = len(pieces)
    return [
        GeneralBlockTransfer(
            BlockControl.LAST_BLOCK if number == last else BlockControl.STREAMING, number, 0, piece
        ).encode()
        for number, piece in enumerate(pieces, 1)
    ]


class UnconfirmedBlocks:
    """Joins blocks that nobody acknowledges, for one sender; strictly in order, since nothing lost comes again.

    Block 1 begins anew. After a gap, which is an error once, all is dropped until the next block 1; `given_up` counts
    the APDUs that were not joined.
    """

    def __init__(self, limits: AssociationLimits) -> None:
        self._limits = limits
        self._parts: list[bytes] = []
        self._size = 0
        self._waiting = False
        self._last = 0, b""
        self.given_up = 0

    @property
    def collecting(self) -> bool:
        """True while an APDU is there in part."""
        return bool(self._parts)

    def take(self, block: GeneralBlockTransfer) -> bytes | None:
        """Take one block; return the whole APDU with its last one.

        Raises:
            RemoteProtocolError: a block is missing, is empty, or comes twice and differs.
            DecodeError: the APDU grows beyond the limits.
        """
        number, data, due = block.block_number, block.block_data, len(self._parts) + 1
        if (0 < number < due and data == self._parts[number - 1]) or (number, data) == self._last:
            return None
        if number == 1:
            self.give_up()
            self._waiting, self._last, due = False, (0, b""), 1
        if self._waiting:
            return None
        if number != due:
            raise self._dropped(RemoteProtocolError(f"block {number} of an unconfirmed transfer where {due} was due"))
        if not data:
            raise self._dropped(RemoteProtocolError(f"block {number} is empty"))
        if number > self._limits.blocks:
            raise self._dropped(DecodeError(f"more than {self._limits.blocks} blocks in one transfer"))
        self._size += len(data)
        if self._size > self._limits.reassembled:
            raise self._dropped(DecodeError(f"more than {self._limits.reassembled} octets in one block transfer"))
        self._parts.append(data)
        if not block.last:
            return None
        whole = b"".join(self._parts)
        self._parts, self._size, self._last = [], 0, (number, data)
        return checked(whole)

    def give_up(self) -> None:
        """Forget an APDU whose rest does not come."""
        self.given_up += bool(self._parts)
        self._parts, self._size, self._waiting = [], 0, True

    def _dropped(self, error: RemoteProtocolError) -> RemoteProtocolError:
        self._parts, self._size, self._waiting = [], 0, True
        self.given_up += 1
        return error


class GeneralBlocks:
    """The blocks of one association in both directions, exchange by exchange; the same in both roles.

    Args:
        window: how many blocks we take in a row, 1 to 63.
        longest: the most octets of one PDU that the peer takes, 0 where it sets no limit.
        limits: bounds on what a peer may send, and on asking again.
        serving: what a server says answers; for it a block 1 that acknowledges nothing begins an exchange.
    """

    def __init__(self, window: int, longest: int, limits: AssociationLimits, *, serving: bool) -> None:
        if not 1 <= window <= WINDOW_MAXIMUM:
            raise LocalProtocolError(f"a window of general block transfer has 1 to {WINDOW_MAXIMUM} blocks")
        self._window = window
        self._longest = longest or UNLIMITED
        self._limits = limits
        self._serving = serving
        self._aside = UnconfirmedBlocks(limits)
        self.peer_window = 1
        """How many blocks the peer takes in a row, as it said last."""
        self.progress = 0
        """Grows with every block that brings the exchange on."""
        self.strays = 0
        """Blocks that belong to nothing under way, as late copies of older ones do: they are dropped."""
        self.begin()

    def begin(self, *, plainly: bool = False) -> None:
        """Begin an exchange: both sides number from 1, and what came unconfirmed in part stays.

        `plainly` is for a server that got the request in one piece: what comes in blocks then is of another exchange.
        """
        self._data: list[bytes] = []  # our blocks from number 1; the empty ones acknowledge
        self._final = 0  # the number of the last block of our APDU; 0 while there is none
        self._sent = 0  # the greatest number of ours that has left
        self._acknowledged = 0  # the last of ours that the peer has without a gap
        self._answered: tuple[int, int] | None = None  # number and acknowledgement of the peer that we acted on
        self._asked: tuple[int, int] | None = None  # what our last acknowledgement said
        self._taken = 0  # the last of the peer's that we have without a gap
        self._parts: list[bytes] = []
        self._base = 0  # the number before the first of `_parts`
        self._size = 0
        self._early: dict[int, GeneralBlockTransfer] = {}
        self._seen: dict[int, int] = {}  # the hashes of the peer's data by number, to know what comes again
        self._whole = plainly  # the peer's APDU was there in full
        self._in_blocks = False  # the peer speaks in blocks in this exchange
        self._ends = False  # the block taken last ended a window
        self._repeats = 0

    @property
    def collecting(self) -> bool:
        """True while an APDU of the peer is there in part."""
        return bool(self._parts or self._early) or self._aside.collecting

    def give_up(self) -> None:
        """Forget whatever came in part, acknowledged or not, because the rest of it does not come."""
        self.begin()
        self._aside.give_up()

    def leave(self, octets: bytes, *, answered: bool = True) -> list[bytes]:
        """Return what leaves of an APDU now: all of it where it fits and the peer did not speak in blocks, else blocks.

        With what a client says begins an exchange. What is not `answered` has blocks that nobody acknowledges.

        Raises:
            LocalProtocolError: it cannot be carried.
        """
        if not self._serving:
            self.begin()
        if len(octets) <= self._longest and not self._in_blocks:
            return [octets]
        if not answered:
            return unconfirmed(octets, self._longest)
        pieces = cut(octets, self._longest)
        if len(self._data) + len(pieces) > NUMBER_MAXIMUM:
            raise LocalProtocolError(f"more than {NUMBER_MAXIMUM} blocks in one exchange")
        first = len(self._data) + 1
        self._data += pieces
        self._final = len(self._data)
        return self._from(first)

    def arrive(self, octets: bytes) -> Arrived:
        """Take the octets of one block.

        Raises:
            PushLost: an APDU in unconfirmed blocks is lost.
            RemoteProtocolError: it breaks the protocol, or asking for what is lost did not help. The exchange is over.
            DecodeError: it is malformed, or an APDU grows beyond the limits.
        """
        block = GeneralBlockTransfer.decode(octets)
        if block.window == 0:
            return self._pushed(block)
        try:
            arrived = self._arrive(block)
        except PushLost:
            raise
        except RemoteProtocolError:
            self.begin()
            raise
        return arrived if arrived.whole is None else Arrived(checked(arrived.whole), arrived.leaving)

    def repeat(self) -> list[bytes]:
        """Return what to send after silence: our blocks again while the rest of them waits, else a question.

        That is nothing when it was done as often in a row as the limits allow.
        """
        if self._repeats >= self._limits.repeats:
            return []
        self._repeats += 1
        return self._from(self._acknowledged + 1) if self._sent < self._final else self._ask(anew=True)

    # -- what leaves --------------------------------------------------------------------------------------------------

    def _from(self, first: int) -> list[bytes]:
        """Return a window of our blocks."""
        last = min(first + self.peer_window - 1, max(self._final, first))
        self._sent = max(self._sent, last)
        return [self._block(number, streaming=number < last) for number in range(first, last + 1)]

    def _block(self, number: int, *, streaming: bool, window: int | None = None) -> bytes:
        data = self._data[number - 1]
        control = self._window if window is None else window
        control |= BlockControl.LAST_BLOCK if number == self._final or not data else 0
        control |= BlockControl.STREAMING if streaming else 0
        return GeneralBlockTransfer(control, number, self._taken, data).encode()

    def _ask(self, *, anew: bool = False) -> list[bytes]:
        """Acknowledge what is there and thereby ask for what comes after it.

        An acknowledgement that says nothing new is repeated as it was, so that the peer does not act on it twice;
        `anew` is for one whose effect may have been lost.
        """
        window = min(self._early) - self._taken - 1 if self._early else self._window
        said = self._taken, window
        if anew or said != self._asked or not self._data or self._data[-1]:
            if len(self._data) >= NUMBER_MAXIMUM:
                raise RemoteProtocolError(f"more than {NUMBER_MAXIMUM} blocks in one exchange")
            self._data.append(b"")
            self._sent = len(self._data)
        self._asked = said
        return [self._block(len(self._data), streaming=False, window=window)]

    def _count(self, why: str) -> None:
        self._repeats += 1
        if self._repeats > self._limits.repeats:
            raise RemoteProtocolError(
                f"block transfer does not come on after {self._limits.repeats} repetitions: {why}"
            )

    def _came_on(self) -> None:
        self._repeats = 0
        self.progress += 1

    # -- what arrives -------------------------------------------------------------------------------------------------

    def _arrive(self, block: GeneralBlockTransfer) -> Arrived:
        number, data = block.block_number, block.block_data
        if number == 0:
            raise RemoteProtocolError("blocks are numbered from 1")
        if self._serving and data and block.block_number_ack == 0 and self._begins(number, data):
            self.begin()
        if block.block_number_ack > self._sent:
            self.strays += 1
            return Arrived()
        self.peer_window = block.window
        self._in_blocks = True
        if block.block_number_ack > self._acknowledged:
            self._acknowledged = block.block_number_ack
            self._came_on()
        if self._final and not data and not self._parts and not self._early:
            return Arrived(None, tuple(self._answer(block)))
        ends = self._parts and number == self._taken + 1  # without octets of its own, or wrongly
        if not data and not ends and (self._serving or not self._final):
            return Arrived(None, tuple(self._questioned(block)))
        if data and self._sent < self._final and not self._serving:
            # Our request has not left in full, so this answers nothing: a push that came in between.
            return self._pushed(block)
        return self._collect(block)

    def _pushed(self, block: GeneralBlockTransfer) -> Arrived:
        try:
            return Arrived(self._aside.take(block))
        except RemoteProtocolError as error:
            raise PushLost(str(error)) from error

    def _begins(self, number: int, data: bytes) -> bool:
        """Tell whether a block that acknowledges nothing is of another exchange than the present one."""
        if not (self._taken or self._final or self._whole):
            return False  # what came before it is at most later blocks of its own
        if self._seen.get(number) == hash(data):
            # It comes again; after the whole answer has left, a first block is taken for the same request once more.
            return number == 1 and self._whole and 0 < self._final <= self._sent
        return number == 1 or self._whole

    def _answer(self, block: GeneralBlockTransfer) -> list[bytes]:
        """Take what only acknowledges our blocks: send what follows, or again what is asked for."""
        number, acknowledged = block.block_number, block.block_number_ack
        if self._answered is not None and number <= self._answered[0] and acknowledged <= self._answered[1]:
            return []
        if self._answered is not None and acknowledged <= self._answered[1]:
            self._count(f"block {acknowledged + 1} was asked for again")
        self._answered = number, acknowledged
        # Before its own APDU the peer sends nothing but acknowledgements, so nothing can be missing between them.
        self._taken = max(self._taken, number)
        self._base = max(self._base, self._taken)
        return self._from(acknowledged + 1) if acknowledged < self._final else []

    def _questioned(self, block: GeneralBlockTransfer) -> list[bytes]:
        """Take what carries nothing and has nothing to acknowledge: a client asks what became of its request.

        It is never taken for one of the blocks of a request, all of which carry something until the last is there.
        """
        if not self._serving or self._whole or block.block_number <= self._taken:
            return []
        self._count(f"block {self._taken + 1} is missing")
        return self._ask(anew=True)

    def _collect(self, block: GeneralBlockTransfer) -> Arrived:
        number, data = block.block_number, block.block_data
        if self._whole and data and self._seen.get(number) != hash(data):
            if self._serving:
                self.strays += 1
                return Arrived()
            self._renew()
        if number <= self._taken:
            return Arrived(None, tuple(self._came_twice(block)))
        if number > self._taken + self._window:
            self.strays += 1
            return Arrived()
        if number > self._base + self._limits.blocks:
            raise DecodeError(f"more than {self._limits.blocks} blocks in one transfer")
        known = self._early.get(number)
        if known is not None and known.block_data != data:
            raise RemoteProtocolError(f"block {number} came twice and differs")
        if known is None:
            self._size += len(data)
            if self._size > self._limits.reassembled:
                raise DecodeError(f"more than {self._limits.reassembled} octets in one block transfer")
            self._early[number] = block
        before, parts = self._taken, len(self._parts)
        whole = self._take_in_order()
        if whole is not None or len(self._parts) > parts:
            self._came_on()
        if whole is not None:
            return Arrived(whole)
        if self._early and not block.streaming:
            self._count(f"block {self._taken + 1} is missing")
            return Arrived(None, tuple(self._ask()))
        if self._taken > before and self._ends and self._parts:
            return Arrived(None, tuple(self._ask()))
        return Arrived()

    def _take_in_order(self) -> bytes | None:
        """Append what follows without a gap; return the APDU when its last block is among it."""
        while (block := self._early.pop(self._taken + 1, None)) is not None:
            self._taken += 1
            data = block.block_data
            if not data and not self._parts:
                self._base = self._taken  # it only acknowledges
                continue
            if not data and not block.last:
                raise RemoteProtocolError(f"block {self._taken} is empty and not the last")
            self._seen[self._taken] = hash(data)
            self._parts.append(data)
            self._ends = not block.streaming
            if block.last:
                whole = b"".join(self._parts)
                self._parts, self._size, self._whole = [], 0, True
                self._base = self._taken
                self._early.clear()
                return whole
        return None

    def _renew(self) -> None:
        """Take another APDU of the server in the same exchange, as after a push that came in place of the answer."""
        self._taken = self._base = self._size = 0
        self._whole = False
        self._seen = {}
        self._asked = None

    def _came_twice(self, block: GeneralBlockTransfer) -> list[bytes]:
        number, data = block.block_number, block.block_data
        if data and self._seen.get(number) != hash(data):
            raise RemoteProtocolError(f"block {number} came twice and differs")
        if block.streaming or number != self._taken or not data or self._whole:
            return []
        # The end of a window comes again: what we said to it seems to be lost.
        self._count(f"block {number} came again")
        return self._ask()


def general_blocks(
    negotiated: Negotiated, window: int, limits: AssociationLimits, *, serving: bool
) -> GeneralBlocks | None:
    """Return the engine for an association, None where general block transfer was not negotiated."""
    if not negotiated.allows(Conformance.GENERAL_BLOCK_TRANSFER):
        return None
    return GeneralBlocks(window, negotiated.max_send_pdu_size, limits, serving=serving)


def checked(whole: bytes) -> bytes:
    """Return an APDU that came in blocks; raise RemoteProtocolError for one that never does."""
    if not whole or whole[0] in NEVER_IN_BLOCKS:
        raise RemoteProtocolError("what came in blocks is no APDU that may come so")
    return whole
