"""Sets up calls through a relay's own control path, and says where each leg's media is to go.

A call is (caller's address, where it sends to, callee's address, where it sends to); all addresses are (ip, port).
"""
import base64
import http.client
import json
import os
import re
import socket
import time

MEDIA_PORT = 20000  # of the phones: even ones upwards


def sdp(ip, port, crypto=""):
    """`crypto`: the attribute's value; empty: plain RTP."""
    protocol, keys = ("RTP/SAVP", f"a=crypto:{crypto}\r\n") if crypto else ("RTP/AVP", "")
    return (
        f"v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} {protocol} 0\r\n"
        f"a=rtpmap:0 PCMU/8000\r\n{keys}a=sendrecv\r\n"
    )


class Key:
    """A suite with a master key, as a party sends under it."""

    BYTES = {"AES_CM_128_HMAC_SHA1_80": 30, "AEAD_AES_128_GCM": 28}

    def __init__(self, suite):
        self.suite, self.master = suite, os.urandom(self.BYTES[suite])

    def crypto(self, tag="1"):
        return f"{tag} {self.suite} inline:{base64.b64encode(self.master).decode()}"

    def answer_to(self, offer):
        """Under the tag that the offer has for our suite."""
        return self.crypto(re.search(rf"a=crypto:(\d+) {self.suite} ", offer)[1])


def media_of(text):
    return re.search(r"c=IN IP4 (\S+)", text)[1], int(re.search(r"m=audio (\d+)", text)[1])


def phone_ports(index):
    return MEDIA_PORT + 4 * index, MEDIA_PORT + 4 * index + 2


class SipCalls:
    """A caller and a carrier in one: dials sessions of the API and answers what reaches the trunk."""

    def __init__(self, ip, server_ip, sip_port, http_port, domain, msisdn, key, trunk_port):
        self.ip, self.server, self.domain = ip, (server_ip, sip_port), domain
        self.api = http.client.HTTPConnection(server_ip, http_port, timeout=10)
        self.path, self.key = f"/calls/{domain}/outgoing/{msisdn}", key
        self.caller, self.carrier = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.caller.bind((ip, 0))
        self.carrier.bind((ip, trunk_port))
        for each in (self.caller, self.carrier):
            each.settimeout(5)
        self.dialogs, self.made = [], 0

    def token(self, destination):
        self.api.request(
            "POST",
            self.path,
            json.dumps({"destination": destination}),
            {"Authorization": "bearer " + self.key, "Content-Type": "application/json"},
        )
        response = self.api.getresponse()
        body = json.loads(response.read())
        assert response.status == 200, body
        return body["token"]

    def request(self, method, call_id, cseq, to_tag="", body="", more=""):
        ip, port = self.caller.getsockname()
        to = f"<sip:999@{self.server[0]}>{to_tag}"
        self.caller.sendto(
            (
                f"{method} sip:999@{self.server[0]}:{self.server[1]} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:{port};branch=z9hG4bK{call_id}{method}\r\n"
                f"From: <sip:load@{ip}>;tag=l{call_id}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
                f"Contact: <sip:load@{ip}:{port}>\r\n{more}"
                + ("Content-Type: application/sdp\r\n" if body else "")
                + f"Content-Length: {len(body)}\r\n\r\n{body}"
            ).encode(),
            self.server,
        )

    def answer_on_trunk(self, port, key):
        """Answers the INVITE that the server sends; returns its SDP's address."""
        while True:
            datagram, source = self.carrier.recvfrom(65536)
            text = datagram.decode()
            if text.startswith("INVITE"):
                break
        copied = "".join(
            line + "\r\n"
            for line in text.split("\r\n")
            if line.lower().startswith(("via:", "from:", "call-id:", "cseq:", "record-route:"))
        )
        to = re.search(r"^To:.*$", text, re.M | re.I)[0].strip()
        body = sdp(self.ip, port, key.answer_to(text) if key else "")
        self.carrier.sendto(
            (
                f"SIP/2.0 200 OK\r\n{copied}{to};tag=c{port}\r\nContact: <sip:999@{self.ip}:{self.carrier.getsockname()[1]}>\r\n"
                f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode(),
            source,
        )
        return media_of(text)

    def make(self, index, keys=(None, None), destination="999"):
        """`keys`: of the caller and of the callee, where they send SRTP."""
        mine, theirs = phone_ports(index)
        self.made += 1
        call_id = f"load{self.made}"
        self.request(
            "INVITE",
            call_id,
            1,
            body=sdp(self.ip, mine, keys[0].crypto() if keys[0] else ""),
            more=f"X-Cloudonix-Session: {self.token(destination)}\r\nX-Cloudonix-Domain: {self.domain}\r\n",
        )
        callee_sends_to = self.answer_on_trunk(theirs, keys[1])
        while True:
            text = self.caller.recv(65536).decode()
            if f"Call-ID: {call_id}\r\n" not in text or text.startswith("SIP/2.0 1"):
                continue
            assert text.startswith("SIP/2.0 200"), text
            break
        tag = re.search(r"^To:.*(;tag=\S+)", text, re.M | re.I)[1]
        self.request("ACK", call_id, 1, tag)
        self.dialogs.append((call_id, tag))
        return (self.ip, mine), media_of(text), (self.ip, theirs), callee_sends_to

    def hang_up(self):
        """A few at a time and until each has its response: a burst of thousands would not fit into anybody's socket."""
        left = dict(self.dialogs)
        for each in (self.caller, self.carrier):
            each.setblocking(False)
        for _ in range(50):
            for index, (call_id, tag) in enumerate(list(left.items())):
                self.request("BYE", call_id, 2, tag)
                if index % 20 == 19:
                    time.sleep(0.02)
                    self.finish_byes(left)
            time.sleep(0.1)
            self.finish_byes(left)
            if not left:
                break
        self.dialogs.clear()
        for each in (self.caller, self.carrier):
            each.settimeout(5)

    def finish_byes(self, left):
        for text, _ in received(self.caller):
            call_id = re.search(r"^Call-ID: (\S+)", text, re.M | re.I)[1]
            if "2 BYE" in text:
                left.pop(call_id, None)
        for text, source in received(self.carrier):
            if text.startswith("BYE"):
                copied = "".join(
                    line + "\r\n"
                    for line in text.split("\r\n")
                    if line.lower().startswith(("via:", "from:", "to:", "call-id:", "cseq:"))
                )
                self.carrier.sendto(f"SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n".encode(), source)


def received(from_socket):
    while True:
        try:
            datagram, source = from_socket.recvfrom(65536)
        except BlockingIOError:
            return
        yield datagram.decode(), source


def bencode(value):
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    if isinstance(value, int):
        return b"i%de" % value
    text = value.encode() if isinstance(value, str) else value
    return b"%d:%s" % (len(text), text)


def bdecode(data, at=0):
    """The value that begins at `at`, and where it ends."""
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in b"ld":
        at, items = at + 1, []
        while data[at : at + 1] != b"e":
            item, at = bdecode(data, at)
            items.append(item)
        return (items if kind == b"l" else dict(zip(items[::2], items[1::2]))), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1 : end].decode(errors="replace"), end


class NgCalls:
    """rtpengine's ng protocol: an offer and an answer a call."""

    def __init__(self, ip, ng):
        self.ip, self.ng, self.cookie = ip, ng, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(5)
        self.calls = []

    def ask(self, **command):
        self.cookie += 1
        self.socket.sendto(b"%d " % self.cookie + bencode(command), self.ng)
        answer = bdecode(self.socket.recv(65536).split(b" ", 1)[1])[0]
        assert answer["result"] in ("ok", "pong"), answer
        return answer

    def make(self, index, keys=(None, None)):
        mine, theirs = phone_ports(index)
        names = {"call-id": f"load{index}", "from-tag": f"l{index}", "replace": ["origin"]}
        protocol = {"transport-protocol": "RTP/SAVP" if keys[1] else "RTP/AVP", "DTLS": "off"} if any(keys) else {}
        offered = self.ask(
            command="offer", sdp=sdp(self.ip, mine, keys[0].crypto() if keys[0] else ""), **names, **protocol
        )
        answer = sdp(self.ip, theirs, keys[1].answer_to(offered["sdp"]) if keys[1] else "")
        answered = self.ask(command="answer", sdp=answer, **{**names, "to-tag": f"c{index}"})
        self.calls.append(names)
        return (self.ip, mine), media_of(answered["sdp"]), (self.ip, theirs), media_of(offered["sdp"])

    def hang_up(self):
        for names in self.calls:
            self.ask(command="delete", **names, **{"delete delay": 0})
        self.calls.clear()
