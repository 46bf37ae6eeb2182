"""Three hosts: the server, its callers with their carrier, and
the attacker, whose side has every address that is not a caller's.

The server's default route leads to the attacker, so that what is
answered to forged addresses arrives there and can be counted.
"""
import pathlib
import subprocess

SERVER, LOAD, ATTACK = "vas-bench-server", "vas-bench-callers", "vas-bench-attacker"
SERVER_IP, CALLER_IP, CARRIER_IP, ATTACKER_IP = "10.79.1.2", "10.79.1.1", "10.79.1.9", "10.79.2.1"
FORGED = "100.64.0.0/10"  # from which a thousand and more addresses are drawn
UDP_HEADERS = 14 + 20 + 8


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)


def inside(namespace, *command):
    return ["ip", "netns", "exec", namespace, *map(str, command)]


class Lab:
    def __enter__(self):
        self.down()
        for namespace in (SERVER, LOAD, ATTACK):
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        for namespace, here, there, net in ((LOAD, "callers", "to-callers", 1), (ATTACK, "attacker", "to-attacker", 2)):
            run("ip", "link", "add", here, "netns", namespace, "type", "veth", "peer", "name", there, "netns", SERVER)
            for place, interface, last in ((namespace, here, 1), (SERVER, there, 2)):
                run("ip", "-n", place, "address", "add", f"10.79.{net}.{last}/24", "dev", interface)
                run("ip", "-n", place, "link", "set", interface, "up")
            run("ip", "-n", namespace, "route", "add", "default", "via", f"10.79.{net}.2")
        run("ip", "-n", LOAD, "address", "add", f"{CARRIER_IP}/24", "dev", "callers")
        run("ip", "-n", SERVER, "route", "add", "default", "via", ATTACKER_IP)
        for name in ("all", "to-attacker", "to-callers"):  # sources are forged
            run(*inside(SERVER, "sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0"))
        return self

    def __exit__(self, *_):
        self.down()

    @staticmethod
    def down():
        for namespace in (SERVER, LOAD, ATTACK):
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True)


class AttackersTraffic:
    """What the attacker's side sent and got, in bytes of UDP's payload."""

    def __init__(self):
        self.sent, self.got = self.read()

    @staticmethod
    def read():
        folder = pathlib.Path("/sys/class/net/attacker/statistics")
        names = ("tx_bytes", "tx_packets", "rx_bytes", "rx_packets")
        text = run(*inside(ATTACK, "cat", *(folder / name for name in names))).stdout.split()
        tx_bytes, tx_packets, rx_bytes, rx_packets = map(int, text)
        return tx_bytes - UDP_HEADERS * tx_packets, rx_bytes - UDP_HEADERS * rx_packets

    def ratio(self):
        sent, got = self.read()
        return (got - self.got) / max(1, sent - self.sent)
