"""Scripted phones over connections: TCP, TLS, WebSockets."""
import re
import socket
import time

from ws_client import WebSocket

from .phone import Phone
from .settings import SLOW


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
