"""A phone scripted by hand, for what real phones refuse to do."""
import re
import socket
import time

from .message import Message
from .ports import free_ports
from .settings import DOMAIN, SLOW


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
        return (
            f"v=0\r\no=phone 1 {version} IN IP4 {self.address}\r\ns=-\r\nc=IN IP4 {self.address}\r\nt=0 0\r\n"
            f"m=audio {port or self.rtp.getsockname()[1]} RTP/AVP {payloads}\r\na=rtpmap:0 PCMU/8000\r\n"
            f"a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
        )

    def send(
        self,
        method,
        user="any",
        body="",
        headers=(),
        contact=None,
        via=None,
        cseq=None,
        target=None,
        branch=None,
        to=None,
        drop=(),
        version="SIP/2.0",
    ):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        uri = target or self.target or f"sip:{user}@{self.server}"
        self.branch = branch or f"z9hG4bK{time.monotonic_ns()}"
        lines = [
            f"{method} {uri} {version}",
            via or f"Via: SIP/2.0/{self.via_transport} {self.address}:{self.port};branch={self.branch};rport",
            f"From: <sip:phone@{self.address}>;tag={self.tag}",
            f"To: {to or self.remote_to or f'<sip:{user}@{self.server}>'}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            contact or f"Contact: <sip:phone@{self.address}:{self.port}{self.contact_parameters}>",
            *headers,
        ]
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
        return self.send(
            "INVITE",
            user=user,
            body=self.sdp() if body is None else body,
            headers=[*headers, *options.pop("headers", [])],
            **options,
        )

    def bye(self):
        self.send("BYE")
        return self.final()

    def answer(self, request, status, phrase, body="", headers=()):
        lines = [
            f"SIP/2.0 {status} {phrase}",
            *[f"Via: {value}" for value in request.all("Via")],
            f"From: {request.header('From')}",
            f"To: {request.header('To')}" + ("" if "tag=" in request.header("To") else f";tag={self.tag}"),
            f"Call-ID: {request.header('Call-ID')}",
            f"CSeq: {request.header('CSeq')}",
            f"Contact: <sip:phone@{self.address}:{self.port}>",
            *headers,
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        self.transmit("\r\n".join(lines) + "\r\n\r\n" + body)

    def close(self):
        self.socket.close()
        self.rtp.close()
