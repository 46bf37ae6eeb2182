"""Ports for the server and the phones, which no other process of these tests has, in this checkout or in another."""
import fcntl
import os
import pathlib
import random
import socket
import tempfile
import threading

SIZE = 250  # of a block: the most neighbours that a test asks for are 204
FIRST = 10100  # a browser opens no page at some ports below, and services like to have those
SERVERS_MEDIA = 20000  # a server's own media ports begin there
LOCKS = pathlib.Path(tempfile.gettempdir())


def is_free(port):
    """Nothing is bound there at any address. Connections that linger after their end do not count."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET6, kind) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
            try:
                probe.bind(("::", port))
            except OSError:
                return False
    return True


def opened(path):
    """To be locked. Another user's file is opened without O_CREAT, which the kernel may forbid in a shared folder."""
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)


def take(first):
    """Whether the block is ours now, until this process ends, however it ends: its children do not inherit the lock."""
    try:
        lock = opened(LOCKS / f"vas-e2e-ports-{first}")
    except OSError:  # another user made it in this moment
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False
    if all(map(is_free, range(first, first + SIZE))):
        return True
    os.close(lock)
    return False


def draw():
    """A block of our own, below the ephemeral ports: any program may be given one of those at any time. Which, is left
    to chance: the next test should not hear what is still sent to an earlier one."""
    ephemeral = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    blocks = range(FIRST, min(ephemeral, SERVERS_MEDIA) - SIZE + 1, SIZE)
    for first in random.sample(blocks, len(blocks)):
        if take(first):
            return range(first, first + SIZE)
    raise AssertionError(f"none of {len(blocks)} blocks of {SIZE} ports is free")


_one_at_a_time = threading.Lock()
_rest = []  # of the block that was drawn last


def free_ports(count=2):
    """The first of `count` neighbouring ports, even; never given twice in one run."""
    count += count % 2
    assert count <= SIZE, f"{count} ports are more than a block has"
    with _one_at_a_time:
        if len(_rest) < count:
            _rest[:] = draw()
        first = _rest[0]
        del _rest[:count]
    return first
