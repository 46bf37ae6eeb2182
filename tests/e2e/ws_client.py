"""A WebSocket client by hand, for what a browser would not do."""
import base64
import os
import socket
import struct


class WebSocketRefused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class WebSocket:
    def __init__(self, server, protocol="sip", origin=None, tls=None, host=None):
        self.socket = self.connect(server)
        try:
            self.upgrade(server, protocol, origin, tls, host)
        except (WebSocketRefused, OSError):
            self.socket.close()
            raise

    def upgrade(self, server, protocol, origin, tls, host):
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=server.split(":")[0])
        headers = [
            "GET / HTTP/1.1",
            f"Host: {host or server}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ]
        if protocol:
            headers.append(f"Sec-WebSocket-Protocol: {protocol}")
        if origin:
            headers.append(f"Origin: {origin}")
        headers.append("Sec-WebSocket-Extensions: permessage-deflate")
        self.socket.sendall(("\r\n".join(headers) + "\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.socket.recv(4096)
            if not piece:
                raise WebSocketRefused(0, "closed")
            head += piece
        head, _, self.buffer = head.partition(b"\r\n\r\n")
        self.head = head.decode()
        status = int(self.head.split()[1])
        if status != 101:
            raise WebSocketRefused(status, self.buffer.decode())

    def connect(self, server):
        host, port = server.split(":")
        return socket.create_connection((host, int(port)), timeout=15)

    def send_frame(self, opcode, payload, final=True):
        mask = os.urandom(4)
        length = (
            struct.pack("!B", 0x80 | len(payload))
            if len(payload) < 126
            else struct.pack("!BH", 0x80 | 126, len(payload))
            if len(payload) < 65536
            else struct.pack("!BQ", 0x80 | 127, len(payload))
        )
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
        self.socket.sendall(bytes([(0x80 if final else 0) | opcode]) + length + mask + masked)

    def send(self, text):
        self.send_frame(1, text.encode())

    def take(self, count):
        while len(self.buffer) < count:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError("closed")
            self.buffer += piece
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def receive_frame(self, seconds=5):
        self.socket.settimeout(seconds)
        first, second = self.take(2)
        length = second & 127
        if length == 126:
            length = struct.unpack("!H", self.take(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self.take(8))[0]
        return first & 15, self.take(length)

    def receive(self, seconds=5):
        """The next text; pings are answered on the way."""
        while True:
            opcode, payload = self.receive_frame(seconds)
            if opcode == 9:
                self.send_frame(10, payload)
            elif opcode == 8:
                raise ConnectionError(f"closed with {struct.unpack('!H', payload[:2])[0] if payload else 0}")
            elif opcode in (1, 2):
                return payload.decode()

    def close(self):
        self.socket.close()
