"""The torture messages of RFC 4475 and RFC 5118 against a running server, over UDP, TCP and WebSocket."""
import select
import socket
import sys
import time
import unittest

from harness import HERE, SLOW, TRUNK, E2eTest, Message, free_ports
from torture import DROP, RFC_4475, RFC_5118
from ws_client import WebSocket

TRANSPORTS = ("UDP", "TCP", "WebSocket")


class TrunkWebSocket(WebSocket):
    """From the trunk's address."""

    def connect(self, server):
        host, port = server.split(":")
        return socket.create_connection((host, int(port)), timeout=15, source_address=(TRUNK, 0))


class Torture(E2eTest):
    @classmethod
    def place_server(cls, vas):
        vas.ws_port = free_ports()
        vas.flags += ["--ws-listen", f"127.0.0.1:{vas.ws_port}"]

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

    def over_tcp(self, case, seconds):
        with socket.create_connection(("127.0.0.1", self.vas.sip_port), timeout=5, source_address=(TRUNK, 0)) as stream:
            stream.sendall(case.raw("tcp"))

            def receive(left):
                stream.settimeout(max(0.01, left))
                return stream.recv(65536).decode(errors="replace") or None
            return self.statuses(case, "tcp", receive, seconds)

    def over_websocket(self, case, seconds):
        web = TrunkWebSocket(f"127.0.0.1:{self.vas.ws_port}")
        try:
            web.send_frame(2, case.raw("ws"))
            return self.statuses(case, "ws", web.receive, seconds)
        finally:
            web.close()

    def run_all(self, cases):
        for case in cases:
            for number, send in enumerate((self.over_udp, self.over_tcp, self.over_websocket)):
                expected = case.expected[number]
                with self.subTest(case=case.name, transport=TRANSPORTS[number]):
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
        lines += [f"### {title}", "", "| case | shows | UDP | TCP | WebSocket |", "|---|---|---|---|---|"]
        lines += [f"| {case.name} | {case.shows} | " + " | ".join(cell(each) for each in case.expected) + " |" for case in cases]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1:] == ["--table"]:
        print(table())
    else:
        unittest.main(verbosity=2)
