"""Several hosts on one machine: network namespaces around the server's, each joined to it by a veth pair.

The test itself is on the host "a"; sockets on other hosts are made inside `on(name)`. Root is needed; without it the
tests that use this are skipped by name.
"""
import contextlib
import ctypes
import os
import subprocess
import unittest

SERVER = "server"
CLONE_NEWNET = 0x40000000


def ip(*arguments):
    subprocess.run(["ip", *map(str, arguments)], check=True, capture_output=True, text=True)


def setns(descriptor):
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def is_possible():
    probe = f"vt{os.getpid()}-probe"
    return os.geteuid() == 0 and all(
        subprocess.run(["ip", "netns", what, probe], capture_output=True).returncode == 0 for what in ("add", "delete")
    )


class Hosts:
    """Host number i has 10.78.i.1 and fd00:78:i::1; towards it the server has 10.78.i.2 and fd00:78:i::2."""

    def __init__(self, names=("a", "b", "c")):
        if not is_possible():
            raise unittest.SkipTest("network namespaces need root")
        self.names = names
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.remove()
        for host in (SERVER, *names):
            ip("netns", "add", self.namespace(host))
            ip("-n", self.namespace(host), "link", "set", "lo", "up")
        for number, host in enumerate(names, 1):
            here, there = self.interface(host), f"to-{host}"
            ip(
                "link",
                "add",
                here,
                "netns",
                self.namespace(host),
                "type",
                "veth",
                "peer",
                "name",
                there,
                "netns",
                self.namespace(SERVER),
            )
            for namespace, interface, last in ((host, here, 1), (SERVER, there, 2)):
                ip("-n", self.namespace(namespace), "address", "add", f"10.78.{number}.{last}/24", "dev", interface)
                ip(
                    "-n",
                    self.namespace(namespace),
                    "address",
                    "add",
                    f"fd00:78:{number}::{last}/64",
                    "dev",
                    interface,
                    "nodad",
                )
                ip("-n", self.namespace(namespace), "link", "set", interface, "up")
            ip("-n", self.namespace(host), "route", "add", "10.78.0.0/16", "via", f"10.78.{number}.2")
            ip("-n", self.namespace(host), "-6", "route", "add", "fd00:78::/32", "via", f"fd00:78:{number}::2")
        self.enter(names[0])

    def namespace(self, host):
        return f"vt{os.getpid()}-{host}"

    @staticmethod
    def interface(host):
        return f"if-{host}"

    def wrapper(self, host=SERVER):
        """What a program on `host` is started by."""
        return ("ip", "netns", "exec", self.namespace(host))

    def run(self, host, *command, check=True):
        return subprocess.run([*self.wrapper(host), *map(str, command)], check=check, capture_output=True, text=True)

    def enter(self, host):
        with open(f"/var/run/netns/{self.namespace(host)}") as handle:
            setns(handle.fileno())

    @contextlib.contextmanager
    def on(self, host):
        before = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.enter(host)
        try:
            yield
        finally:
            setns(before)
            os.close(before)

    def add_behind(self, router, name):
        """A host with the private address 192.168.50.2, which reaches the others through `router` alone."""
        self.names = (*self.names, name)
        inside = self.namespace(name)
        ip("netns", "add", inside)
        ip("-n", inside, "link", "set", "lo", "up")
        ip(
            "link",
            "add",
            "inner",
            "netns",
            self.namespace(router),
            "type",
            "veth",
            "peer",
            "name",
            "outer",
            "netns",
            inside,
        )
        for namespace, interface, last in ((self.namespace(router), "inner", 1), (inside, "outer", 2)):
            ip("-n", namespace, "address", "add", f"192.168.50.{last}/24", "dev", interface)
            ip("-n", namespace, "link", "set", interface, "up")
        ip("-n", inside, "route", "add", "default", "via", "192.168.50.1")
        self.run(router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")

    def remove(self):
        for host in (SERVER, *self.names):
            subprocess.run(["ip", "netns", "delete", self.namespace(host)], capture_output=True)

    def close(self):
        setns(self.home)
        os.close(self.home)
        self.remove()
