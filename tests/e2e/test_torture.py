"""The torture messages of RFC 4475 and RFC 5118 against a running server, over UDP, TCP, TLS, WebSocket and secure WebSocket."""
import select
import socket
import ssl
import sys
import time
import unittest

from harness import HERE, SLOW, TRUNK, E2eTest, Message, free_ports
from torture import DROP, RFC_4475, RFC_5118
from tls_lab import Authority
from ws_client import WebSocket


class TrunkWebSocket(WebSocket):
    """From the trunk's address."""

    def connect(self, server):
        host, port = server.split(":")
        return socket.create_connection((host, int(port)), timeout=15, source_address=(TRUNK, 0))


class Torture(E2eTest):
    @classmethod
    def place_server(cls, vas):
        authority = Authority(cls.folder / "authority")
        certificate, key = authority.issue("server", "IP:127.0.0.1")
        cls.trusting = ssl.create_default_context(cafile=str(authority.certificate))
        vas.ws_port, vas.tls_port, vas.wss_port = free_ports(), free_ports(), free_ports()
        vas.flags += ["--ws-listen", f"127.0.0.1:{vas.ws_port}", "--tls-listen", f"127.0.0.1:{vas.tls_port}",
                      "--wss-listen", f"127.0.0.1:{vas.wss_port}", "--tls-certificate", str(certificate), "--tls-key", str(key)]

    def setUp(self):
        super().setUp()
        # Vias without a port: their answers go to 5060 (RFC 3261 §18.2.2).
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.udp.bind((TRUNK, 5060))
        self.other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # for the one Via that names 6050
        self.other.bind((TRUNK, 6050))
        self.addCleanup(self.udp.close)
        self.addCleanup(self.other.close)

    def statuses(self, case, transport, receive, seconds):
        """What comes within the time: statuses above 100, and DROP where the connection ends."""
        found, deadline = [], time.monotonic() + seconds * SLOW
        while time.monotonic() < deadline:
            try:
                text = receive(deadline - time.monotonic())
            except TimeoutError:
                break
            except (ConnectionError, OSError):
                return found + [DROP]
            if text is None:
                return found + [DROP]
            message = Message(text)
            if message.status > 100 and case.is_answered_by(message, transport):
                return found + [message.status]
        return found

    def over_udp(self, case, seconds):
        self.udp.sendto(case.raw("udp"), ("127.0.0.1", self.vas.sip_port))

        def receive(left):
            ready = select.select([self.udp, self.other], [], [], max(0, left))[0]
            if not ready:
                raise TimeoutError
            return ready[0].recv(65536).decode(errors="replace")
        return self.statuses(case, "udp", receive, seconds)

    def over_stream(self, case, seconds, transport, stream):
        with stream:
            stream.sendall(case.raw(transport))

            def receive(left):
                stream.settimeout(max(0.01, left))
                return stream.recv(65536).decode(errors="replace") or None
            return self.statuses(case, transport, receive, seconds)

    def over_tcp(self, case, seconds):
        stream = socket.create_connection(("127.0.0.1", self.vas.sip_port), timeout=5, source_address=(TRUNK, 0))
        return self.over_stream(case, seconds, "tcp", stream)

    def over_tls(self, case, seconds):
        stream = socket.create_connection(("127.0.0.1", self.vas.tls_port), timeout=5, source_address=(TRUNK, 0))
        return self.over_stream(case, seconds, "tls", self.trusting.wrap_socket(stream, server_hostname="127.0.0.1"))

    def over_websocket(self, case, seconds, transport="ws", tls=None):
        web = TrunkWebSocket(f"127.0.0.1:{self.vas.wss_port if tls else self.vas.ws_port}", tls=tls)
        try:
            web.send_frame(2, case.raw(transport))
            return self.statuses(case, transport, web.receive, seconds)
        finally:
            web.close()

    def over_secure_websocket(self, case, seconds):
        return self.over_websocket(case, seconds, "wss", self.trusting)

    def run_all(self, cases):
        # What a case brings is by how messages are told from each other: datagram, stream, WebSocket.
        ways = [("UDP", 0, self.over_udp), ("TCP", 1, self.over_tcp), ("TLS", 1, self.over_tls), ("WebSocket", 2, self.over_websocket),
                ("secure WebSocket", 2, self.over_secure_websocket)]
        for case in cases:
            for transport, column, send in ways:
                expected = case.expected[column]
                with self.subTest(case=case.name, transport=transport):
                    seconds = 12 if expected == DROP else 0.4 if expected is None else 4
                    got = send(case, seconds)
                    self.assertEqual(got[0] if got else None, expected, case.shows)

    def test_rfc_4475(self):
        self.assertEqual(len(RFC_4475), 49)
        self.assertEqual(len({case.name for case in RFC_4475}), 49)
        self.run_all(RFC_4475)

    def test_rfc_5118(self):
        self.run_all(RFC_5118)

    def test_the_table_in_the_documents_is_this_one(self):
        self.assertEqual((HERE.parents[1] / "docs/conformance.md").read_text().split("<!-- cases -->")[1].strip(), table().strip())


def table():
    def cell(expected):
        return {None: "ignored", DROP: "closed"}.get(expected, str(expected))
    lines = []
    for title, cases in (("RFC 4475", RFC_4475), ("RFC 5118", RFC_5118)):
        lines += [f"### {title}", "", "| case | shows | UDP | TCP, TLS | WebSocket, secure or not |", "|---|---|---|---|---|"]
        lines += [f"| {case.name} | {case.shows} | " + " | ".join(cell(each) for each in case.expected) + " |" for case in cases]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1:] == ["--table"]:
        print(table())
    else:
        unittest.main(verbosity=2)
