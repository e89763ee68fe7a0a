"""A connection to a process that may do anything: nothing waits past its deadline for it, and no
message of it is longer than it may be.

The process has an ordinary `multiprocessing.connection.Connection` at its end.
"""

from __future__ import annotations

import os
import select
import struct
import time
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle

LONGEST_BYTES = 16 << 20
"""Of what is received."""
_LONGEST_WAIT_S = 1e6
"""What `poll` takes."""
_LENGTH = struct.Struct("!i")
"""What `Connection` puts before each message, but for those of 2 GiB and more."""


class Channel:
    """Our end. What is sent or received raises TimeoutError at its deadline, by `time.monotonic()`,
    and then is of no more use; EOFError or another OSError if the process has ended or hung up."""

    def __init__(self, conn: Connection, ended: int) -> None:
        """ended: a descriptor that can be read from when the process has ended: what it forked may
        keep the connection open."""
        self._conn = conn
        self._ended = ended
        os.set_blocking(conn.fileno(), False)

    def send(self, message: bytes, deadline: float) -> None:
        data = memoryview(_LENGTH.pack(len(message)) + message)
        while data:
            self._wait(select.POLLOUT, deadline)
            data = data[os.write(self._conn.fileno(), data) :]

    def send_descriptor(self, descriptor: int, deadline: float) -> None:
        """The other side takes it by `multiprocessing.reduction.recv_handle`."""
        self._wait(select.POLLOUT, deadline)
        send_handle(self._conn, descriptor, 0)

    def receive(self, deadline: float) -> bytes:
        """The next message, once it is whole. Raises ValueError if it is longer than any."""
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
        if not 0 <= length <= LONGEST_BYTES:
            raise ValueError(f"a message of {length:,} bytes")
        return self._read(length, deadline)

    def says_within(self, seconds: float) -> bool:
        """Has a message begun to come before this time is over? Raises EOFError or OSError."""
        try:
            self._wait(select.POLLIN, time.monotonic() + seconds)
        except TimeoutError:
            return False
        return True

    def _read(self, count: int, deadline: float) -> bytes:
        data = b""
        while len(data) < count:
            self._wait(select.POLLIN, deadline)
            piece = os.read(self._conn.fileno(), count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def _wait(self, event: int, deadline: float) -> None:
        ours = self._conn.fileno()
        poll = select.poll()
        poll.register(self._ended, select.POLLIN)
        poll.register(ours, event)
        patience_s = deadline - time.monotonic()
        if patience_s <= 0:  # even if there is something: whoever sends bit by bit has no end
            raise TimeoutError
        if not (ready := dict(poll.poll(1e3 * min(patience_s, _LONGEST_WAIT_S)))):
            raise TimeoutError
        # What has ended may have said something before.
        if ours not in ready and ours not in dict(poll.poll(0)):
            raise EOFError

    def close(self) -> None:
        self._conn.close()
