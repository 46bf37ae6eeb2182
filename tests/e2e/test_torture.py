"""The torture messages of RFC 4475 and RFC 5118 against a running server, over UDP, TCP, TLS and WebSocket."""
import concurrent.futures
import contextlib
import select
import socket
import ssl
import sys
import time
import unittest

from harness import HERE, SLOW, TRUNK, E2eTest, Message, free_ports
from tls_lab import Authority
from torture import DROP, RFC_4475, RFC_5118, Case, request
from ws_client import WebSocket

TRANSPORTS = ("UDP", "TCP", "TLS", "WebSocket")


class TrunkWebSocket(WebSocket):
    """From the trunk's address."""

    def connect(self, server):
        host, port = server.split(":")
        return socket.create_connection((host, int(port)), timeout=15, source_address=(TRUNK, 0))


class Torture(E2eTest):
    @classmethod
    def place_server(cls, vas):
        cls.authority = Authority(vas.folder / "authority")
        certificate, key = cls.authority.issue("vas", "IP:127.0.0.1")
        vas.ws_port, vas.tls_port = free_ports(), free_ports()
        vas.flags += [
            "--ws-listen",
            f"127.0.0.1:{vas.ws_port}",
            "--tls-listen",
            f"127.0.0.1:{vas.tls_port}",
            "--tls-certificate",
            str(certificate),
            "--tls-key",
            str(key),
        ]

    def setUp(self):
        super().setUp()
        # Vias without rport: their answers go to the port that they name, or to 5060 (RFC 3261 §18.2.2).
        self.udp = {port: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for port in (5060, 5050, 6050)}
        for port, each in self.udp.items():
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind((TRUNK, port))
            self.addCleanup(each.close)

    def statuses(self, case, transport, receive, wanted, seconds):
        """What comes within the time: statuses above 100, as many as are wanted, and DROP where the connection ends."""
        found, rest, deadline = [], "", time.monotonic() + seconds * SLOW
        while time.monotonic() < deadline:
            try:
                text = receive(deadline - time.monotonic())
            except TimeoutError:
                break
            except OSError:
                return found + [DROP]
            if text is None:
                return found + [DROP]
            *messages, rest = (rest + text).split("\r\n\r\n")  # no answer has a body
            for message in map(Message, messages):
                if message.status > 100 and case.is_answered_by(message, transport):
                    found.append(message.status)
            if len(found) >= wanted:
                return found
        return found

    @contextlib.contextmanager
    def way(self, transport):
        """(send, receive) over it."""
        if transport == "udp":

            def receive(left):
                ready = select.select(list(self.udp.values()), [], [], max(0, left))[0]
                if not ready:
                    raise TimeoutError
                return ready[0].recv(65536).decode(errors="replace")

            yield lambda message: self.udp[5060].sendto(message, ("127.0.0.1", self.vas.sip_port)), receive
        elif transport == "ws":
            web = TrunkWebSocket(f"127.0.0.1:{self.vas.ws_port}")
            with contextlib.closing(web):
                yield lambda message: web.send_frame(2, message), web.receive
        else:
            port = self.vas.tls_port if transport == "tls" else self.vas.sip_port
            with socket.create_connection(("127.0.0.1", port), timeout=5, source_address=(TRUNK, 0)) as stream:
                if transport == "tls":
                    stream = ssl.create_default_context(cafile=self.authority.certificate).wrap_socket(
                        stream, server_hostname="127.0.0.1"
                    )

                def receive(left):
                    stream.settimeout(max(0.01, left))
                    return stream.recv(65536).decode(errors="replace") or None

                yield stream.sendall, receive

    def answers(self, case, transport, expected):
        """Of what is expected to bring none: whether it is passed by when what came after it is answered."""
        with self.way(transport) as (send, receive):
            send(case.raw(transport))
            if expected is not None:
                wanted = len(expected) if isinstance(expected, list) else 1
                return self.statuses(case, transport, receive, wanted, 12 if expected == DROP else 4)
            probe = Case(case.name, "", "", request(f"after-{case.name}", "OPTIONS"), 200)
            probe.is_answered_by = (
                lambda message, transport: True
                if f"after-{case.name}." in message.header("Call-ID")
                else case.is_answered_by(message, transport)
            )
            send(probe.raw(transport))
            found = self.statuses(probe, transport, receive, 1, 4)
            return None if found == [200] else found

    def check(self, case, number):
        expected, transport = case.expected[number], ("udp", "tcp", "tls", "ws")[number]
        got = self.answers(case, transport, expected)
        with self.subTest(case=case.name, transport=TRANSPORTS[number]):
            self.assertEqual(
                got, expected if expected is None or isinstance(expected, list) else [expected], case.shows
            )

    def run_all(self, cases):
        # Where a stream is to be closed that takes its time: all at once, beside the others.
        all_of = [(case, number) for case in cases for number in range(len(TRANSPORTS))]
        patient = [each for each in all_of if each[0].expected[each[1]] == DROP]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            closed = [
                (each, pool.submit(self.answers, each[0], ("udp", "tcp", "tls", "ws")[each[1]], DROP))
                for each in patient
            ]
            for each in all_of:
                if each not in patient:
                    self.check(*each)
        for (case, number), answers in closed:
            with self.subTest(case=case.name, transport=TRANSPORTS[number]):
                self.assertEqual(answers.result(), [DROP], case.shows)

    def test_rfc_4475(self):
        self.assertEqual(len(RFC_4475), 49)
        self.assertEqual(len({case.name for case in RFC_4475}), 49)
        self.run_all(RFC_4475)

    def test_rfc_5118(self):
        self.run_all(RFC_5118)

    def test_the_table_in_the_documents_is_this_one(self):
        self.assertEqual(
            (HERE.parents[1] / "docs/conformance.md").read_text().split("<!-- cases -->")[1].strip(), table().strip()
        )


def table():
    def cell(expected):
        if isinstance(expected, list):
            return ", ".join(map(str, expected))
        return {None: "ignored", DROP: "closed"}.get(expected, str(expected))

    lines = []
    for title, cases in (("RFC 4475", RFC_4475), ("RFC 5118", RFC_5118)):
        lines += [
            f"### {title}",
            "",
            "| case | shows | the RFC asks | UDP | TCP | TLS | WebSocket |",
            "|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {case.name} | {case.shows} | {case.asks} | " + " | ".join(cell(each) for each in case.expected) + " |"
            for case in cases
        ]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1:] == ["--table"]:
        print(table())
    else:
        unittest.main(verbosity=2)
