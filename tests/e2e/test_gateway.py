"""The gateway: every transport, who is kept out, names and certificates of trunks, traces."""
import contextlib
import hashlib
import json
import pathlib
import re
import socket
import ssl
import struct
import subprocess
import threading
import time
import unittest

from dns_lab import DnsServer
from harness import (
    BIN,
    DOMAIN,
    KEY,
    SLOW,
    TRUNK,
    Baresip,
    E2eTest,
    Phone,
    StreamPhone,
    TlsPhone,
    WebSocketPhone,
    free_ports,
    wait_until,
)
from tls_lab import Authority
from ws_client import WebSocket, WebSocketRefused


class GatewayTest(E2eTest):
    """A server that listens over everything, with a certificate of the tests' own authority."""

    limits = ("--sip-offences", "0", "--sip-handshakes-per-address", "1000")

    @classmethod
    def place_server(cls, vas):
        cls.authority = Authority(cls.folder / "authority")
        cls.certificate, cls.key = cls.authority.issue("server", "IP:127.0.0.1", "DNS:sip.example")
        cls.dns = DnsServer()
        vas.tls_port, vas.ws_port, vas.wss_port = free_ports(), free_ports(), free_ports()
        vas.flags += [
            "--tls-listen",
            f"127.0.0.1:{vas.tls_port}",
            "--ws-listen",
            f"127.0.0.1:{vas.ws_port}",
            "--wss-listen",
            f"127.0.0.1:{vas.wss_port}",
            "--tls-certificate",
            str(cls.certificate),
            "--tls-key",
            str(cls.key),
            "--tls-ca",
            str(cls.authority.certificate),
            "--ws-host",
            "phone.example",
            "--dns-server",
            cls.dns.endpoint,
            *cls.limits,
        ]

    @classmethod
    def tearDownClass(cls):
        cls.dns.stop()
        super().tearDownClass()

    def trusting(self):
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def phone_of(self, kind, **attributes):
        port = {
            Phone: self.vas.sip_port,
            StreamPhone: self.vas.sip_port,
            TlsPhone: self.vas.tls_port,
            WebSocketPhone: self.vas.wss_port if attributes.get("tls") else self.vas.ws_port,
        }[kind]
        phone = type(kind.__name__, (kind,), attributes)("127.0.0.1", f"127.0.0.1:{port}")
        self.addCleanup(phone.close)
        return phone

    def kinds(self):
        secure = self.trusting()
        return [
            (Phone, {}),
            (StreamPhone, {}),
            (TlsPhone, {"tls": secure}),
            (WebSocketPhone, {}),
            (WebSocketPhone, {"tls": secure, "via_transport": "WSS", "contact_parameters": ";transport=ws"}),
        ]

    def metric(self, name, labels=""):
        text = self.vas.text("/metrics")
        return float(re.search(rf"^{name}{re.escape(labels)} (\S+)$", text, re.MULTILINE).group(1))

    def vasctl(self, *arguments):
        done = subprocess.run(
            [str(BIN / "vasctl"), "--url", f"http://127.0.0.1:{self.vas.http_port}", "--key", KEY, *arguments],
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.returncode, done.stdout + done.stderr


class Transports(GatewayTest):
    def test_a_whole_call_over_each_transport_with_info_and_both_byes(self):
        for kind, attributes in self.kinds():
            for server_hangs_up in (True, False):
                with self.subTest(kind=kind.__name__, secure="tls" in attributes, server_hangs_up=server_hangs_up):
                    self.one_call(self.phone_of(kind, **attributes), server_hangs_up)

    def one_call(self, near, server_hangs_up):
        (far, token) = self.far_phone()
        near.invite(token)
        request = far.receive()
        self.assertTrue(request.header("Via").startswith("SIP/2.0/UDP"), request.header("Via"))
        self.assertNotIn("X-VAS", "\n".join(request.lines))
        far.answer(request, 200, "OK", far.sdp())
        far.remote_to, far.target = request.header("From"), re.search(r"<([^>]+)>", request.header("Contact")).group(1)
        answer = near.final()
        self.assertEqual(answer.status, 200)
        expected = {
            "UDP": "",
            "TCP": ";transport=tcp",
            "TLS": ";transport=tls",
            "WS": ";transport=ws",
            "WSS": ";transport=wss",
        }
        contact = answer.header("Contact")
        self.assertEqual(contact, f"<sip:vas@{near.server}{expected[near.via_transport]}>")
        near.ack(answer)
        near.send("INFO", headers=["Content-Type: application/dtmf-relay"], body="")
        while (got := far.receive()).method != "INFO":
            pass
        far.answer(got, 200, "OK")
        self.assertEqual(near.final().status, 200)
        if server_hangs_up:
            self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")[0], 204)
            bye = near.receive()
            self.assertEqual(bye.method, "BYE")
            near.answer(bye, 200, "OK")
        else:
            self.assertEqual(near.bye().status, 200)
        record = self.vas.record_of(token)
        self.assertEqual(
            (record["disposition"], record["legs"][0]["transport"]), ("ANSWERED", near.via_transport.lower())
        )

    def test_keep_alives_are_answered(self):
        for kind, attributes in self.kinds()[1:3]:
            phone = self.phone_of(kind, **attributes)
            phone.socket.sendall(b"\r\n\r\n")
            phone.socket.settimeout(5)
            self.assertEqual(phone.socket.recv(10), b"\r\n")

    def test_several_messages_in_one_write_and_one_in_many(self):
        phone = self.phone_of(StreamPhone)
        sent = []
        phone.transmit, transmit = sent.append, phone.transmit
        for _ in range(3):
            phone.send("OPTIONS")
        transmit("".join(sent))
        for _ in range(3):
            self.assertEqual(phone.final().status, 200)
        sent.clear()
        phone.send("OPTIONS")
        for character in sent[0]:
            transmit(character)
        self.assertEqual(phone.final().status, 200)

    def test_what_is_too_large_gets_513_and_what_is_broken_400(self):
        for kind, attributes in self.kinds()[1:]:
            phone = self.phone_of(kind, **attributes)
            phone.send("OPTIONS", headers=["Content-Length: 70000"], drop=("Content-Length: 0",))
            self.assertEqual(phone.final().status, 513, kind)
        phone = self.phone_of(Phone)
        phone.send("OPTIONS", body="x" * 62000)
        self.assertEqual(phone.final().status, 513)

    def test_web_sockets_are_refused_that_are_not_sip_or_come_from_elsewhere(self):
        server = f"127.0.0.1:{self.vas.ws_port}"
        for options, status in [
            ({"protocol": "chat"}, 400),
            ({"protocol": None}, 400),
            ({"origin": "https://evil.example"}, 403),
        ]:
            with self.assertRaises(WebSocketRefused) as refused:
                WebSocket(server, **options)
            self.assertEqual(refused.exception.status, status, options)
        accepted = WebSocket(server, protocol="chat, sip", origin="http://127.0.0.1:1234")
        self.assertIn("\r\nSec-WebSocket-Protocol: sip", accepted.head)
        self.assertNotIn("deflate", accepted.head)
        accepted.close()
        plain = socket.create_connection(("127.0.0.1", self.vas.ws_port), timeout=5)
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"426", plain.recv(4096))
        plain.close()

    def test_web_sockets_are_reached_by_names_of_ours_alone(self):
        server, secure = f"127.0.0.1:{self.vas.ws_port}", f"127.0.0.1:{self.vas.wss_port}"
        taken = [
            (server, {"host": "localhost:5066", "origin": "http://localhost:8080"}),
            (server, {"host": "[::1]"}),
            (secure, {"host": "sip.example", "origin": "https://sip.example", "tls": self.trusting()}),
            (server, {"host": "phone.example", "origin": "http://phone.example"}),
        ]
        for address, options in taken:
            WebSocket(address, **options).close()
        # A page whose own name resolves to us sends it as both. (DNS rebinding)
        refused = [
            (server, {"host": "evil.example", "origin": "http://evil.example"}),
            (server, {"host": "evil.example"}),
            (server, {"host": "sip.example"}),
            (server, {"host": "127.0.0.1\r\nHost: evil.example"}),
            (server, {"origin": "http://127.0.0.1@evil.example"}),
            (server, {"origin": "evil://127.0.0.1"}),
            (server, {"origin": "null"}),
            (server, {"origin": "http://127.0.0.1\r\nOrigin: http://evil.example"}),
            (secure, {"host": "evil.example", "origin": "https://evil.example", "tls": self.trusting()}),
        ]
        for address, options in refused:
            with self.subTest(**options), self.assertRaises(WebSocketRefused) as refusal:
                WebSocket(address, **options)
            self.assertEqual(refusal.exception.status, 403, options)

    def test_web_sockets_that_misbehave_are_closed(self):
        server = f"127.0.0.1:{self.vas.ws_port}"
        big = WebSocket(server)
        with self.assertRaisesRegex((ConnectionError, OSError), "1009|reset|closed"):
            big.send("x" * 70000)
            big.receive()
        flood = WebSocket(server)
        with self.assertRaises((ConnectionError, OSError)):
            for _ in range(200):
                flood.send_frame(9, b"")
                flood.receive_frame(2)
        slow = WebSocket(server)
        slow.send_frame(1, b"OPTIONS sip:x", final=False)
        begun = time.monotonic()
        with self.assertRaises((ConnectionError, OSError)):
            slow.receive(15)
        self.assertLess(time.monotonic() - begun, 11 * SLOW)
        for each in (big, flood, slow):
            each.close()

    def test_tls_takes_nothing_old(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with self.assertRaises((ssl.SSLError, OSError)):
                with socket.create_connection(("127.0.0.1", self.vas.tls_port), timeout=5) as raw:
                    context.wrap_socket(raw)
        weak = ssl.create_default_context(cafile=str(self.authority.certificate))
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        weak.set_ciphers("AES128-SHA:@SECLEVEL=0")
        with self.assertRaises((ssl.SSLError, OSError)):
            with socket.create_connection(("127.0.0.1", self.vas.tls_port), timeout=5) as raw:
                weak.wrap_socket(raw, server_hostname="127.0.0.1")

    def test_tls_takes_no_group_that_costs_much(self):
        def group(port, name, version):
            done = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-groups", name, version],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=15 * SLOW,
            )
            return re.search(r"New, \(NONE\)", done.stdout) is None

        for port in (self.vas.tls_port, self.vas.wss_port):
            for name in ("X25519", "P-256", "P-384", "ffdhe8192:P-256"):
                self.assertTrue(group(port, name, "-tls1_3"), name)
            for name in ("ffdhe2048", "ffdhe8192", "P-521", "X448"):
                self.assertFalse(group(port, name, "-tls1_3"), name)
            self.assertFalse(group(port, "P-521", "-tls1_2"))

    def test_a_connection_that_only_renews_its_keys_is_closed(self):
        for port in (self.vas.tls_port, self.vas.wss_port):
            self.assert_key_updates_are_cut(port)  # any silent one has 8 s

    def test_a_renewed_certificate_is_used_without_a_restart(self):
        def serial():
            with socket.create_connection(("127.0.0.1", self.vas.tls_port), timeout=5) as raw:
                with self.trusting().wrap_socket(raw, server_hostname="127.0.0.1") as secure:
                    return secure.getpeercert()["serialNumber"]

        old = self.phone_of(TlsPhone, tls=self.trusting())
        before = serial()
        self.authority.issue("server", "IP:127.0.0.1", "DNS:sip.example")
        wait_until(lambda: serial() != before, 10, "the new certificate")
        old.send("OPTIONS")
        self.assertEqual(old.final().status, 200)
        good = self.certificate.read_text()
        self.certificate.write_text("not a certificate")
        wait_until(lambda: "stays" in self.vas.log_text(), 10, "the complaint")
        serial()
        self.certificate.write_text(good)

    def test_slow_and_idle_connections_are_evicted(self):
        ports = [self.vas.sip_port, self.vas.tls_port, self.vas.ws_port, self.vas.wss_port]
        idle = [socket.create_connection(("127.0.0.1", port), timeout=5) for port in ports for _ in range(5)]
        half = socket.create_connection(("127.0.0.1", self.vas.sip_port), timeout=5)
        half.sendall(b"OPTIONS sip:x SIP/2.0\r\nVia: ")
        begun = time.monotonic()
        wait_until(lambda: self.metric("vas_sip_connections") == 0, 20, "the eviction")
        self.assertLess(time.monotonic() - begun, 11 * SLOW)
        for each in (*idle, half):
            each.close()

    def test_baresip_over_tcp_and_tls_with_audio_both_ways(self):
        for transport, port in (("tcp", self.vas.sip_port), ("tls", self.vas.tls_port)):
            with self.subTest(transport=transport):
                carrier = Baresip(self.folder, f"carrier-{transport}", "127.0.0.1", 440, answers=True).start()
                self.addCleanup(carrier.stop)
                plan = {"routes": [{"termination_ip": f"127.0.0.1:{carrier.port}", "termination_number": carrier.name}]}
                token = self.vas.make_outgoing(routing=plan)["token"]
                alice = Baresip(
                    self.folder,
                    f"alice-{transport}",
                    "127.0.0.1",
                    1000,
                    transport=transport,
                    authority=self.authority.certificate,
                )
                self.addCleanup(alice.stop)
                alice.start(
                    f"sip:any@127.0.0.1:{port};transport={transport}",
                    [("X-Cloudonix-Session", token), ("X-Cloudonix-Domain", DOMAIN)],
                )
                try:
                    wait_until(lambda: self.vas.session(token)[1].get("status") == "connected", 10, "the connection")
                except AssertionError:
                    print(alice.log_text()[-3000:])
                    raise
                time.sleep(3)
                alice.stop()
                record = self.vas.record_of(token)
                carrier.stop()
                self.assert_heard(alice.heard(), 440, 1000)
                self.assert_heard(carrier.heard(), 1000, 440)
                self.assertEqual(record["legs"][0]["transport"], transport)


class KeptOut(GatewayTest):
    """Bans, budgets and the token check. The phones stand at addresses of their own."""

    limits = (
        "--sip-offences",
        "10",
        "--sip-ban",
        "60",
        "--sip-requests-per-second",
        "20",
        "--sip-connections-per-address",
        "8",
    )

    def at(self, address):
        phone = Phone(address, self.vas.sip)
        self.addCleanup(phone.close)
        return phone

    def final_or_nothing(self, phone, seconds=0.5):
        try:
            return phone.final(seconds).status
        except TimeoutError:
            return None

    def test_an_unknown_token_is_refused_at_the_edge_and_makes_no_record(self):
        before = self.metric("vas_sip_stopped_total", '{why="bad-token"}')
        phone = self.at("127.0.1.1")
        phone.invite("f" * 32)
        refused = phone.final()
        self.assertEqual((refused.status, refused.start), (403, "SIP/2.0 403 Forbidden"))
        phone.ack(refused)
        stranger = self.at("127.0.1.1")
        stranger.invite()
        self.assertEqual(stranger.final().status, 403)
        self.assertEqual(self.metric("vas_sip_stopped_total", '{why="bad-token"}'), before + 2)
        self.assertEqual(self.vas.records(), [])

    def guesses(self, phone, count=15):
        """What so many unknown tokens are answered; None: nothing, or the connection was closed."""
        statuses = []
        for i in range(count):
            phone.call_id = f"guess{i}-{phone.port}"
            try:
                phone.invite(f"{i:032x}")
                statuses.append(self.final_or_nothing(phone))
            except OSError:
                statuses.append(None)
        return statuses

    def call_from(self, address):
        far, token = self.far_phone()
        near = self.at(address)
        near.invite(token)
        far.answer(far.receive(), 200, "OK", far.sdp())
        answer = near.final()
        near.ack(answer)
        return near

    def test_guessing_tokens_by_datagram_brings_a_ban_of_datagrams_that_live_tokens_pass(self):
        self.assertEqual(self.guesses(self.at("127.0.1.2")), [403] * 10 + [None] * 5)
        self.assertRegex(self.vas.log_text(), r"gateway: ban 127\.0\.1\.2 reason=bad-token transport=udp seconds=60\n")
        asks = self.at("127.0.1.2")
        asks.send("OPTIONS")
        self.assertIsNone(self.final_or_nothing(asks))
        code, text = self.vasctl("bans")
        self.assertEqual(code, 0)
        self.assertRegex(text, r"127\.0\.1\.2 +bad-token +\d+ s left +\d+ dropped")
        connected = StreamPhone("127.0.1.2", self.vas.sip)
        self.addCleanup(connected.close)
        connected.send("OPTIONS")
        self.assertEqual(connected.final().status, 200)
        near = self.call_from("127.0.1.2")
        asks.send("OPTIONS")  # it has shown by its ACK that it is there
        self.assertEqual(asks.final().status, 200)
        self.assertEqual(near.bye().status, 200)
        self.assertEqual(self.vasctl("bans", "--lift", "127.0.1.2")[0], 0)
        self.assertEqual(self.vasctl("bans", "--lift", "127.0.1.2")[0], 1)
        self.assertEqual(self.vasctl("bans", "--lift", "nonsense")[0], 1)
        self.assertNotIn("127.0.1.2 ", self.vasctl("bans")[1])

    def test_nobody_can_ban_an_address_that_has_calls_nor_a_trunk_nor_ourselves_by_datagram(self):
        near = self.call_from("127.0.1.9")
        self.assertEqual(self.guesses(self.at("127.0.1.9")), [403] * 15)
        self.assertEqual(near.bye().status, 200)
        self.assertEqual(self.guesses(self.at("127.0.0.1")), [403] * 15)
        trunk = self.at(TRUNK)
        for i in range(30):
            trunk.call_id = f"trunk{i}"
            trunk.send("OPTIONS", cseq=99999999999)
            self.assertEqual(trunk.final().status, 400)
        self.assertNotRegex(self.vasctl("bans")[1], r"127\.0\.(1\.9|0\.\d+) ")

    def test_guessing_tokens_over_a_connection_brings_a_ban_of_everything_new(self):
        near = self.call_from("127.0.1.10")
        guesser = StreamPhone("127.0.1.10", self.vas.sip)
        self.addCleanup(guesser.close)
        self.assertEqual(self.guesses(guesser), [403] * 10 + [None] * 5)
        self.assertRegex(self.vas.log_text(), r"gateway: ban 127\.0\.1\.10 reason=bad-token transport=tcp seconds=60\n")
        with self.assertRaises(OSError):
            refused = socket.create_connection(
                ("127.0.0.1", self.vas.sip_port), timeout=5, source_address=("127.0.1.10", 0)
            )
            refused.sendall(b"\r\n\r\n")
            time.sleep(0.2)
            refused.sendall(b"\r\n\r\n")
            if not refused.recv(10):
                raise ConnectionError
        asks = self.at("127.0.1.10")
        asks.send("OPTIONS")
        self.assertIsNone(self.final_or_nothing(asks))
        self.assertEqual(near.bye().status, 200)  # the call that was up
        self.assertEqual(self.vasctl("bans", "--lift", "127.0.1.10")[0], 0)

    def test_malformed_messages_and_scanners_bring_bans_too(self):
        malformed = self.at("127.0.1.3")
        for i in range(10):
            malformed.send("OPTIONS", headers=["Call-ID: second"])
            malformed.final()
        malformed.send("OPTIONS")
        self.assertIsNone(self.final_or_nothing(malformed))
        scanner = self.at("127.0.1.4")
        scanner.send("OPTIONS", headers=["User-Agent: friendly-scanner"])
        self.assertIsNone(self.final_or_nothing(scanner))
        scanner.send("OPTIONS")
        self.assertIsNone(self.final_or_nothing(scanner))
        text = self.vasctl("bans")[1]
        self.assertRegex(text, r"127\.0\.1\.3 +malformed")
        self.assertRegex(text, r"127\.0\.1\.4 +scanner")

    def test_a_source_over_its_budget_is_not_answered_and_others_are(self):
        loud, quiet = self.at("127.0.1.5"), self.at("127.0.1.6")
        for i in range(200):
            loud.call_id = f"loud{i}"
            loud.send("OPTIONS")
        time.sleep(0.5)
        answers = 0
        while self.final_or_nothing(loud, 0.2):
            answers += 1
        self.assertGreaterEqual(answers, 40)  # what it may have at once
        self.assertLess(answers, 80)
        quiet.send("OPTIONS")
        self.assertEqual(quiet.final().status, 200)
        self.assertGreater(self.metric("vas_sip_stopped_total", '{why="limited"}'), 100)

    def test_one_address_cannot_take_all_connections(self):
        mine = [
            socket.create_connection(("127.0.0.1", self.vas.sip_port), timeout=5, source_address=("127.0.1.7", 0))
            for _ in range(20)
        ]
        wait_until(lambda: self.metric("vas_sip_connections") == 8, 5, "the cap")
        for each in mine:
            each.close()

    def test_an_answer_to_an_unproved_source_is_no_larger_than_its_question(self):
        for headers in (["Call-ID: second"], ["Record-Route: <tel:1>"]):
            phone = self.at("127.0.1.8")
            sent = []
            transmit = phone.transmit
            phone.transmit = lambda text: (sent.append(text), transmit(text))
            phone.send("OPTIONS", headers=headers)
            answer = phone.take(2)
            self.assertLess(len(answer), 1.3 * len(sent[0]))


class Handshakes(GatewayTest):
    """Floods of handshakes: what they cost is bounded, and nobody waits for them."""

    limits, HELLO = ("--sip-offences", "0", "--sip-handshakes-per-second", "100"), None

    def hello(self):
        """A recorded ClientHello; sent again and again, each costs the server a handshake's first half."""
        if Handshakes.HELLO is None:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            context = ssl.create_default_context()
            client = context.wrap_bio(incoming, outgoing, server_hostname="sip.example")
            with contextlib.suppress(ssl.SSLWantReadError):
                client.do_handshake()
            Handshakes.HELLO = outgoing.read()
        return Handshakes.HELLO

    def say_hello(self, address, answer=True, port=None):
        """Whether the server went on with it."""
        try:
            with socket.create_connection(
                ("127.0.0.1", port or self.vas.tls_port), timeout=5, source_address=(address, 0)
            ) as raw:
                raw.sendall(self.hello())
                return len(raw.recv(10)) > 0 if answer else None
        except OSError:
            return False

    def memory(self):
        status = pathlib.Path(f"/proc/{self.vas.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) << 10

    def refused(self):
        return self.metric("vas_sip_handshakes_total", '{outcome="refused"}')

    def test_one_address_has_its_budget_and_others_have_theirs(self):
        begun = time.monotonic()
        served = sum(self.say_hello("127.0.2.1") for _ in range(100))
        most = 20 + 10 * (time.monotonic() - begun) + 1
        self.assertGreaterEqual(served, 20)
        self.assertLessEqual(served, most)
        self.assertTrue(self.say_hello("127.0.2.2"))
        wait_until(lambda: self.refused() >= 100 - most, 5, "the figures")
        upgrades = [self.upgrade("127.0.2.3") for _ in range(60)]
        self.assertIn(True, upgrades)
        self.assertIn(False, upgrades)

    def upgrade(self, address):
        class FromThere(WebSocket):
            def connect(self, server):
                return socket.create_connection(
                    ("127.0.0.1", int(server.split(":")[1])), timeout=5, source_address=(address, 0)
                )

        try:
            FromThere(f"127.0.0.1:{self.vas.ws_port}").close()
            return True
        except (WebSocketRefused, OSError):
            return False

    def flood(self, addresses, until):
        def attack(number):
            n = 0
            while not until.is_set():
                self.say_hello(addresses[(number + 7 * n) % len(addresses)], answer=False)
                n += 1

        threads = [threading.Thread(target=attack, args=(number,), daemon=True) for number in range(6)]
        for thread in threads:
            thread.start()
        return threads

    def test_udp_does_not_wait_for_handshakes_nor_do_those_who_proved_themselves(self):
        friend = type("Friend", (TlsPhone,), {"tls": self.trusting()})
        first = friend("127.0.3.1", f"127.0.0.1:{self.vas.tls_port}")
        self.addCleanup(first.close)
        first.send("OPTIONS")
        self.assertEqual(first.final().status, 200)
        udp = self.scripted("127.0.3.2")

        def round_trips(count):
            times = []
            for number in range(count):
                udp.call_id = f"trip{number}-{time.monotonic_ns()}"
                sent = time.monotonic()
                udp.send("OPTIONS")
                self.assertEqual(udp.final().status, 200)
                times.append(time.monotonic() - sent)
            return sorted(times)

        quiet = round_trips(100)
        before, stop = self.refused(), threading.Event()
        threads = self.flood([f"127.0.4.{n}" for n in range(1, 200)], stop)
        try:
            wait_until(lambda: self.refused() > before + 100, 20 * SLOW, "the flood")
            flooded = round_trips(100)
            for _ in range(3):
                again = friend("127.0.3.1", f"127.0.0.1:{self.vas.tls_port}")
                self.addCleanup(again.close)
                again.send("OPTIONS")
                self.assertEqual(again.final().status, 200)
            first.send("OPTIONS", headers=["X-Late: 1"])
            self.assertEqual(first.final().status, 200)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        print(
            f"OPTIONS over UDP, p50 and p95 in ms: quiet {quiet[50] * 1e3:.1f} {quiet[95] * 1e3:.1f}, "
            f"flooded {flooded[50] * 1e3:.1f} {flooded[95] * 1e3:.1f}"
        )
        self.assertLess(flooded[50], 0.1 * SLOW)
        self.assertLess(flooded[95], 0.5 * SLOW)

    def test_half_a_hello_and_none_cost_a_descriptor_for_some_seconds(self):
        quiet = self.memory()
        silent = [
            socket.create_connection(
                ("127.0.0.1", self.vas.tls_port), timeout=5, source_address=(f"127.0.5.{1 + n // 100}", 0)
            )
            for n in range(600)
        ]
        half = []
        for n in range(60):
            half.append(
                socket.create_connection(
                    ("127.0.0.1", self.vas.tls_port), timeout=5, source_address=(f"127.0.6.{1 + n // 10}", 0)
                )
            )
            half[-1].sendall(self.hello()[:40])
        wait_until(lambda: self.metric("vas_sip_connections") >= 600, 10 * SLOW, "the connections")
        if SLOW == 1:
            self.assertLess(self.memory() - quiet, 20 << 20)
        self.assertTrue(self.say_hello("127.0.5.99"))
        begun = time.monotonic()
        wait_until(lambda: self.metric("vas_sip_connections") == 0, 20 * SLOW, "their end")
        self.assertLess(time.monotonic() - begun, 11 * SLOW)
        for each in (*silent, *half):
            each.close()

    def test_what_is_no_tls_is_closed_at_once(self):
        begun = time.monotonic()
        with socket.create_connection(
            ("127.0.0.1", self.vas.tls_port), timeout=5, source_address=("127.0.7.1", 0)
        ) as raw:
            raw.sendall(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                self.assertEqual(raw.recv(10), b"")
        self.assertLess(time.monotonic() - begun, 3 * SLOW)

    def test_a_connection_that_sends_without_end_holds_up_nobody(self):
        loud = socket.create_connection(("127.0.0.1", self.vas.sip_port), timeout=5, source_address=("127.0.8.1", 0))
        loud.setblocking(False)
        message = (
            "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.8.1;branch=z9hG4bKloud\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
            "Call-ID: loud\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ).encode() * 500
        stop = threading.Event()

        def shout():
            while not stop.is_set():
                try:
                    loud.send(message)
                except BlockingIOError:
                    time.sleep(0.001)
                except OSError:
                    return

        thread = threading.Thread(target=shout, daemon=True)
        thread.start()
        try:
            for number in range(20):
                for kind, attributes in ((Phone, {}), (StreamPhone, {})):
                    phone = self.phone_of(kind, **attributes)
                    sent = time.monotonic()
                    phone.send("OPTIONS")
                    self.assertEqual(phone.final().status, 200)
                    self.assertLess(time.monotonic() - sent, 1 * SLOW)
        finally:
            stop.set()
            thread.join()
            loud.close()


class Trunks(GatewayTest):
    """Names, certificates and passwords of carriers."""

    def carrier_over_tls(self, *subjects, port=None):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((TRUNK, port or 0))
        listener.listen(5)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.authority.issue(f"carrier{time.monotonic_ns()}", *subjects))
        names = []
        context.sni_callback = lambda sock, name, ctx: names.append(name)
        listener.settimeout(10)
        self.addCleanup(listener.close)
        return listener, context, names

    def accept(self, listener, context):
        raw, _ = listener.accept()
        phone = TlsPhone.__new__(TlsPhone)
        phone.server = self.vas.sip
        phone.socket, phone.buffer = context.wrap_socket(raw, server_side=True), b""
        phone.address, phone.port = listener.getsockname()
        phone.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        phone.rtp.bind((TRUNK, 0))
        phone.tag = "carrier"
        self.addCleanup(phone.close)
        return phone

    def dial(self, *targets):
        routes = [{"termination_ip": target, "termination_number": "999"} for target in targets]
        token = self.vas.make_outgoing(routing={"routes": routes})["token"]
        near = self.scripted()
        near.invite(token)
        return near, token

    def test_a_carrier_over_tls_by_its_name(self):
        listener, context, names = self.carrier_over_tls("DNS:secure.example")
        self.dns.srv("_sips._tcp.secure.example", "edge.secure.example", listener.getsockname()[1])
        self.dns.a("edge.secure.example", TRUNK)
        near, token = self.dial("secure.example;transport=tls")
        carrier = self.accept(listener, context)
        request = carrier.receive()
        self.assertEqual(names, ["secure.example"])  # the name that was asked for, not what SRV led to (RFC 5922)
        self.assertTrue(request.header("Via").startswith("SIP/2.0/TLS 127.0.0.1:"))
        carrier.answer(request, 200, "OK", carrier.sdp())
        answer = near.final()
        self.assertEqual(answer.status, 200)
        near.ack(answer)
        self.assertEqual(carrier.receive().method, "ACK")
        near.send("BYE")
        bye = carrier.receive()
        self.assertEqual(bye.method, "BYE")  # by the connection that is there
        carrier.answer(bye, 200, "OK")
        self.assertEqual(near.final().status, 200)

    def test_a_carrier_whose_certificate_is_of_another_gets_nothing(self):
        listener, context, _ = self.carrier_over_tls("DNS:other.example")
        self.dns.a("wrong.example", TRUNK)
        near, token = self.dial(f"wrong.example:{listener.getsockname()[1]};transport=tls")
        with self.assertRaises((ssl.SSLError, OSError)):
            carrier = self.accept(listener, context)
            carrier.socket.settimeout(5)
            if not carrier.socket.recv(100):
                raise ConnectionError
        self.assertGreaterEqual(near.final(15).status, 480)
        self.assertEqual(self.vas.record_of(token)["route"][0]["code"], 503)

    def test_a_name_with_several_servers_fails_over_to_the_one_that_answers(self):
        dead = Phone(TRUNK, self.vas.sip)
        self.addCleanup(dead.close)
        alive = self.scripted(TRUNK)
        self.dns.naptr("many.example", "SIP+D2U", "_sip._udp.many.example")
        self.dns.srv("_sip._udp.many.example", "a.many.example", dead.port, priority=1)
        self.dns.srv("_sip._udp.many.example", "b.many.example", alive.port, priority=2)
        for name in ("a.many.example", "b.many.example"):
            self.dns.a(name, TRUNK)
        near, token = self.dial("many.example")
        self.assertEqual(dead.receive().method, "INVITE")
        request = alive.receive(5)
        self.assertEqual(request.method, "INVITE")
        alive.answer(request, 200, "OK", alive.sdp())
        self.assertEqual(near.final().status, 200)
        asked = len(self.dns.asked)
        second, _ = self.dial("many.example")
        self.assertEqual(dead.receive().method, "INVITE")
        self.assertEqual(len(self.dns.asked), asked, "the second call asked DNS again")

    def test_services_in_lower_case_lead_to_where_their_record_says(self):
        server = self.scripted(TRUNK)
        self.dns.naptr("hosted.example", "sip+d2u", "_sip._udp.host.example")
        self.dns.srv("_sip._udp.host.example", "a.host.example", server.port)
        self.dns.a("a.host.example", TRUNK)
        self.dial("hosted.example")
        self.assertEqual(server.receive().method, "INVITE")

    def test_a_name_that_does_not_exist_or_a_dns_that_is_silent_moves_on_to_the_next_route(self):
        for silent in (False, True):
            alive = self.scripted(TRUNK)
            self.dns.is_silent = silent
            self.addCleanup(setattr, self.dns, "is_silent", False)
            near, token = self.dial(f"nowhere{silent}.example".lower(), f"{TRUNK}:{alive.port}")
            begun = time.monotonic()
            other = self.scripted()
            other.send("OPTIONS")
            self.assertEqual(other.final(2).status, 200)
            self.assertLess(time.monotonic() - begun, 1 * SLOW, "a name kept the others waiting")
            alive.answer(alive.receive(15), 200, "OK", alive.sdp())
            self.assertEqual(near.final(5).status, 200)
            self.dns.is_silent = False

    def test_a_trunk_that_refuses_the_connection_fails_over_at_once(self):
        alive = self.scripted(TRUNK)
        near, token = self.dial(f"{TRUNK}:9;transport=tcp", f"{TRUNK}:{alive.port}")
        begun = time.monotonic()
        alive.answer(alive.receive(10), 200, "OK", alive.sdp())
        self.assertLess(time.monotonic() - begun, 2 * SLOW)
        self.assertEqual(near.final().status, 200)

    def test_a_trunk_that_asks_for_a_password_gets_the_strongest_answer_once(self):
        far = self.scripted(TRUNK)
        status, trunk = self.vas.request(
            "POST",
            f"/domains/{DOMAIN}/trunks",
            {
                "name": "digest",
                "targets": [f"{TRUNK}:{far.port}"],
                "prefixes": ["777"],
                "username": "us",
                "password": "secret",
                "realm": "carrier",
            },
        )
        self.assertEqual(status, 201)
        self.addCleanup(self.vas.request, "DELETE", f"/domains/{DOMAIN}/trunks/{trunk['id']}")
        self.assertNotIn("secret", json.dumps(trunk))
        self.assertNotIn("secret", json.dumps(self.vas.request("GET", f"/domains/{DOMAIN}/trunks")[1]))

        def challenges(realm):
            return [
                f'WWW-Authenticate: Digest realm="{realm}", nonce="n1", algorithm=SHA-256, qop="auth"',
                f'WWW-Authenticate: Digest realm="{realm}", nonce="n1", algorithm=MD5, qop="auth"',
            ]

        def dial():
            token = self.vas.make_outgoing("7771")["token"]
            near = self.scripted()
            near.invite(token)
            first = far.receive()
            self.assertEqual(first.header("Authorization"), "")
            return near, token, first

        near, token, first = dial()
        far.answer(first, 401, "Unauthorized", headers=challenges("carrier"))
        self.assertEqual(far.receive().method, "ACK")
        second = far.receive()
        authorization = second.header("Authorization")
        self.assertIn("algorithm=SHA-256", authorization)
        self.assertEqual(
            self.digest(authorization, "INVITE", "us", "secret"), re.search(r'response="(\w+)"', authorization).group(1)
        )
        self.assertGreater(int(second.header("CSeq").split()[0]), int(first.header("CSeq").split()[0]))
        far.answer(second, 200, "OK", far.sdp())
        answer = near.final()
        near.ack(answer)
        self.assertIn("Digest", far.receive().header("Authorization"))  # the ACK's
        near.send("BYE")
        bye = far.receive()
        self.assertIn("nc=0000000", bye.header("Authorization"))
        far.answer(bye, 200, "OK")
        self.vas.record_of(token)
        self.assertNotIn("secret", self.vas.log_text())

        near, token, first = dial()  # a wrong password: asked twice, answered once
        far.answer(first, 401, "Unauthorized", headers=challenges("carrier"))
        far.receive()
        far.answer(far.receive(), 401, "Unauthorized", headers=challenges("carrier"))
        self.assertEqual((near.final().status, self.vas.record_of(token)["last_sip_code"]), (500, 401))
        far.receive()

        near, token, first = dial()  # a realm that is not the trunk's
        far.answer(first, 401, "Unauthorized", headers=challenges("phishing"))
        self.assertEqual(far.receive().method, "ACK")
        near.final()
        self.assertEqual(self.vas.record_of(token)["last_sip_code"], 401)

    def digest(self, authorization, method, user, password):
        def field(name):
            return re.search(rf'{name}="?([^",]+)', authorization).group(1)

        def h(text):
            return hashlib.sha256(text.encode()).hexdigest()

        a1, a2 = h(f"{user}:{field('realm')}:{password}"), h(f"{method}:{field('uri')}")
        return h(f"{a1}:{field('nonce')}:{field('nc')}:{field('cnonce')}:auth:{a2}")


class Traces(GatewayTest):
    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        cls.homer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        cls.homer.bind(("127.0.0.1", 0))
        cls.homer.settimeout(5)
        vas.flags += ["--hep-collector", f"127.0.0.1:{cls.homer.getsockname()[1]}", "--hep-capture-id", "77"]

    @classmethod
    def tearDownClass(cls):
        cls.homer.close()
        super().tearDownClass()

    def test_a_call_as_a_ladder_as_a_capture_and_at_a_homer(self):
        far, token = self.far_phone()
        near = self.phone_of(WebSocketPhone)
        near.invite(token)
        far.answer(far.receive(), 486, "Busy Here")
        near.ack(near.final())
        self.vas.record_of(token)
        time.sleep(0.3)
        capture = self.folder / "call.pcap"
        code, text = self.vasctl("trace", token, "--pcap", str(capture), "--messages")
        self.assertEqual(code, 0, text)
        for expected in (
            "INVITE (SDP)",
            "100 Trying (INVITE)",
            "486 Busy Here (INVITE)",
            "ACK",
            f"{TRUNK}:{far.port}",
            "  ws\n",
            "  udp\n",
        ):
            self.assertIn(expected, text)
        self.assertEqual(text.split("\n\n")[0].count("INVITE (SDP)"), 2)
        self.assertNotIn(token, text)
        self.assertIn(token[:8], text)
        dissected = subprocess.run(
            [
                "tshark",
                "-r",
                str(capture),
                "-T",
                "fields",
                "-e",
                "sip.Method",
                "-e",
                "sip.Status-Code",
                "-e",
                "_ws.malformed",
                "-o",
                "udp.check_checksum:TRUE",
                "-e",
                "udp.checksum.status",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        rows = [row.split("\t") for row in dissected.splitlines()]
        self.assertEqual([row[0] for row in rows].count("INVITE"), 2, dissected)
        self.assertGreaterEqual([row[1] for row in rows].count("486"), 2)
        self.assertTrue(all(row[2] == "" and row[3] == "1" for row in rows), dissected)
        self.assertEqual(self.vasctl("trace", token[:8])[0], 0)
        self.assertEqual(self.vasctl("trace", "f" * 32)[0], 1)
        self.assert_homer_has_it(token)

    def test_what_the_gateway_holds_back_is_not_in_the_trace(self):
        far, token = self.far_phone()
        near = self.phone_of(StreamPhone)
        near.invite(token)
        request = far.receive()
        far.answer(request, 200, "OK", far.sdp())
        near.ack(near.final())
        far.remote_to, far.call_id, far.target = (
            request.header("From"),
            request.header("Call-ID"),
            f"sip:vas@{self.vas.sip}",
        )
        self.assertEqual(far.receive().method, "ACK")
        far.send("BYE")
        self.assertEqual(far.final().status, 200)
        bye = near.receive()
        self.assertEqual(bye.method, "BYE")
        time.sleep(2)  # the stack repeats it twice, and over a connection once is enough
        near.answer(bye, 200, "OK")
        self.vas.record_of(token)
        ladder = self.vasctl("trace", token)[1]
        self.assertEqual(len(re.findall(r"(?<!\()\bBYE\b", ladder)), 2, ladder)

    def assert_homer_has_it(self, token):
        payloads = []
        while len(payloads) < 6:
            packet = self.homer.recv(65536)
            self.assertEqual(packet[:4], b"HEP3")
            self.assertEqual(struct.unpack("!H", packet[4:6])[0], len(packet))
            chunks, at = {}, 6
            while at < len(packet):
                _, kind, length = struct.unpack("!HHH", packet[at : at + 6])
                chunks[kind] = packet[at + 6 : at + length]
                at += length
            self.assertEqual((chunks[1], chunks[11], struct.unpack("!I", chunks[12])[0]), (b"\x02", b"\x01", 77))
            self.assertEqual(len(chunks[3]), 4)
            self.assertNotIn(token.encode(), chunks[15])
            payloads.append(chunks[15])
        self.assertTrue(any(payload.startswith(b"INVITE") for payload in payloads))


class Several(GatewayTest):
    """Three signaling threads behind the gateway."""

    limits = ("--sip-offences", "0", "--sip-threads", "3")

    def test_calls_land_on_all_threads_and_both_their_legs_live(self):
        calls = []
        for i in range(12):
            far, token = self.far_phone()
            near = self.scripted()
            near.call_id = f"several-{i}-{time.monotonic_ns()}"
            near.invite(token)
            request = far.receive()
            far.answer(request, 200, "OK", far.sdp())
            answer = near.final()
            self.assertEqual(answer.status, 200)
            near.ack(answer)
            self.assertEqual(far.receive().method, "ACK")
            far.call_id, far.remote_to = request.header("Call-ID"), request.header("From")
            far.tag_header = f"{request.header('To')};tag={far.tag}"
            far.target = re.search(r"<([^>]+)>", request.header("Contact")).group(1)
            calls.append((near, far, token))
        busy = [name for name in self.thread_times("vas-sip") if name > 0]
        self.assertEqual(len(busy), 3)
        for near, far, token in calls:
            near.send("INFO", headers=["Content-Type: application/dtmf-relay"])
            info = far.receive()
            self.assertEqual(info.method, "INFO")
            far.answer(info, 200, "OK")
            self.assertEqual(near.final().status, 200)
            near.send("BYE")
            self.assertEqual(near.final().status, 200)
            bye = far.receive()
            self.assertEqual(bye.method, "BYE")
            far.answer(bye, 200, "OK")
            self.assertEqual(self.vas.record_of(token)["disposition"], "ANSWERED")

    def thread_times(self, name):
        tasks = pathlib.Path(f"/proc/{self.vas.process.pid}/task")
        times = []
        for task in tasks.iterdir():
            stat = (task / "stat").read_text()
            if stat[stat.index("(") + 1 : stat.rindex(")")] == name:
                times.append(
                    int((task / "sched").read_text().split("nr_switches")[1].split(":")[1].split()[0])
                    if (task / "sched").exists()
                    else 1
                )
        return times


if __name__ == "__main__":
    unittest.main(verbosity=2)
