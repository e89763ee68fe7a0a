"""Messages to and from processes that break off, go on for ever, or do not listen."""

from __future__ import annotations

import multiprocessing
import os
import struct
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle

import pytest

from harness.channel import LONGEST_BYTES, Channel

PATIENCE_S = 30.0


class Both:
    """A channel, the connection at its other end, and a process there that can be said to end."""

    def __init__(self) -> None:
        ours, self.theirs = multiprocessing.Pipe()
        ended, self.end = multiprocessing.Pipe()
        self._kept: Connection = ended
        self.channel = Channel(ours, ended.fileno())

    def write(self, data: bytes) -> None:
        os.write(self.theirs.fileno(), data)

    def receive(self, patience_s: float = PATIENCE_S) -> bytes:
        return self.channel.receive(time.monotonic() + patience_s)

    def send(self, message: bytes, patience_s: float = PATIENCE_S) -> None:
        self.channel.send(message, time.monotonic() + patience_s)


@pytest.fixture
def both() -> Iterator[Both]:
    both = Both()
    yield both
    both.channel.close()
    both.theirs.close()


@pytest.mark.parametrize("nbytes", [0, 1, 300, 20_000, 5 << 20, LONGEST_BYTES])
def test_messages_of_any_size_pass_both_ways(nbytes: int, both: Both) -> None:
    message = os.urandom(nbytes)

    def echo() -> None:
        both.theirs.send_bytes(both.theirs.recv_bytes())

    there = threading.Thread(target=echo, daemon=True)
    there.start()
    both.send(message)
    assert both.receive() == message
    there.join()


def test_a_descriptor_is_the_same_file_there(both: Both) -> None:
    reading, writing = os.pipe()
    both.channel.send_descriptor(writing, time.monotonic() + PATIENCE_S)
    os.close(writing)
    theirs = recv_handle(both.theirs)
    os.write(theirs, b"here")
    assert os.read(reading, 10) == b"here"
    os.close(theirs)
    os.close(reading)


def test_who_says_nothing_is_waited_for_until_the_deadline(both: Both) -> None:
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        both.receive(0.2)
    assert time.monotonic() - start >= 0.2


def test_whether_something_is_said_can_be_asked_for(both: Both) -> None:
    assert not both.channel.says_within(0.05)
    both.theirs.send_bytes(b"here")
    assert both.channel.says_within(PATIENCE_S)
    assert both.receive() == b"here"
    both.theirs.close()
    assert both.channel.says_within(PATIENCE_S)  # that it has hung up
    with pytest.raises(EOFError):
        both.receive()


@pytest.mark.parametrize("sent", [b"\0\0", struct.pack("!i", 5), struct.pack("!i", 5) + b"half"])
def test_a_message_that_breaks_off_is_waited_for_until_the_deadline(
    sent: bytes, both: Both
) -> None:
    both.write(sent)
    with pytest.raises(TimeoutError):
        both.receive(0.2)


@pytest.mark.parametrize("slowly", [struct.pack("!i", 1000), struct.pack("!i", 0)])
def test_whoever_never_falls_silent_comes_to_an_end_too(slowly: bytes, both: Both) -> None:
    """Neither a message that comes bit by bit nor one after another puts the deadline off."""
    stop = threading.Event()

    def drip() -> None:
        both.write(slowly)
        while not stop.is_set():
            both.write(b"\0\0\0\0")
            time.sleep(0.001)

    there = threading.Thread(target=drip)
    there.start()
    deadline = time.monotonic() + 0.3
    with pytest.raises(TimeoutError):
        while True:
            both.channel.receive(deadline)
    stop.set()
    there.join()


@pytest.mark.parametrize("length", [-1, -(2**31), LONGEST_BYTES + 1, 2**31 - 1])
def test_a_length_that_is_nonsense_is_not_believed(length: int, both: Both) -> None:
    both.write(struct.pack("!i", length))
    with pytest.raises(ValueError, match=f"message of {length:,} bytes"):
        both.receive()


def test_who_does_not_listen_is_waited_for_until_the_deadline(both: Both) -> None:
    with pytest.raises(TimeoutError):
        both.send(b"x" * (64 << 20), 0.2)
    with pytest.raises(TimeoutError):
        both.channel.send_descriptor(0, time.monotonic() + 0.2)


def test_whoever_hung_up_has_ended(both: Both) -> None:
    both.write(struct.pack("!i", 5) + b"half")
    both.theirs.close()
    with pytest.raises(EOFError):
        both.receive()
    with pytest.raises(OSError):
        both.send(b"anyone?")


def test_who_ended_is_heard_out_though_the_connection_stays_open(both: Both) -> None:
    both.theirs.send_bytes(b"last words")
    both.end.close()
    assert both.receive() == b"last words"
    with pytest.raises(EOFError):
        both.receive()
