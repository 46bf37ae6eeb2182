"""A DNS server that knows what a test tells it: A, SRV and NAPTR records."""
import socket
import struct
import threading

A, SRV, NAPTR = 1, 33, 35


def name_bytes(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def text_bytes(text):
    return bytes([len(text)]) + text.encode()


class DnsServer:
    def __init__(self, address="127.0.0.1"):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.endpoint = f"{address}:{self.socket.getsockname()[1]}"
        self.records, self.asked, self.is_silent = {}, [], False
        threading.Thread(target=self.serve, daemon=True).start()

    def a(self, name, address, ttl=60):
        self.add(name, A, ttl, socket.inet_aton(address))

    def srv(self, name, target, port, priority=0, weight=0, ttl=60):
        self.add(name, SRV, ttl, struct.pack("!HHH", priority, weight, port) + name_bytes(target))

    def naptr(self, name, service, replacement, order=0, preference=0, ttl=60):
        self.add(
            name,
            NAPTR,
            ttl,
            struct.pack("!HH", order, preference)
            + text_bytes("s")
            + text_bytes(service)
            + text_bytes("")
            + name_bytes(replacement),
        )

    def add(self, name, kind, ttl, data):
        self.records.setdefault((name.lower(), kind), []).append((ttl, data))

    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1 : at + 1 + query[at]].decode())
                at += 1 + query[at]
            kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
            name = ".".join(labels).lower()
            self.asked.append((name, kind))
            if self.is_silent:
                continue
            answers = self.records.get((name, kind), [])
            is_known = any(known == name for known, _ in self.records)
            header = query[:2] + struct.pack("!HHHHH", 0x8580 | (0 if is_known else 3), 1, len(answers), 0, 0)
            body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data for ttl, data in answers)
            self.socket.sendto(header + query[12 : at + 5] + body, peer)

    def stop(self):
        self.socket.close()
