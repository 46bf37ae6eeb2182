"""What the end-to-end tests stand on: the built server, a backend, and phones, all on loopback.

Phones: Baresip (a real phone), Sipp (scenarios made of steps), Caller (vas-caller), Phone (scripted by hand, for what
real phones refuse to do). Every address is in 127.0.0.0/8; media ports of phones stay out of the server's range.
"""
import array
import contextlib
import ctypes
import http.client
import http.server
import json
import math
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import wave

from ws_client import WebSocket

HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("VAS_BIN", HERE.parents[1] / "build/release/bin"))
SLOW = float(os.environ.get("VAS_SLOW", "1"))  # sanitizers make everything slower
KEY = "XIe2eSystemKey"
DOMAIN = "e2e.example"
TRUNK = "127.0.0.9"  # a trusted source
# Another one, whose media may come from elsewhere: baresip sends RTP from 127.0.0.1 whatever address its SIP has.
LOOSE_TRUNK = "127.0.0.10"
# Loopback, and the hosts of hosts.py. What is behind a NAT there is not.
PEER_ALLOW = ("127.0.0.0/8", "::1", "10.78.0.0/16", "fd00:78::/32")
ALICE, BOB, IDLE = "15550001", "15550002", "15550003"

_next_port = [int(os.environ.get("VAS_E2E_PORTS", "30000"))]


def free_ports(count=2):
    """The first of `count` neighbouring ports, even; never given twice in one run."""
    first = _next_port[0]
    _next_port[0] += count + count % 2
    return first


def in_uri(address):
    return f"[{address}]" if ":" in address else address


def die_with_parent():
    """Run in each child before its program: a test that is killed leaves no process behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def server_folder():
    """A new one, which a server that root started can pass when it has become another user."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vas-e2e-"))
    folder.chmod(0o711)
    return folder


def wait_until(condition, seconds=10, what="condition"):
    deadline = time.monotonic() + seconds * SLOW
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds * SLOW:.0f} s")


# ---- audio ----

def tone_share(path, hertz):
    """Share of the energy of a recording that is in one tone, measured over blocks of 100 ms that are not silent."""
    with wave.open(str(path)) as recording:
        rate, channels = recording.getframerate(), recording.getnchannels()
        samples = array.array("h", recording.readframes(recording.getnframes()))[::channels]
    block = rate // 10
    in_tone = total = 0.0
    for at in range(0, len(samples) - block + 1, block):
        piece = samples[at:at + block]
        energy = float(sum(sample * sample for sample in piece))
        if energy < block * 200 * 200:
            continue
        step = 2 * math.cos(2 * math.pi * hertz / rate)
        newer = older = 0.0
        for sample in piece:
            newer, older = sample + step * newer - older, newer
        in_tone += 2 * (newer * newer + older * older - step * newer * older) / block
        total += energy
    return in_tone / total if total else 0.0


def audible_seconds(path):
    with wave.open(str(path)) as recording:
        rate = recording.getframerate()
        samples = array.array("h", recording.readframes(recording.getnframes()))[::recording.getnchannels()]
    block = rate // 50
    return sum(0.02 for at in range(0, len(samples) - block + 1, block)
               if sum(s * s for s in samples[at:at + block]) > block * 200 * 200)


def write_tone(path, hertz, rate, seconds):
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        period = array.array("h", (int(12000 * math.sin(2 * math.pi * hertz * i / rate)) for i in range(rate)))
        for _ in range(seconds):
            out.writeframes(period.tobytes())


# ---- the server and its backend ----

class Backend:
    """The customer's control endpoint (/incoming), its routing application (/application), and a receiver of callbacks (all
    other paths). `answer` is what the first is answered, `instructions` the body of the second's answer; `callback_answer`
    gets the path and the callback, and returns a status."""

    def __init__(self, address="127.0.0.1"):
        backend = self
        self.notifications, self.callbacks = [], []
        self.posts = []  # of both, as they came: (path, body, headers)
        self.answer = 204
        self.instructions = b""
        self.callback_answer = lambda path, body: 200

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                content = self.rfile.read(int(self.headers["Content-Length"]))
                body = json.loads(content)
                backend.posts.append((self.path, content, dict(self.headers)))
                is_notification = self.path in ("/incoming", "/application")
                (backend.notifications if is_notification else backend.callbacks).append((body, dict(self.headers)))
                status = backend.answer if is_notification else backend.callback_answer(self.path, body)
                if isinstance(status, list):
                    status = status.pop(0) if len(status) > 1 else status[0]
                answer = backend.instructions if self.path == "/application" else b""
                self.send_response(status)
                if status in (301, 302, 307, 308):
                    self.send_header("Location", "/redirected")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 256  # of connections not accepted yet; 5 would drop the SYNs of a burst

            def handle_error(self, *_):
                """A server that was killed leaves its connections; nobody needs to read that."""

        self.server = Server((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Vas:
    """One running server with its own data folder."""

    def __init__(self, folder, backend_url="http://127.0.0.1:9", profile=None, trunk_port=None, flags=()):
        self.folder = pathlib.Path(folder)
        self.sip_port, self.http_port = free_ports(), free_ports()
        self.trunk_port = trunk_port or free_ports()
        self.flags = list(flags)
        self.allows_loopback = True  # for callbacks: the tests' backends are there
        self.peer_allow = PEER_ALLOW  # for SIP and media: the tests' phones are there
        self.directory = {
            "tenants": [{"id": 1, "name": "e2e"}],
            "domains": [{"id": 3, "tenantId": 1, "name": DOMAIN, "profile": {
                "registration-free-control-endpoint": backend_url + "/incoming", "call-timeout": 20, "session-ttl": 30,
                **(profile or {})}}],
            "subscribers": [{"id": 11, "domainId": 3, "msisdn": ALICE}, {"id": 12, "domainId": 3, "msisdn": BOB},
                            {"id": 13, "domainId": 3, "msisdn": IDLE, "active": False}],
            "trunks": [{"id": 7, "domainId": 3, "name": "carrier", "sources": [TRUNK],
                        "targets": [f"{TRUNK}:{self.trunk_port}"]},
                       {"id": 8, "domainId": 3, "name": "loose", "sources": [LOOSE_TRUNK], "latchesToAnyone": True}],
            "apiKeys": [{"id": 1, "key": KEY, "scope": "system"}],
        }
        self.process = None
        self.address, self.wrapper = "127.0.0.1", ()  # where it listens; what it is started by

    def start(self):
        self.launch()
        wait_until(self.is_ready, 20, "the server's start")
        return self

    def launch(self):
        """Starts the process and does not wait for it."""
        directory = ()
        if self.directory is not None:  # None: an empty store makes its own first key
            (self.folder / "directory.json").write_text(json.dumps(self.directory))
            directory = ("--directory", self.folder / "directory.json")
        self.log = open(self.folder / "vas.log", "ab")
        self.process = subprocess.Popen(
            [*self.wrapper, BIN / "vas", "--data-dir", self.folder / "data", *directory,
             "--sip-listen", self.sip, "--http-listen", f"{in_uri(self.address)}:{self.http_port}",
             *(("--webhook-allow", "127.0.0.0/8") if self.allows_loopback else ()),
             *(flag for block in self.peer_allow for flag in ("--peer-allow", block)), *self.flags],
            stdout=self.log, stderr=self.log, preexec_fn=die_with_parent)

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"vas ended with {self.process.returncode}:\n{self.log_text()}")
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def log_text(self):
        return (self.folder / "vas.log").read_text(errors="replace")

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process = None
        self.log.close()
        return code

    def request(self, method, path, body=None, key=KEY, timeout=60, fields=()):
        connection = http.client.HTTPConnection(self.address, self.http_port, timeout=timeout)
        headers = {**({"Authorization": "bearer " + key} if key else {}), **dict(fields)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
            if response.status == 205:  # the client library hides a 205's body
                return response.status, {"status": response.headers["X-Session-Status"]}
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def text(self, path):
        """The body of a GET that is not JSON."""
        connection = http.client.HTTPConnection(self.address, self.http_port, timeout=10)
        try:
            connection.request("GET", path, headers={"Authorization": "Bearer " + KEY})
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def make_outgoing(self, destination="999", msisdn=ALICE, **fields):
        status, session = self.request("POST", f"/calls/{DOMAIN}/outgoing/{msisdn}", {"destination": destination, **fields})
        assert status == 200, session
        return session

    def session(self, token):
        return self.request("GET", f"/calls/{DOMAIN}/sessions/{token}")

    def records(self):
        path = self.folder / "data/records.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def record_of(self, token, seconds=10):
        def found():
            mine = [record for record in self.records() if record["session"] == token]
            assert len(mine) <= 1, f"{len(mine)} records of one call"
            return mine and mine[0]
        return wait_until(found, seconds, "the call's record")

    @property
    def sip(self):
        return f"{in_uri(self.address)}:{self.sip_port}"


class Poll(threading.Thread):
    """A ringing long poll in the background."""

    def __init__(self, vas, token, msisdn=BOB):
        super().__init__(daemon=True)
        self.vas, self.path, self.result = vas, f"/calls/{DOMAIN}/ringing/{msisdn}/{token}", None
        self.start()

    def run(self):
        self.result = self.vas.request("GET", self.path, key=None)

    def wait(self, seconds=30):
        self.join(seconds * SLOW)
        return self.result


# ---- phones ----

class Caller:
    """vas-caller in the background; result() is its JSON."""

    def __init__(self, folder, name, *flags, wrapper=()):
        self.wav = pathlib.Path(folder) / f"{name}.wav"
        self.process = subprocess.Popen([*wrapper, BIN / "vas-caller", "--record", self.wav, "--announce", *map(str, flags)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)
        line = self.process.stderr.readline()  # waits until it listens
        assert line.startswith("listening "), line
        self.sip = line.split()[1]

    def result(self, seconds=60):
        out, err = self.process.communicate(timeout=seconds * SLOW)
        assert out, f"vas-caller said nothing: {err}"
        return json.loads(out)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def dialling(vas, token, *flags):
    return ("--dial", f"sip:any@{vas.sip}", "--token", token, "--domain", DOMAIN, *flags)


class Baresip:
    """baresip without a screen: plays a tone, records both ways."""

    modules = None

    def __init__(self, folder, name, address, tone, codec="pcmu/8000/1", answers=False, transport=None,
                 authority=None, encryption=None, nat=None):
        self.folder = pathlib.Path(folder) / name
        self.name, self.address, self.port, self.control = name, address, free_ports(4), free_ports()
        rate = int(codec.split("/")[1])
        (self.folder / "rec").mkdir(parents=True)
        write_tone(self.folder / "tone.wav", tone, rate, 60)
        media = free_ports(10)
        modules = ["g711", "g722", "opus", "aufile", "aubridge", "sndfile", *([encryption if encryption == "dtls_srtp" else "srtp"] if encryption else []),
                   *([nat] if nat else [])]
        (self.folder / "config").write_text("\n".join([
            "poll_method epoll", f"sip_listen {in_uri(address)}:{self.port}", "call_local_timeout 60", "call_max_calls 4",
            "audio_path /nonexistent", "audio_player aubridge,nil", f"audio_source aufile,{self.folder}/tone.wav",
            "audio_alert aubridge,alert", "audio_txmode thread", "audio_level no", "ausrc_format s16", "auplay_format s16",
            "auenc_format s16", "audec_format s16", f"rtp_ports {media}-{media + 9}", f"rtcp_mux {'yes' if nat == 'ice' else 'no'}", "jitter_buffer_delay 5-10",
            "rtp_stats yes", "rtp_timeout 60", f"net_interface {address}", f"module_path {self.module_path()}",
            *([f"sip_cafile {authority}"] if authority else []),
            *[f"module {module}.so" for module in modules], "module_tmp uuid.so", "module_tmp account.so",
            "module_app menu.so", "module_app ctrl_tcp.so", "module_app debug_cmd.so", "module_app xhdr.so",
            f"ctrl_tcp_listen 127.0.0.1:{self.control}", f"snd_path {self.folder}/rec", "opus_stereo no",
            "opus_sprop_stereo no", "menu_bell no", "ringback_disabled yes", "statmode_default off"]) + "\n")
        mode = "auto" if answers else "manual"
        (self.folder / "accounts").write_text(
            f"<sip:{name}@{in_uri(address)}:{self.port}{f';transport={transport}' if transport else ''}>;regint=0;answermode={mode};audio_codecs={codec}"
            f"{f';mediaenc={encryption}' if encryption else ''}{f';medianat={nat}' if nat else ''}\n")
        (self.folder / "contacts").write_text("")
        self.process = None

    @classmethod
    def module_path(cls):
        if cls.modules is None:
            cls.modules = tempfile.mkdtemp(prefix="vas-baresip-")
            for module in pathlib.Path("/usr/lib/baresip/modules").glob("*.so"):
                os.symlink(module, pathlib.Path(cls.modules) / module.name)
            subprocess.run(["gcc", "-DHAVE_STDBOOL_H", "-DHAVE_INET6", "-shared", "-fPIC", "-O1", "-I/usr/include/re", "-o",
                            f"{cls.modules}/xhdr.so", HERE / "baresip/xhdr.c"], check=True)
        return cls.modules

    def start(self, dial=None, headers=(), seconds=60):
        commands = [f"/xhdr {name}={value}" for name, value in headers] + ([f"/dial {dial}"] if dial else [])
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            ["baresip", "-f", self.folder, "-s", "-t", str(seconds), *[part for command in commands for part in ("-e", command)]],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=die_with_parent)
        if not dial:
            wait_until(lambda: b"baresip is ready" in (self.folder / "log").read_bytes(), 10, "baresip's start")
        return self

    def command(self, name, params=""):
        message = json.dumps({"command": name, "params": params, "token": "1"})
        with socket.create_connection(("127.0.0.1", self.control), timeout=5) as control:
            control.sendall(f"{len(message)}:{message},".encode())
            time.sleep(0.2)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.log.close()

    def log_text(self):
        return (self.folder / "log").read_text(errors="replace")

    def heard(self):
        """The recording of what came in."""
        return max((self.folder / "rec").glob("*-dec.wav"), key=lambda path: path.stat().st_size)


def sipp(scenario, remote, local, *flags, expect=0, seconds=60):
    """Runs SIPp to its end."""
    port = local.split(":")[1]
    command = ["sipp", remote, "-sf", str(HERE / "scenarios" / scenario), "-i", local.split(":")[0], "-p", port,
               "-nostdin", "-timeout", f"{int(seconds * SLOW)}s", *map(str, flags)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * SLOW + 10, preexec_fn=die_with_parent)
    assert done.returncode == expect, f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    return done


class Phone:
    """A phone scripted by hand over UDP: sends what it is told, malformed or not."""

    via_transport, contact_parameters = "UDP", ""

    def __init__(self, address="127.0.0.1", server=None, rtp_port=None):
        self.server = server
        self.open(address)
        self.address, self.port = self.socket.getsockname()[:2]
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((address, free_ports() if rtp_port is None else rtp_port))
        self.call_id = f"{time.monotonic_ns()}@phone"
        self.tag, self.remote_to, self.cseq, self.target = f"t{self.port}", None, 0, None

    def open(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))

    def transmit(self, text):
        host, port = self.server.split(":")
        self.socket.sendto(text.encode(), (host, int(port)))

    def take(self, seconds):
        """The next message's text."""
        self.socket.settimeout(seconds * SLOW)
        return self.socket.recv(65536).decode(errors="replace")

    def sdp(self, direction="sendrecv", payloads="0 101", version=1, port=None):
        return (f"v=0\r\no=phone 1 {version} IN IP4 {self.address}\r\ns=-\r\nc=IN IP4 {self.address}\r\nt=0 0\r\n"
                f"m=audio {port or self.rtp.getsockname()[1]} RTP/AVP {payloads}\r\na=rtpmap:0 PCMU/8000\r\n"
                f"a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n")

    def send(self, method, user="any", body="", headers=(), contact=None, via=None, cseq=None, target=None, branch=None, to=None,
             drop=(), version="SIP/2.0"):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        uri = target or self.target or f"sip:{user}@{self.server}"
        self.branch = branch or f"z9hG4bK{time.monotonic_ns()}"
        lines = [f"{method} {uri} {version}", via or f"Via: SIP/2.0/{self.via_transport} {self.address}:{self.port};branch={self.branch};rport",
                 f"From: <sip:phone@{self.address}>;tag={self.tag}", f"To: {to or self.remote_to or f'<sip:{user}@{self.server}>'}",
                 f"Call-ID: {self.call_id}", f"CSeq: {cseq} {method}", "Max-Forwards: 70",
                 contact or f"Contact: <sip:phone@{self.address}:{self.port}{self.contact_parameters}>", *headers]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        lines = [line for line in lines if not line.startswith(tuple(drop))] if drop else lines
        self.transmit("\r\n".join(lines) + "\r\n\r\n" + body)
        return self.branch

    def receive(self, seconds=5):
        return Message(self.take(seconds))

    def final(self, seconds=10, keep=()):
        """The next final answer; what `keep` names among the provisional ones is returned too."""
        kept = []
        while True:
            message = self.receive(seconds)
            if message.status >= 200:
                return (message, kept) if keep else message
            if message.status in keep:
                kept.append(message)

    def ack(self, answer, body=""):
        contact = answer.header("Contact")
        if answer.status < 300:
            self.remote_to = answer.header("To")
            if contact:
                self.target = re.search(r"<([^>]+)>", contact).group(1)
            self.send("ACK", cseq=self.cseq, body=body)
        else:
            self.send("ACK", cseq=self.cseq, branch=self.branch, to=answer.header("To"))

    def invite(self, token=None, user="any", body=None, **options):
        headers = [f"X-Cloudonix-Session: {token}", f"X-Cloudonix-Domain: {DOMAIN}"] if token else []
        return self.send("INVITE", user=user, body=self.sdp() if body is None else body,
                         headers=[*headers, *options.pop("headers", [])], **options)

    def bye(self):
        self.send("BYE")
        return self.final()

    def answer(self, request, status, phrase, body="", headers=()):
        lines = [f"SIP/2.0 {status} {phrase}", *[f"Via: {value}" for value in request.all("Via")], f"From: {request.header('From')}",
                 f"To: {request.header('To')}" + ("" if "tag=" in request.header("To") else f";tag={self.tag}"),
                 f"Call-ID: {request.header('Call-ID')}", f"CSeq: {request.header('CSeq')}",
                 f"Contact: <sip:phone@{self.address}:{self.port}>", *headers]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        self.transmit("\r\n".join(lines) + "\r\n\r\n" + body)

    def close(self):
        self.socket.close()
        self.rtp.close()


class StreamPhone(Phone):
    """The same over TCP, or over TLS with an ssl.SSLContext."""

    via_transport, contact_parameters = "TCP", ";transport=tcp"
    tls, server_name = None, None

    def open(self, address):
        host, port = self.server.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=10, source_address=(address, 0))
        if self.tls is not None:
            self.socket = self.tls.wrap_socket(self.socket, server_hostname=self.server_name or host)
        self.buffer = b""

    def transmit(self, text):
        self.socket.sendall(text.encode())

    def take(self, seconds):
        deadline = time.monotonic() + seconds * SLOW
        while True:
            self.buffer = self.buffer.lstrip(b"\r\n")
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            length = re.search(rb"\r\n(?:Content-Length|l)\s*:\s*(\d+)", head, re.IGNORECASE)
            size = int(length.group(1)) if length else 0
            if end and len(rest) >= size:
                self.buffer = rest[size:]
                return (head + end + rest[:size]).decode(errors="replace")
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError("the server closed the connection")
            self.buffer += piece


class TlsPhone(StreamPhone):
    via_transport, contact_parameters = "TLS", ";transport=tls"


class WebSocketPhone(Phone):
    via_transport, contact_parameters, tls, origin = "WS", ";transport=ws", None, None

    def open(self, address):
        self.web = WebSocket(self.server, origin=self.origin, tls=self.tls)
        self.socket = self.web.socket

    def transmit(self, text):
        self.web.send(text)

    def take(self, seconds):
        return self.web.receive(seconds * SLOW)


class Message:
    def __init__(self, text):
        head, _, self.body = text.partition("\r\n\r\n")
        self.start, *self.lines = head.split("\r\n")
        self.status = int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0
        self.method = "" if self.status else self.start.split()[0]

    def all(self, name):
        return [line.partition(":")[2].strip() for line in self.lines if line.lower().startswith(name.lower() + ":")]

    def header(self, name):
        values = self.all(name)
        return values[0] if values else ""

    def media(self):
        """Address and port of its audio line."""
        address = re.search(r"c=IN IP4 (\S+)", self.body).group(1)
        return address, int(re.search(r"m=audio (\d+)", self.body).group(1))


def rtp_packet(number, timestamp, ssrc=0x1234, payload_type=0, marker=False, payload=b"\xd5" * 160):
    return struct.pack("!BBHII", 0x80, (0x80 if marker else 0) | payload_type, number & 0xffff, timestamp & 0xffffffff, ssrc) + payload


# ---- the tests' base ----

def serving(test, handler):
    """An HTTP server that answers by `handler`, until `test` is over."""
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return server


class E2eTest(unittest.TestCase):
    """One server and one backend for a class of tests."""

    profile, flags, backend_address = {}, (), "127.0.0.1"

    @classmethod
    def setUpClass(cls):
        cls.folder = server_folder()
        cls.backend = Backend(cls.backend_address)
        cls.vas = Vas(cls.folder, cls.backend.url, cls.profile, flags=cls.flags)
        cls.place_server(cls.vas)
        cls.edit_directory(cls.vas.directory)
        cls.vas.start()

    @classmethod
    def place_server(cls, vas):
        """For tests whose server is on another host: its address, and what it is started by."""

    @classmethod
    def edit_directory(cls, directory):
        """For tests whose tenants, domains or keys are others than the usual ones."""

    @classmethod
    def tearDownClass(cls):
        code = cls.vas.stop()
        cls.backend.stop()
        log = cls.vas.log_text()
        if code not in (0, None) or "Sanitizer" in log:
            raise AssertionError(f"vas ended with {code}:\n{log[-6000:]}")
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.backend.answer = 204
        self.backend.callback_answer = lambda path, body: 200
        self.backend.notifications.clear()
        self.backend.callbacks.clear()
        self.backend.posts.clear()
        self.addCleanup(self.show_log_on_failure)

    def show_log_on_failure(self):
        failed = any(getattr(each, "test_case", each) is self for each, _ in [*self._outcome.result.failures, *self._outcome.result.errors])
        if failed:
            print(f"--- vas.log of {self.id()}\n{self.vas.log_text()[-3000:]}", flush=True)

    def scripted(self, address="127.0.0.1"):
        phone = Phone(address, self.vas.sip)
        self.addCleanup(phone.close)
        return phone

    def far_phone(self):
        """A scripted carrier with a port of its own, and the token of a session that is routed to it."""
        far = self.scripted(TRUNK)
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
        return far, self.vas.make_outgoing(routing=plan)["token"]

    def caller(self, name, *flags):
        caller = Caller(self.folder, f"{self._testMethodName}-{name}", *flags)
        self.addCleanup(caller.kill)
        return caller

    def carrier(self, *flags):
        """vas-caller as the carrier that outgoing calls reach. The one before it has the port until it has ended."""
        if getattr(self, "last_carrier", None):
            self.last_carrier.process.wait(10 * SLOW)
        self.last_carrier = self.caller("carrier", "--listen", f"{TRUNK}:{self.vas.trunk_port}", *flags)
        return self.last_carrier

    def assert_key_updates_are_cut(self, port):
        """A TLS connection that only renews its keys is closed at once, and not when it has been idle for long."""
        client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3"],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        begun = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            while client.poll() is None and time.monotonic() - begun < 6 * SLOW:
                client.stdin.write(b"k\n")  # a KeyUpdate
                client.stdin.flush()
                time.sleep(0.01)
        self.assertIsNotNone(client.wait(1 * SLOW))

    def notification(self):
        return wait_until(lambda: self.backend.notifications, 10, "the notification")[0][0]

    def assert_heard(self, path, theirs, own, least=0.95):
        self.assertGreater(tone_share(path, theirs), least, f"{path}: the other party's {theirs} Hz")
        self.assertLess(tone_share(path, own), 0.01, f"{path}: its own {own} Hz")
