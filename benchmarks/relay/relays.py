"""The relays that are measured: VAS by each of its means, and rtpengine in user space."""
import json
import pathlib
import re
import tempfile
import time
import urllib.request

import lab
from calls import NgCalls, SipCalls, phone_ports
from report import TRUNK_UNLIMITED, UNLIMITED

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOMAIN, MSISDN, KEY = "bench.example", "15550001", "XIbench"
PORTS_EACH = 10000
SETTLE = (20_000, 1.5)  # rate and seconds that precede the first measurement: relays learn the parties' addresses


class Relay:
    """One relay with its calls. `place` keeps the ports of several apart."""

    def __init__(self, here, place):
        self.lab, self.first_port = here, 10000 + PORTS_EACH * place
        self.place, self.process = place, None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vas-bench-"))
        self.log = open(self.folder / "log", "wb")
        self.legs, self.next_number = [], 0

    def make_calls(self, count):
        before = self.resident_kb()
        self.legs = [self.calls.make(index) for index in range(count)]
        self.kb_per_call = (self.resident_kb() - before) / count
        self.write_streams()

    def recover(self):
        """After an overload, so that it does not spoil what is measured next."""
        time.sleep(0.5)

    def write_streams(self):
        lines = []
        for caller, caller_to, callee, callee_to in self.legs:
            lines += [
                f"{caller[0]} {caller[1]} {caller_to[0]} {caller_to[1]}",
                f"{callee[0]} {callee[1]} {callee_to[0]} {callee_to[1]}",
            ]
        # One packet of each leg after the other, callers first: neighbours in time are not neighbours in a call.
        self.streams = self.folder / "streams"
        self.streams.write_text("\n".join(lines[0::2] + lines[1::2]) + "\n")

    def load(self, rate, seconds):
        """What one run of the generator measured, with `cpu_us` a packet and `kernel_share`."""
        kernel_before, cpu_before = self.kernel_packets(), self.cpu_ns()
        done = lab.run(
            "taskset",
            "-c",
            lab.LOAD_CPU,
            *lab.inside(
                lab.LOAD,
                ROOT / "build/release/bin/rtp-load",
                lab.LOAD_IF,
                self.lab.load_mac,
                self.lab.relay_mac,
                self.streams,
                self.next_number,
                rate,
                seconds,
            ),
        )
        figures = json.loads(done.stdout)
        self.next_number += figures["sent"] // (2 * len(self.legs)) + 1
        # By what was relayed: a relay that drowns would look cheap by what it was sent.
        figures["cpu_us"] = (self.cpu_ns() - cpu_before) / 1000 / max(1, figures["received"])
        time.sleep(0.3)  # the server's figures of the kernel are a quarter of a second old
        figures["kernel_share"] = (self.kernel_packets() - kernel_before) / figures["sent"]
        figures["loss"] = 1 - figures["received"] / figures["sent"]
        if figures["loss"] > 0.01:
            self.recover()
        return figures

    def cpu_ns(self):
        return lab.cpu_ns(self.process.pid) + lab.cpu_ns(self.lab.relay_napi)

    def resident_kb(self):
        return int(
            next(line.split()[1] for line in open(f"/proc/{self.process.pid}/status") if line.startswith("VmRSS"))
        )

    def kernel_packets(self):
        return 0

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


class Vas(Relay):
    FLAGS = {
        "kernel": (),
        "uring": ("--media-kernel", "off", "--media-io", "uring"),
        "epoll": ("--media-kernel", "off", "--media-io", "epoll"),
    }

    def __init__(self, here, place, means, flags=(), trunks=()):
        """`flags` of the server and `trunks` of its directory, besides the usual ones."""
        super().__init__(here, place)
        self.name, self.trunk = means, 5100 + place
        sip, self.http, trunk = 5060 + 10 * place, 8080 + place, self.trunk
        (self.folder / "directory.json").write_text(
            json.dumps(
                {
                    "tenants": [{"id": 1, "name": "bench", "limits": UNLIMITED}],
                    "domains": [
                        {
                            "id": 3,
                            "tenantId": 1,
                            "name": DOMAIN,
                            "profile": {**UNLIMITED, "api-requests-per-second": 1000000, "session-ttl": 3600},
                        }
                    ],
                    "subscribers": [{"id": 11, "domainId": 3, "msisdn": MSISDN}],
                    "trunks": [
                        {
                            "id": 1,
                            "domainId": 3,
                            "name": "carrier",
                            **TRUNK_UNLIMITED,
                            "sources": ["192.0.2.1"],
                            "targets": [f"{lab.LOAD_IP}:{trunk}"],
                        },
                        *({**each, "domainId": 3, "targets": [f"{lab.LOAD_IP}:{trunk}"]} for each in trunks),
                    ],
                    "apiKeys": [{"id": 1, "key": KEY, "scope": "system"}],
                }
            )
        )
        self.process = lab.start(
            lab.RELAY,
            lab.RELAY_CPU,
            ROOT / "build/release/bin/vas",
            "--data-dir",
            self.folder / "data",
            "--directory",
            self.folder / "directory.json",
            "--log-level",
            "warn",
            "--sip-requests-per-second",
            0,
            "--peer-allow",
            f"{lab.LOAD_IP}/24",
            "--http-listen",
            f"{lab.RELAY_IP}:{self.http}",
            "--sip-listen",
            f"{lab.RELAY_IP}:{sip}",
            "--media-bind",
            lab.RELAY_IP,
            "--media-port-min",
            self.first_port,
            "--media-port-max",
            self.first_port + PORTS_EACH - 1,
            "--media-workers",
            1,
            "--media-timeout",
            86400,
            *self.FLAGS[means],
            *flags,
            log=self.log,
        )
        self.wait()
        self.calls = SipCalls(lab.LOAD_IP, lab.RELAY_IP, sip, self.http, DOMAIN, MSISDN, KEY, trunk)

    def wait(self):
        for _ in range(200):
            try:
                return urllib.request.urlopen(f"http://{lab.RELAY_IP}:{self.http}/readyz", timeout=2).read()
            except OSError:
                time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text())

    def metric(self, pattern):
        request = urllib.request.Request(
            f"http://{lab.RELAY_IP}:{self.http}/metrics", headers={"Authorization": "bearer " + KEY}
        )
        text = urllib.request.urlopen(request, timeout=5).read().decode()
        return float(re.search(r"^" + pattern + r" (\S+)$", text, re.M)[1])

    def kernel_packets(self):
        return self.metric(r'vas_media_packets_total\{path="kernel"\}')


class Rtpengine(Relay):
    name = "rtpengine"

    def __init__(self, here, place):
        super().__init__(here, place)
        # One thread, for it has one core: more of them only get in each other's way.
        self.process = lab.start(
            lab.RELAY,
            lab.RELAY_CPU,
            "rtpengine",
            f"--interface={lab.RELAY_IP}",
            f"--listen-ng={lab.RELAY_IP}:2223",
            "--table=-1",
            "-f",
            "-E",
            "-L",
            "4",
            f"--port-min={self.first_port}",
            f"--port-max={self.first_port + PORTS_EACH - 1}",
            "--num-threads=1",
            "--timeout=86400",
            "--silent-timeout=86400",
            f"--pidfile={self.folder}/pid",
            log=self.log,
        )
        self.calls = NgCalls(lab.LOAD_IP, (lab.RELAY_IP, 2223))
        for _ in range(100):
            try:
                self.calls.socket.settimeout(0.2)
                self.calls.ask(command="ping")
                break
            except OSError:
                time.sleep(0.05)
        self.calls.socket.settimeout(5)

    def recover(self):
        # Streams that rtpengine could not keep up with stay silent ever after: it is given new ones.
        count = len(self.legs)
        self.calls.hang_up()
        self.legs = [self.calls.make(index) for index in range(count)]
        self.write_streams()
        super().load(*SETTLE)


class Wire(Relay):
    """No relay: a few lines of BPF send each packet back. What the lab's two interfaces cost by themselves."""

    name = "wire"

    class Calls:
        def __init__(self, port):
            self.port = port

        def make(self, index):
            mine, theirs = phone_ports(index)
            return (lab.LOAD_IP, mine), (lab.RELAY_IP, self.port), (lab.LOAD_IP, theirs), (lab.RELAY_IP, self.port)

    def __init__(self, here, place):
        super().__init__(here, place)
        self.process = lab.start(
            lab.RELAY,
            lab.RELAY_CPU,
            ROOT / "build/release/bin/rtp-reflect",
            lab.RELAY_IF,
            self.first_port,
            log=self.log,
        )
        self.calls = self.Calls(self.first_port)
