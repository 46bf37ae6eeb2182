"""The network of tests/interop/run: the server, the carriers
and each phone on a host of its own, a router between them."""
import contextlib
import pathlib
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time
import wave

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from harness import Phone, Vas, free_ports, rtp_packet, tone_share, audible_seconds  # noqa: E402
from hosts import SERVER, Hosts, ip  # noqa: E402
from tls_lab import Authority  # noqa: E402

ADDRESS_OF_SERVER, CARRIERS = "10.78.1.1", "10.78.2.1"
PHONE_SAYS, CARRIER_SAYS = 1000, 440  # Hz
HELD = 5  # seconds
LOUD = 200 * 200


class Lab:
    """Two servers, one that is ICE lite and one that is full, for their kinds differ by listener alone."""

    def __init__(self, phones):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vas-interop-"))
        self.folder.chmod(0o711)
        self.authority = Authority(self.folder / "ca")
        certificate, key = self.authority.issue("server", f"IP:{ADDRESS_OF_SERVER}")
        self.hosts = Hosts(("vas", "far", *phones))
        self.hosts.run(SERVER, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self.numbers = {name: number for number, name in enumerate(self.hosts.names, 1)}
        for name in phones:  # the server's media has no IPv6: a phone that has would offer that alone while it moves
            ip(
                "-n",
                self.hosts.namespace(name),
                "-6",
                "address",
                "flush",
                "dev",
                self.hosts.interface(name),
                "scope",
                "global",
            )
            self.route(name)
        self.servers = []
        try:
            self.lite, self.full = (self.server(ice, certificate, key) for ice in ("lite", "full"))
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self.answer_stun, daemon=True).start()

    def server(self, ice, certificate, key):
        folder = self.folder / ice
        folder.mkdir(mode=0o711)
        vas = Vas(
            folder,
            flags=[
                "--ice",
                ice,
                "--media-bind",
                ADDRESS_OF_SERVER,
                "--sip-offences",
                "0",
                "--srtp-keys-over-plain-sip",
                "true",
                "--tls-certificate",
                certificate,
                "--tls-key",
                key,
            ],
        )
        vas.address, vas.wrapper = ADDRESS_OF_SERVER, self.hosts.wrapper("vas")
        vas.tls_port, vas.ws_port = free_ports(), free_ports()
        first = 20000 if ice == "lite" else 25000
        vas.flags += [
            "--tls-listen",
            f"{vas.address}:{vas.tls_port}",
            "--ws-listen",
            f"{vas.address}:{vas.ws_port}",
            "--ws-origin",
            "*",
            "--media-port-min",
            first,
            "--media-port-max",
            first + 999,
        ]
        vas.flags = [str(flag) for flag in vas.flags]
        self.servers.append(vas)
        return vas.start()

    def address(self, host):
        return f"10.78.{self.numbers[host]}.1"

    def stun(self):
        return f"{ADDRESS_OF_SERVER}:3478"

    def answer_stun(self):
        """For phones that gather nothing without a STUN server."""
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((ADDRESS_OF_SERVER, 3478))
        while True:
            asked, source = server.recvfrom(2048)
            if asked[:2] != b"\0\1":
                continue
            mapped = struct.unpack("!I", socket.inet_aton(source[0]))[0] ^ 0x2112A442
            answer = struct.pack("!HHBBHI", 0x20, 8, 0, 1, source[1] ^ 0x2112, mapped)
            server.sendto(struct.pack("!HH", 0x101, len(answer)) + asked[4:20] + answer, source)

    def move(self, host):
        """The phone's network changes: its address is gone, and it has another."""
        inside, interface, number = self.hosts.namespace(host), self.hosts.interface(host), self.numbers[host]
        ip("-n", inside, "address", "del", f"10.78.{number}.1/24", "dev", interface)
        ip("-n", inside, "address", "add", f"10.78.{number}.9/24", "dev", interface)
        self.route(host)

    def route(self, host):
        """A way to everywhere: linphone knows its address by the one that it would reach a public host from."""
        ip("-n", self.hosts.namespace(host), "route", "replace", "default", "via", f"10.78.{self.numbers[host]}.2")

    def close(self):
        for vas in self.servers:
            with contextlib.suppress(Exception):
                vas.stop()
        self.hosts.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Carrier(threading.Thread):
    """The far party: takes the call and every change of it, says its
    tone whenever it may, and keeps what it hears by the second."""

    def __init__(self, lab, vas):
        super().__init__(daemon=True)
        self.lab, self.frames, self.is_over = lab, bytes(mu_law(tone(CARRIER_SAYS, 8000))), threading.Event()
        with lab.hosts.on("far"):
            self.phone = Phone(CARRIERS, vas.sip)
        self.heard = []  # (when, payload)
        self.to, self.may_send, self.version, self.changes = None, False, 0, 0
        self.start()

    @property
    def route(self):
        return {"routes": [{"termination_ip": f"{CARRIERS}:{self.phone.port}", "termination_number": "999"}]}

    def run(self):
        talker = threading.Thread(target=self.talk, daemon=True)
        talker.start()
        while not self.is_over.is_set():
            try:
                message = self.phone.receive(0.3)
            except OSError:
                continue
            if message.status == 0:
                self.take(message)
        talker.join()
        self.phone.close()

    def take(self, message):
        if message.method in ("INVITE", "UPDATE"):
            self.changes += 1
            if not message.body:
                direction = "sendrecv"
            else:
                offered = next(
                    (each for each in ("sendonly", "recvonly", "inactive") if f"a={each}" in message.body), "sendrecv"
                )
                direction = {"sendonly": "recvonly", "recvonly": "sendonly"}.get(offered, offered)
                self.to = message.media()
            self.may_send = direction in ("sendrecv", "sendonly")
            self.version += 1
            if message.method == "UPDATE" and not message.body:
                return self.phone.answer(message, 200, "OK")
            return self.phone.answer(
                message,
                200,
                "OK",
                self.phone.sdp(direction, "0", self.version).replace("a=rtpmap:101 telephone-event/8000\r\n", ""),
            )
        if message.method == "BYE":
            self.may_send = False
        if message.method != "ACK":
            self.phone.answer(message, 200, "OK")

    def talk(self):
        number, next_at = 0, time.monotonic()
        self.phone.rtp.setblocking(False)
        while not self.is_over.is_set():
            if self.may_send and self.to:
                at = number * 160 % 8000
                with contextlib.suppress(OSError):
                    self.phone.rtp.sendto(rtp_packet(number, number * 160, payload=self.frames[at : at + 160]), self.to)
                number += 1
            with contextlib.suppress(OSError):
                while True:
                    packet = self.phone.rtp.recv(2048)
                    if len(packet) > 12 and packet[1] & 0x7F == 0:
                        self.heard.append((time.monotonic(), packet[12:]))
            next_at += 0.02
            time.sleep(max(0.0, next_at - time.monotonic()))

    def finish(self, path):
        self.is_over.set()
        self.join()
        with wave.open(str(path), "wb") as out:
            out.setparams((1, 2, 8000, 0, "NONE", ""))
            out.writeframes(
                b"".join(struct.pack(f"<{len(each)}h", *(LINEAR[byte] for byte in each)) for _, each in self.heard)
            )
        return self

    def hears_until(self, end, seconds):
        """Whether loud packets came in each second of the last `seconds` before `end`."""
        of_second = {
            int(end - when)
            for when, payload in self.heard
            if when <= end and sum(LINEAR[byte] ** 2 for byte in payload[::7]) > LOUD * len(payload) / 7
        }
        return all(second in of_second for second in range(seconds))


def linear_of(byte):
    """G.711."""
    byte = ~byte & 0xFF
    magnitude = (((byte & 0xF) << 3) + 0x84) << ((byte >> 4) & 7)
    return (0x84 - magnitude) if byte & 0x80 else (magnitude - 0x84)


LINEAR = [linear_of(byte) for byte in range(256)]


def tone(hertz, rate):
    import math

    return [int(8000 * math.sin(2 * math.pi * hertz * at / rate)) for at in range(rate)]


def mu_law(samples):
    nearest = {}
    for sample in set(samples):
        nearest[sample] = min(range(256), key=lambda byte: abs(LINEAR[byte] - sample))
    return [nearest[sample] for sample in samples]


def tail_is_tone(path, hertz, seconds):
    """Whether the end of a recording is that tone."""
    with wave.open(str(path)) as recording:
        parameters, frames = recording.getparams(), recording.getnframes()
        recording.setpos(max(0, frames - int(seconds * recording.getframerate())))
        rest = recording.readframes(frames)
    tail = pathlib.Path(path).with_suffix(".tail.wav")
    with wave.open(str(tail), "wb") as out:
        out.setparams(parameters)
        out.writeframes(rest)
    return audible_seconds(tail) > 0.6 * seconds and tone_share(tail, hertz) > 0.8
