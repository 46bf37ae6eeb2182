"""Two hosts for the relay benchmark: namespaces joined by a
veth pair, the load on CPU 0, the relay under test on CPU 1.

Each side's receive work runs in a kernel thread of its own (threaded NAPI), pinned beside its side, so that what
receiving costs a relay is counted as exactly as its own threads: by the scheduler's clocks, in nanoseconds. (With TSO
on, veth would go past NAPI and have the sender do the receiver's work.)
"""
import ctypes
import os
import pathlib
import subprocess
import time

LOAD, RELAY = "vas-bench-load", "vas-bench-relay"
LOAD_IF, RELAY_IF = "vbl0", "vbr0"
LOAD_IP, RELAY_IP = "10.77.0.1", "10.77.0.2"
LOAD_CPU, RELAY_CPU = 0, 1


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **options)


def inside(namespace, *command):
    return ["ip", "netns", "exec", namespace, *map(str, command)]


def die_with_parent():
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG


def start(namespace, cpu, *command, log):
    """A program of one side, which ends with this one."""
    return subprocess.Popen(
        ["taskset", "-c", str(cpu), *inside(namespace, *command)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        preexec_fn=die_with_parent,
    )


def enter(namespace):
    """This process's own sockets are the load's."""
    with open(f"/var/run/netns/{namespace}") as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), 0x40000000) != 0:  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), "setns")


def cpu_ns(pid):
    """CPU time of a process with all its threads, or of a kernel thread, from the scheduler."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def napi_threads(interface):
    found = []
    for task in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (task / "comm").read_text().startswith(f"napi/{interface}-"):
                found.append(int(task.name))
        except OSError:
            continue
    return found


class Lab:
    def __enter__(self):
        self.down()
        while napi_threads(RELAY_IF) or napi_threads(LOAD_IF):  # of a lab before: namespaces end in the background
            time.sleep(0.1)
        for namespace in (LOAD, RELAY):
            run("ip", "netns", "add", namespace)
            run(*inside(namespace, "ip", "link", "set", "lo", "up"))
        run("ip", "link", "add", LOAD_IF, "netns", LOAD, "type", "veth", "peer", "name", RELAY_IF, "netns", RELAY)
        for namespace, interface, address in ((LOAD, LOAD_IF, LOAD_IP), (RELAY, RELAY_IF, RELAY_IP)):
            run(*inside(namespace, "ip", "address", "add", f"{address}/16", "dev", interface))
            run(*inside(namespace, "ip", "link", "set", interface, "up"))
            run(*inside(namespace, "ethtool", "-K", interface, "gro", "on", "tso", "off"))
            run(*inside(namespace, "sh", "-c", f"echo 1 > /sys/class/net/{interface}/threaded"))
        self.relay_napi = self.napi_thread(RELAY_IF, RELAY_CPU)
        self.napi_thread(LOAD_IF, LOAD_CPU)
        self.load_mac, self.relay_mac = (
            run(*inside(namespace, "cat", f"/sys/class/net/{interface}/address")).stdout.strip()
            for namespace, interface in ((LOAD, LOAD_IF), (RELAY, RELAY_IF))
        )
        run(*inside(LOAD, "ping", "-c", "1", "-W", "2", RELAY_IP))
        return self

    def __exit__(self, *_):
        self.down()

    @staticmethod
    def down():
        for namespace in (LOAD, RELAY):
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True)

    @staticmethod
    def napi_thread(interface, cpu):
        threads = napi_threads(interface)
        if len(threads) != 1:
            raise RuntimeError(
                f"{interface} has {len(threads)} receive threads and not one: threaded NAPI is needed here"
            )
        os.sched_setaffinity(threads[0], {cpu})
        os.sched_setscheduler(threads[0], os.SCHED_FIFO, os.sched_param(1))  # before any program, as a softirq is
        return threads[0]
