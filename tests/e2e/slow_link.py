"""Delays what passes through a TUN device: run on a host (network namespace), it sends each packet on again after
MILLISECONDS, give or take SPREAD, evenly spread; later packets do not overtake.

    slow_link.py MILLISECONDS SPREAD NETWORK...

What this host sends to one of the networks goes that way.
"""
import collections
import fcntl
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
NAME, TABLE = "slow", "77"


def open_device():
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", NAME.encode(), IFF_TUN | IFF_NO_PI))
    return device


def lead_through(networks):
    def run(*command):
        subprocess.run(command, check=True)

    run("ip", "link", "set", NAME, "up")
    # What comes back from the device carries an address of this host, and is to be sent all the same.
    for name, value in (
        (f"conf/{NAME}/accept_local", 1),
        (f"conf/{NAME}/rp_filter", 0),
        ("conf/all/rp_filter", 0),
        ("ip_forward", 1),
    ):
        with open(f"/proc/sys/net/ipv4/{name}", "w") as setting:
            setting.write(str(value))
    run("ip", "route", "add", "default", "dev", NAME, "table", TABLE)
    for network in networks:
        run("ip", "rule", "add", "iif", "lo", "to", network, "ipproto", "udp", "lookup", TABLE)


def serve(device, delay, spread):
    waiting, last = collections.deque(), 0.0
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([device], [], [], timeout)[0]:
            last = max(last, time.monotonic() + delay + random.uniform(-spread, spread))
            waiting.append((last, os.read(device, 2048)))
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(device, waiting.popleft()[1])


def main():
    delay, spread = (float(each) / 1000 for each in sys.argv[1:3])
    device = open_device()
    lead_through(sys.argv[3:])
    print("ready", flush=True)
    serve(device, delay, spread)


if __name__ == "__main__":
    main()
