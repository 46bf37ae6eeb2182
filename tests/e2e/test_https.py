"""The API over TLS, towards clients that are slow, silent, many or in the clear; what pages of other origins may read;
backends whose certificates are of an authority of one's own."""
import contextlib
import json
import re
import socket
import ssl
import subprocess
import time
import unittest

from api_harness import KEYS, MSISDN, ApiTest
from browser_lab import Browser, Pages
from harness import SLOW, TRUNK, Backend, E2eTest, Vas, free_ports, server_folder, wait_until
from tls_lab import Authority

POLL = "/calls/example.com/ringing/" + MSISDN + "/{}"


class HttpsTest(ApiTest):
    limits = ()

    @classmethod
    def setUpClass(cls):
        cls.folder_of_certificates = server_folder()
        cls.authority = Authority(cls.folder_of_certificates)
        cls.certificate, cls.key_file = cls.authority.issue("api", "IP:127.0.0.1", "DNS:api.example")
        cls.port, cls.wss_port = free_ports(), free_ports()
        # Loopback is a proxy by default, which is not counted by address.
        cls.flags = (
            "--https-listen",
            f"127.0.0.1:{cls.port}",
            "--https-certificate",
            cls.certificate,
            "--https-key",
            cls.key_file,
            "--http-proxy",
            "127.0.9.0/24",
            "--wss-listen",
            f"127.0.0.1:{cls.wss_port}",
            "--tls-certificate",
            cls.certificate,
            "--tls-key",
            cls.key_file,
            *cls.limits,
        )
        super().setUpClass()

    def trusting(self):
        return ssl.create_default_context(cafile=self.authority.certificate)

    def connect(self, address="127.0.0.1"):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=15 * SLOW, source_address=(address, 0))
        secure = self.trusting().wrap_socket(raw, server_hostname="api.example")
        self.addCleanup(secure.close)
        return secure

    def ask(self, connection, method, path, body=None, key="system"):
        content = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", "Host: api.example", f"Content-Length: {len(content)}"]
        head += [f"Authorization: Bearer {KEYS[key]}"] if key else []
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode() + content)
        return self.read_answer(connection)

    def metric(self, name, labels=""):
        text = self.call("GET", "/metrics").body.decode()
        return float(re.search(rf"^{name}{re.escape(labels)} (\S+)$", text, re.M).group(1))


class Https(HttpsTest):
    def test_everything_that_the_api_says_is_said_over_tls(self):
        connection = self.connect()
        made = self.ask(connection, "POST", f"/calls/example.com/outgoing/{MSISDN}", {"destination": "63121233333"})
        self.assertEqual(made.status, 200, made.body)
        found = self.ask(
            connection, "GET", f"/calls/example.com/sessions/{made.json['token']}"
        )  # on the same connection
        self.assertEqual(found.json["token"], made.json["token"])
        self.assertEqual(self.ask(connection, "GET", "/tenants", key=None).status, 401)
        document = self.ask(connection, "GET", "/openapi.json", key=None)  # of several records
        self.assertIn("/readyz", document.json["paths"])

    def test_bodies_of_many_records_and_requests_in_one_of_them(self):
        connection = self.connect()
        padding = "x" * 200_000
        answer = self.ask(
            connection,
            "POST",
            f"/calls/example.com/outgoing/{MSISDN}",
            {
                "destination": "63121233333",
                "routing": {"routes": [{"termination_ip": "192.0.2.1", "termination_number": "1"}], "padding": padding},
            },
        )
        self.assertEqual(answer.status, 200, answer.body[:200])
        self.assertTrue(answer.json["routing"]["padding"] == padding)
        connection.sendall(
            f"POST /tenants HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer {KEYS['system']}\r\nContent-Length: 300000\r\n\r\n".encode()
        )
        self.assertEqual(self.read_answer(connection).status, 413)  # before it comes
        connection = self.connect()
        head = "GET /healthz HTTP/1.1\r\nHost: api.example\r\n\r\n".encode()
        connection.sendall(head + head)
        self.assertEqual([self.read_one(connection) for _ in range(2)], [200, 200])

    def read_one(self, connection):
        """One answer to the byte, so that the next stays where it is."""
        raw = b""
        while not raw.endswith(b"\r\n\r\n"):
            raw += connection.recv(1)
        for _ in range(int(re.search(rb"Content-Length: (\d+)", raw).group(1))):
            connection.recv(1)
        return int(raw.split()[1])

    def test_a_slow_reader_of_much_gets_all_of_it(self):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(15 * SLOW)
        raw.bind(("127.0.9.1", 0))  # a proxy: not limited by address
        raw.connect(("127.0.0.1", self.port))
        connection = self.trusting().wrap_socket(raw, server_hostname="api.example")
        self.addCleanup(connection.close)
        times, size = 60, len(self.call("GET", "/openapi.json").body)
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: api.example\r\n\r\n" * times)
        got = b""
        while len(got) < times * size:
            piece = connection.recv(65536)
            self.assertTrue(piece, f"{len(got)} bytes came")
            got += piece
        self.assertEqual(got.count(b"HTTP/1.1 200"), times)

    def test_who_waits_by_tls_is_told_and_who_leaves_is_forgotten(self):
        session = self.incoming()
        poll, other = self.connect(), self.connect()
        for connection in (poll, other):
            connection.sendall(f"GET {POLL.format(session['token'])} HTTP/1.1\r\nHost: api.example\r\n\r\n".encode())
        self.wait_for_polls(2)
        other.unwrap()  # a close_notify, and the connection stays
        self.wait_for_polls(1)
        self.assertEqual(self.call("DELETE", f"/calls/example.com/sessions/{session['token']}").status, 204)
        answer = self.read_answer(poll)
        self.assertEqual((answer.status, answer.headers["X-Session-Status"]), (205, "disconnected"))
        self.assertEqual(poll.recv(1), b"")  # it closes, and says so by TLS: no truncation
        self.wait_for_polls(0)

    def test_a_goodbye_is_answered_by_who_serves_and_by_who_waits(self):
        """RFC 8446 §6.1: without a close_notify of its own it looks as though somebody had cut the connection."""
        session = self.incoming()
        for path in (None, POLL.format(session["token"])):
            with socket.create_connection(("127.0.0.1", self.port), timeout=10 * SLOW) as raw:
                arrived, leaves = ssl.MemoryBIO(), ssl.MemoryBIO()
                client = self.trusting().wrap_bio(arrived, leaves, server_hostname="api.example")

                def until_done(step):
                    while True:
                        try:
                            return step()
                        except ssl.SSLWantReadError:
                            raw.sendall(leaves.read())
                            got = raw.recv(65536)
                            self.assertTrue(got, "the connection ended without a goodbye")
                            arrived.write(got)

                until_done(client.do_handshake)
                if path:
                    client.write(f"GET {path} HTTP/1.1\r\nHost: api.example\r\n\r\n".encode())
                    raw.sendall(leaves.read())
                    self.wait_for_polls(1)
                until_done(client.unwrap)
        self.wait_for_polls(0)

    def test_nothing_but_tls_is_spoken_there(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: api.example\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(plain.recv(100), b"")
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as raw, self.assertRaises(OSError):
            old.wrap_socket(raw)
        costly = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-groups", "ffdhe8192"],
            input=b"",
            capture_output=True,
        )
        self.assertIn(b"handshake failure", costly.stderr)

    def test_a_renewed_certificate_is_used_without_a_restart(self):
        def serial():
            return self.connect().getpeercert()["serialNumber"]

        kept, before = self.connect(), serial()
        self.authority.issue("api", "IP:127.0.0.1", "DNS:api.example")
        wait_until(lambda: serial() != before, 10, "the new certificate")
        self.assertEqual(self.ask(kept, "GET", "/healthz", key=None).status, 200)
        good = self.certificate.read_text()
        self.certificate.write_text("not a certificate")
        wait_until(lambda: "stays" in self.vas.log_text(), 10, "the complaint")
        serial()
        self.certificate.write_text(good)

    def test_a_connection_that_only_renews_its_keys_is_closed(self):
        self.assert_key_updates_are_cut(self.port)  # any idle one has 60 s

    def test_polls_are_kept_alive(self):
        session = self.incoming()
        poll = self.connect()
        poll.sendall(f"GET {POLL.format(session['token'])} HTTP/1.1\r\nHost: api.example\r\n\r\n".encode())
        self.wait_for_polls(1)
        sockets = subprocess.run(
            ["ss", "-Htno", "state", "established", "sport", "=", f":{self.port}"], capture_output=True, text=True
        ).stdout
        mine = [line for line in sockets.splitlines() if f":{poll.getsockname()[1]} " in line]
        self.assertEqual(len(mine), 1, sockets)
        self.assertRegex(mine[0], r"timer:\(keepalive,(\d\d|\d(\.\d+)?)sec")  # 30 s at most
        poll.close()
        self.wait_for_polls(0)


class Floods(HttpsTest):
    """Handshakes cost us a thousand times what they cost who begins them."""

    limits = ("--https-handshakes-per-second", "100")

    def hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="api.example")
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        return outgoing.read()

    def is_gone_on_with(self, hello, address):
        try:
            with socket.create_connection(
                ("127.0.0.1", self.port), timeout=5 * SLOW, source_address=(address, 0)
            ) as raw:
                raw.sendall(hello)
                return len(raw.recv(10)) > 0
        except OSError:
            return False

    def test_one_address_has_its_budget_and_who_has_shown_a_key_has_another(self):
        hello = self.hello()
        friend = self.connect("127.0.3.1")
        self.assertEqual(self.ask(friend, "GET", "/tenants").status, 200)
        begun = time.monotonic()
        served = sum(self.is_gone_on_with(hello, "127.0.2.1") for _ in range(100))
        most = 20 + 10 * (time.monotonic() - begun) + 1
        self.assertGreaterEqual(served, 20)
        self.assertLessEqual(served, most)
        self.assertTrue(self.is_gone_on_with(hello, "127.0.2.2"))
        wait_until(
            lambda: self.metric("vas_https_handshakes_total", '{outcome="refused"}') >= 100 - most, 5, "the figures"
        )
        self.assertEqual(sum(self.is_gone_on_with(hello, "127.0.3.1") for _ in range(40)), 40)  # 20 were a stranger's

    def test_who_says_nothing_or_half_a_hello_has_eight_seconds_and_holds_up_nobody(self):
        half = self.hello()[:60]
        silent = [
            socket.create_connection(("127.0.0.1", self.port), timeout=30 * SLOW, source_address=("127.0.4.1", 0))
            for _ in range(80)
        ]
        for each in silent:
            self.addCleanup(each.close)
        silent[-1].sendall(half)
        begun = time.monotonic()
        for each in silent[:16]:  # of one address 64 have a place: the oldest made room
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(each.recv(1), b"")
        self.assertLess(time.monotonic() - begun, 7 * SLOW)
        self.assertEqual(self.ask(self.connect("127.0.4.2"), "GET", "/healthz", key=None).status, 200)
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(silent[-1].recv(1), b"")
        self.assertGreater(time.monotonic() - begun, 7)
        wait_until(lambda: self.metric("vas_https_handshakes_total", '{outcome="failed"}') >= 1, 10, "the figure")


class Configured(unittest.TestCase):
    def check(self, *flags):
        from harness import BIN

        return subprocess.run([BIN / "vas", "--check-config", *flags], capture_output=True, text=True)

    def test_tls_needs_a_certificate_and_takes_sips(self):
        without = self.check("--https-listen", "127.0.0.1:8443")
        self.assertNotEqual(without.returncode, 0)
        self.assertIn("https-certificate", without.stderr + without.stdout)
        self.assertEqual(
            self.check(
                "--https-listen", "127.0.0.1:8443", "--tls-certificate", "c.pem", "--tls-key", "k.pem"
            ).returncode,
            0,
        )

    def test_an_origin_is_what_browsers_say(self):
        self.assertNotEqual(self.check("--http-cors-origin", "app.example.com").returncode, 0)
        self.assertNotEqual(self.check("--http-cors-origin", "https://app.example.com/").returncode, 0)
        self.assertEqual(
            self.check(
                "--http-cors-origin", "https://app.example.com", "--http-cors-origin", "http://localhost:3000"
            ).returncode,
            0,
        )

    def test_authorities_that_are_none_stop_the_start(self):
        folder = server_folder()
        (folder / "none.pem").write_text("no certificate")
        for name, why in (("none.pem", "no certificates"), ("missing.pem", "cannot read")):
            with self.subTest(name):
                vas = Vas(folder, flags=("--webhook-ca", folder / name))
                vas.launch()
                self.assertEqual(vas.process.wait(20 * SLOW), 1)
                self.assertRegex(vas.log_text(), f"`webhook-ca`: .*{why}")
                vas.log.close()

    def test_a_public_address_in_the_clear_is_warned_of(self):
        folder = server_folder()
        vas = Vas(folder, flags=("--http-listen", "0.0.0.0:0"))
        for address, is_warned in (("0.0.0.0", True), ("127.0.0.1", False)):
            with self.subTest(address):
                vas.address = address
                vas.flags = ["--sip-advertised", "127.0.0.1"]
                vas.http_port = free_ports()
                vas.start()
                vas.stop()
                self.assertEqual("in the clear" in vas.log_text(), is_warned)
                (folder / "vas.log").write_text("")


class OtherOrigins(ApiTest):
    PAGE = "https://app.example.com"

    def preflight(self, path, method="GET", origin=PAGE):
        return self.call(
            "OPTIONS",
            path,
            key=None,
            headers=(
                f"Origin: {origin}",
                f"Access-Control-Request-Method: {method}",
                "Access-Control-Request-Headers: x-trace",
            ),
        )

    def test_what_needs_no_key_is_any_pages_to_read(self):
        for path, status in ((POLL.format("0" * 32), 403), ("/openapi.json", 200), ("/healthz", 200)):
            with self.subTest(path):
                leave = self.preflight(path)
                self.assertEqual(
                    (
                        leave.status,
                        leave.headers["Access-Control-Allow-Origin"],
                        leave.headers["Access-Control-Allow-Methods"],
                    ),
                    (204, "*", "GET"),
                )
                answer = self.call("GET", path, key=None, headers=(f"Origin: {self.PAGE}",))
                self.assertEqual((answer.status, answer.headers["Access-Control-Allow-Origin"]), (status, "*"))
                self.assertIn("X-Session-Status", answer.headers["Access-Control-Expose-Headers"])
                self.assertIsNone(answer.headers["Access-Control-Allow-Credentials"])
                self.assertIsNone(
                    self.call("GET", path, key=None).headers["Access-Control-Allow-Origin"]
                )  # no page asks

    def test_what_needs_a_key_is_no_pages(self):
        for method, path in (
            ("GET", "/tenants"),
            ("POST", f"/calls/example.com/outgoing/{MSISDN}"),
            ("GET", "/metrics"),
            ("GET", "/nowhere"),
            ("DELETE", POLL.format("0" * 32)),
        ):
            with self.subTest(path, method=method):
                leave = self.preflight(path, method)
                self.assertIn(leave.status, (404, 405))
                self.assertIsNone(leave.headers["Access-Control-Allow-Origin"])
                self.assertIsNone(
                    self.call(method, path, headers=(f"Origin: {self.PAGE}",)).headers["Access-Control-Allow-Origin"]
                )


class ChosenOrigins(OtherOrigins):
    flags = ("--http-cors-origin", OtherOrigins.PAGE)

    def test_what_needs_no_key_is_any_pages_to_read(self):
        leave = self.preflight("/healthz")
        self.assertEqual(
            (leave.status, leave.headers["Access-Control-Allow-Origin"], leave.headers["Vary"]),
            (204, self.PAGE, "Origin"),
        )
        other = self.preflight("/healthz", origin="https://evil.example")
        self.assertEqual((other.status, other.headers["Access-Control-Allow-Origin"]), (405, None))


class InABrowser(ApiTest):
    def test_a_page_of_another_origin_waits_for_its_call(self):
        pages = Pages()
        self.addCleanup(pages.stop)
        browser = Browser(pages.url + "/signaling.html")
        self.addCleanup(browser.stop)
        session = self.incoming()
        api = f"http://127.0.0.1:{self.vas.http_port}"
        browser.run(
            "window.told = fetch(arguments[0], {headers: {'x-trace': '1'}}).then((r) => [r.status, r.headers.get('x-session-status')]); return 0",
            api + POLL.format(session["token"]),
        )
        self.wait_for_polls(1)
        caller = self.call("DELETE", f"/calls/example.com/sessions/{session['token']}")
        self.assertEqual(caller.status, 204)
        self.assertEqual(
            browser.run("return window.told.catch(e => String(e))"), [205, "disconnected"]
        )  # Fetch gives no body of a 205
        refused = browser.run(
            "return fetch(arguments[0], {headers: {Authorization: 'Bearer ' + arguments[1]}}).then(r => r.status).catch(e => e.name)",
            api + "/tenants",
            KEYS["system"],
        )
        self.assertEqual(refused, "TypeError")


class PhoneOverTls(HttpsTest):
    def test_the_page_finds_its_server(self):
        browser = Browser(f"https://127.0.0.1:{self.port}/phone/#token={self.outgoing()['token']}&domain=example.com")
        self.addCleanup(browser.stop)
        wait_until(lambda: browser.run("return document.body.dataset.state") == "ready", 20, "the page")
        self.assertTrue(browser.run("return window.isSecureContext"))


class OwnAuthority(ApiTest):
    """A backend with a certificate that only `webhook-ca` vouches for."""

    @classmethod
    def setUpClass(cls):
        cls.folder_of_certificates = server_folder()
        cls.authority = Authority(cls.folder_of_certificates)
        certificate, key = cls.authority.issue("backend", "IP:127.0.0.1")
        cls.flags = ("--webhook-ca", cls.authority.certificate)
        cls.secure, cls.stranger = Backend(), Backend()
        for backend, pair in (
            (cls.secure, (certificate, key)),
            (cls.stranger, Authority(cls.folder_of_certificates / "other").issue("backend", "IP:127.0.0.1")),
        ):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
            backend.server.socket = context.wrap_socket(backend.server.socket, server_side=True)
            backend.url = backend.url.replace("http:", "https:")
        super().setUpClass()

    def test_its_callbacks_come_and_a_strangers_do_not(self):
        for backend in (self.stranger, self.secure):
            token = self.outgoing(callback=backend.url + "/status")["token"]
            self.assertEqual(self.call("PATCH", f"/calls/example.com/sessions/{token}", {"timeLimit": 1}).status, 200)
        wait_until(lambda: self.secure.callbacks, 10, "the callback")
        self.assertEqual(self.stranger.callbacks, [])


class HangingEndpoint(E2eTest):
    """A control endpoint that takes the request and never answers."""

    flags = ("--control-endpoint-timeout", "2")

    @classmethod
    def edit_directory(cls, directory):
        cls.silent = socket.create_server(("127.0.0.1", 0))
        directory["domains"][0]["profile"][
            "registration-free-control-endpoint"
        ] = f"http://127.0.0.1:{cls.silent.getsockname()[1]}/incoming"

    def test_costs_the_caller_no_more_than_its_deadline(self):
        from harness import BOB

        begun = time.monotonic()
        caller = self.caller("trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{BOB}@{self.vas.sip}")
        self.assertEqual(caller.result()["status"], 480)
        self.assertGreaterEqual(time.monotonic() - begun, 2)
        self.assertLess(time.monotonic() - begun, 8 * SLOW)  # four tries of 10 s without it
        (record,) = wait_until(self.vas.records, 10, "the record")
        self.assertEqual(record["termination_reason"], "backend-unreachable")


if __name__ == "__main__":
    unittest.main(verbosity=2)
