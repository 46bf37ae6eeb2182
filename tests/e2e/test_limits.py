"""What one address, one customer, one trunk may take, and that the
others go on: connections, guesses, calls, sessions, look-ups."""
import concurrent.futures
import http.client
import json
import os
import re
import socket
import time
import unittest

from api_harness import KEYS, MSISDN, ApiTest
from dns_lab import DnsServer
from harness import DOMAIN, SLOW, TRUNK, E2eTest, wait_until

# Nobody's proxy: addresses of loopback are counted as any.
NO_PROXY = ("--http-proxy", "192.0.2.1")


def ask(vas, source, path, key=None, method="GET", timeout=10, forwarded=None):
    """One request from `source`, and its answer."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", vas.http_port, timeout=timeout * SLOW, source_address=(source, 0)
    )
    try:
        headers = {"Authorization": "Bearer " + key} if key else {}
        connection.request(method, path, headers={**headers, "X-Forwarded-For": forwarded} if forwarded else headers)
        answer = connection.getresponse()
        answer.text = answer.read()
        return answer
    finally:
        connection.close()


def asked(phone, method="INVITE"):
    """The next request of this method."""
    while True:
        message = phone.receive(5)
        if message.method == method:
            return message


class Descriptors(E2eTest):
    """A few hundred descriptors, and addresses that take all the connections they can."""

    flags = (*NO_PROXY, "--http-connections-per-address", "32")
    LIMIT = 600

    @classmethod
    def place_server(cls, vas):
        vas.wrapper = ("prlimit", f"--nofile={cls.LIMIT}:{cls.LIMIT}")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.vas.process.pid}/fd"))

    def call(self):
        phone = self.scripted()
        far, token = self.far_phone()
        phone.invite(token)
        invite = asked(far)
        far.answer(invite, 200, "OK", body=far.sdp())
        answer = phone.final(5)
        phone.ack(answer)
        self.assertEqual(answer.status, 200)
        self.assertEqual(phone.bye().status, 200)

    def test_addresses_that_take_all_connections_end_nothing(self):
        self.assertIn(f"descriptors: {self.LIMIT} are allowed, too few", self.vas.log_text())
        quiet = self.descriptors()
        taken = []
        self.addCleanup(lambda: [each.close() for each in taken])
        for number in range(8):
            for _ in range(64):
                taken.append(
                    socket.create_connection(
                        ("127.0.0.1", self.vas.http_port), timeout=5, source_address=(f"127.0.0.{60 + number}", 0)
                    )
                )
        wait_until(lambda: self.descriptors() - quiet <= 8 * 32, 5, "what is over an address's share to be closed")
        self.call()
        self.assertLess(self.descriptors(), self.LIMIT * 3 // 4)
        self.assertIn('vas_http_refused_total{why="made-room"}', self.vas.text("/metrics"))
        for each in taken:
            each.close()
        wait_until(lambda: self.descriptors() <= quiet + 16, 10, "the return of the descriptors")


class Guesses(ApiTest):
    flags = (*NO_PROXY, "--http-keyless-per-second", "10", "--webhook-allow", "127.0.0.0/8")

    def ask(self, source, path, key=None, **more):
        return ask(self.vas, source, path, key, **more)

    def test_wrong_keys_use_up_what_an_address_may_be_wrong_and_known_keys_go_on(self):
        office, sessions = "127.0.0.66", "/calls/example.com/sessions"
        self.assertEqual(self.ask(office, sessions, KEYS["domain"]).status, 200)
        for _ in range(20):
            self.assertEqual(self.ask(office, sessions, "XIguess").status, 401)
        begun = time.monotonic()
        limited = self.ask(office, sessions, "XIguess")
        self.assertEqual(limited.status, 429)
        self.assertGreater(time.monotonic() - begun, 0.9, "who guesses waits")
        self.assertGreaterEqual(int(limited.getheader("Retry-After")), 1)
        self.assertEqual(limited.getheader("Connection"), "close")
        self.assertIn("wrong keys", json.loads(limited.text)["detail"])
        begun = time.monotonic()
        self.assertEqual(self.ask(office, sessions, KEYS["domain"]).status, 200, "it has worked from there")
        self.assertLess(time.monotonic() - begun, 0.9)
        self.assertEqual(
            self.ask(office, sessions, KEYS["tenant"]).status, 429, "this one has not: nobody learns that it is right"
        )
        self.assertEqual(self.ask("127.0.0.67", sessions, KEYS["tenant"]).status, 200, "elsewhere it is")
        self.assertEqual(self.ask("127.0.0.67", sessions, "XIguess").status, 401)

    def test_guessed_poll_tokens_take_nothing_of_the_domain_and_right_ones_wait(self):
        self.call("PATCH", "/tenants/1/domains/3", {"profile": {"api-requests-per-second": 10}})
        self.addCleanup(
            lambda: self.call("PATCH", "/tenants/1/domains/3", {"profile": {"api-requests-per-second": None}})
        )
        token = self.incoming()["token"]
        guess = f"/calls/example.com/ringing/{MSISDN}/{'0' * 32}"
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            statuses = list(pool.map(lambda _: self.ask("127.0.0.68", guess).status, range(60)))
        self.assertEqual({403, 429}, set(statuses))
        self.assertLessEqual(statuses.count(403), 22)
        for source in ("127.0.0.68", "127.0.0.69"):
            waiting = socket.create_connection(("127.0.0.1", self.vas.http_port), timeout=5, source_address=(source, 0))
            waiting.sendall(f"GET /calls/example.com/ringing/{MSISDN}/{token} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.addCleanup(waiting.close)
        self.wait_for_polls(2)

    def test_what_needs_no_key_has_a_rate_by_address(self):
        statuses = [self.ask("127.0.0.70", "/openapi.json").status for _ in range(60)]
        self.assertEqual({200, 429}, set(statuses))
        self.assertEqual(self.ask("127.0.0.70", "/nothing").status, 429)
        self.assertEqual(self.ask("127.0.0.71", "/openapi.json").status, 200)
        self.assertEqual(self.ask("127.0.0.70", "/calls/example.com/sessions", KEYS["domain"]).status, 200)

    def test_what_a_stranger_says_of_whom_it_speaks_for_is_not_believed(self):
        statuses = [
            ask(
                self.vas, "127.0.0.72", "/calls/example.com/sessions", "XIguess", forwarded=f"203.0.113.{number}"
            ).status
            for number in range(21)
        ]
        self.assertEqual(statuses, [401] * 20 + [429])


class Proxied(ApiTest):
    """Behind a proxy on the same host, as by default."""

    def test_a_proxy_is_believed_whom_it_serves(self):
        def asked_for(client, key):
            return ask(self.vas, "127.0.0.1", "/calls/example.com/sessions", key, forwarded=client).status

        self.assertEqual([asked_for("198.51.100.1, 203.0.113.7", "XIguess") for _ in range(21)], [401] * 20 + [429])
        self.assertEqual(asked_for("203.0.113.8", "XIguess"), 401)
        self.assertEqual(asked_for("203.0.113.8", KEYS["domain"]), 200)
        self.assertEqual([asked_for(None, "XIguess") for _ in range(30)], [401] * 30, "the host itself")


class Shares(E2eTest):
    profile = {"session-ttl": 5}

    @classmethod
    def edit_directory(cls, directory):
        directory["apiKeys"].append({"id": 2, "key": "XIdomain", "scope": "domain", "domainId": 3})
        directory["trunks"][0]["targets"] = []
        cls.silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # a carrier that does not answer
        cls.addClassCleanup(cls.silent.close)
        cls.silent.bind((TRUNK, 0))
        directory["trunks"][1].update(
            {"targets": [f"{TRUNK}:{cls.silent.getsockname()[1]}"], "prefixes": ["777"], "maxCalls": 1}
        )

    def profile_of(self, key=None, **fields):
        profile = {name.replace("_", "-"): value for name, value in fields.items()}
        return self.vas.request("PATCH", f"/tenants/1/domains/{DOMAIN}", {"profile": profile}, *([key] if key else []))[
            0
        ]

    def invite(self, token):
        phone = self.scripted()
        phone.invite(token)
        return phone

    def test_a_domain_has_as_many_calls_as_it_may_and_a_token_that_came_too_early_stays_good(self):
        self.assertEqual(self.profile_of(max_calls=1), 200)
        self.addCleanup(lambda: self.profile_of(max_calls=None))
        far, token = self.far_phone()
        first = self.invite(token)
        invite = asked(far)
        other_far, other_token = self.far_phone()
        second = self.invite(other_token)
        refused = second.final(5)
        second.ack(refused)
        self.assertEqual(refused.status, 503)
        self.assertTrue(refused.header("Retry-After"))
        self.assertIn('vas_calls_refused_total{of="domain"} 1', self.vas.text("/metrics"))
        self.assertIn(f'vas_domain_calls{{domain="{DOMAIN}"}} 1', self.vas.text("/metrics"))
        far.answer(invite, 486, "Busy Here")
        first.ack(first.final(5))
        self.vas.record_of(token)
        again = self.invite(other_token)
        other_far.answer(asked(other_far), 486, "Busy Here")
        self.assertEqual(again.final(5).status, 486, "the same token, once there is room")
        self.assertEqual(self.vas.record_of(other_token)["last_sip_code"], 486)

    def test_calls_a_second(self):
        self.assertEqual(self.profile_of(max_calls_per_second=1), 200)
        self.addCleanup(lambda: self.profile_of(max_calls_per_second=None))
        statuses = []
        for _ in range(4):
            phone = self.invite(self.vas.make_outgoing(routing={"routes": []})["token"])
            answer = phone.final(5)
            phone.ack(answer)
            statuses.append(answer.status)
        self.assertEqual(statuses[:2], [404, 404])
        self.assertIn(503, statuses)

    def test_a_trunk_that_calls_too_much_gets_503_and_each_attempt_its_record(self):
        self.assertEqual(self.vas.request("PATCH", f"/domains/{DOMAIN}/trunks/7", {"maxCalls": 1})[0], 200)
        self.addCleanup(lambda: self.vas.request("PATCH", f"/domains/{DOMAIN}/trunks/7", {"maxCalls": None}))
        calls = [self.scripted(TRUNK) for _ in range(3)]
        calls[0].invite(user="15550002")
        while calls[0].receive(5).status != 180:
            pass
        for phone in calls[1:]:
            phone.invite(user="15550002")
            refused = phone.final(5)
            phone.ack(refused)
            self.assertEqual(refused.status, 503)

        def refusals():
            return [each for each in self.vas.records() if each["termination_reason"] == "trunk-calls"]

        records = wait_until(lambda: len(refusals()) == 2 and refusals(), 5, "two records")
        self.assertEqual(
            [(each["local_cause"], each["direction"], each["last_sip_code"]) for each in records],
            [(918, "incoming", None)] * 2,
        )
        self.assertIn('vas_calls_refused_total{of="trunk"} 2', self.vas.text("/metrics"))
        calls[0].send("CANCEL", user="15550002", cseq=calls[0].cseq, branch=calls[0].branch)
        while (answer := calls[0].final(5)).status != 487:
            pass
        calls[0].ack(answer)

    def test_a_trunk_that_is_full_is_passed_over(self):
        tokens = [self.vas.make_outgoing(destination="7771")["token"] for _ in range(2)]
        first = self.invite(tokens[0])
        self.silent.settimeout(5 * SLOW)
        self.assertTrue(self.silent.recv(65536).startswith(b"INVITE "))
        second = self.invite(tokens[1])
        second.ack(second.final(5))
        record = self.vas.record_of(tokens[1])
        self.assertEqual(record["local_cause"], 918)
        self.assertEqual([(each["trunk_id"], each["code"]) for each in record["route"]], [(8, 0)])
        first.ack(first.final(10))

    def test_sessions(self):
        self.assertEqual(self.profile_of(max_sessions=2), 200)
        self.addCleanup(lambda: self.profile_of(max_sessions=None))
        wait_until(lambda: "\nvas_sessions 0\n" in self.vas.text("/metrics"), 40, "the end of other tests' sessions")
        tokens = [self.vas.make_outgoing()["token"] for _ in range(2)]
        status, problem = self.vas.request("POST", f"/calls/{DOMAIN}/outgoing/15550001", {"destination": "9"})
        self.assertEqual(status, 429)
        self.assertIn("max-sessions", problem["detail"])
        self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{tokens[0]}")
        self.profile_of(max_sessions=None, max_session_bytes=3000)
        self.addCleanup(lambda: self.profile_of(max_session_bytes=None))
        status, problem = self.vas.request(
            "POST",
            f"/calls/{DOMAIN}/outgoing/15550001",
            {"destination": "9", "routing": {"routes": [], "x": "y" * 3000}},
        )
        self.assertEqual(status, 429)
        self.assertIn("max-session-bytes", problem["detail"])
        self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{tokens[1]}")

    def test_only_the_system_raises_what_stands(self):
        self.assertEqual(self.profile_of("XIdomain", max_calls=5, max_sessions=100), 200, "lower is everybody's")
        self.addCleanup(lambda: self.profile_of(max_calls=None, max_sessions=None))
        for raised in (
            {"max_calls": 6},
            {"max_calls": None},
            {"max_sessions": 101},
            {"max_sessions": None},
            {"api_requests_per_second": 2000},
            {"max_webhooks": 3000},
            {"max_polls": 30000},
            {"max_calls_per_second": 501},
            {"max_session_bytes": 1 << 30},
        ):
            self.assertEqual(self.profile_of("XIdomain", **raised), 401, raised)
        self.assertEqual(self.profile_of(max_calls=6, max_sessions=200_001), 200)
        for source, status in (
            ("10.1.2.3", 400),
            ("127.0.0.1", 400),
            ("192.168.1.0/24", 400),
            ("203.0.112.0/23", 400),
            ("2001:db8::/47", 400),
            ("::1", 400),
            ("203.0.113.0/24", 201),
            ("2001:db8::/48", 201),
        ):
            body = {"name": "x", "sources": [source]}
            self.assertEqual(self.vas.request("POST", f"/domains/{DOMAIN}/trunks", body, "XIdomain")[0], status, source)
        self.assertEqual(
            self.vas.request("PATCH", f"/domains/{DOMAIN}/trunks/7", {"name": "renamed"}, "XIdomain")[0],
            200,
            "what the system gave stays",
        )


class LookUps(E2eTest):
    """Backends by name, and a name server that answers for some and is silent for others."""

    @classmethod
    def setUpClass(cls):
        cls.dns = DnsServer("127.0.0.1")
        cls.flags = ("--dns-server", cls.dns.endpoint)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.dns.stop()

    def threads(self):
        return len(os.listdir(f"/proc/{self.vas.process.pid}/task"))

    def under_way(self):
        return int(re.search(r"^vas_webhooks_under_way (\d+)$", self.vas.text("/metrics"), re.MULTILINE).group(1))

    def change(self, callback):
        token = self.vas.make_outgoing(callback=callback)["token"]
        self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")[0], 204)
        return token

    def test_names_are_looked_up_without_a_thread_each_and_a_silent_server_slows_nobody(self):
        port = self.backend.server.server_port
        self.dns.a("app.example.test", "127.0.0.1")
        self.change(f"http://app.example.test:{port}/a")
        wait_until(lambda: self.backend.callbacks, 5, "a callback to a name")
        self.assertEqual(self.backend.callbacks[0][1]["Host"], f"app.example.test:{port}")
        before = self.threads()
        self.dns.is_silent = True
        for number in range(100):
            self.change(f"http://slow{number}.example.test:{port}/")
        wait_until(
            lambda: self.under_way() >= 20, 5, "callbacks under way"
        )  # of 100: a slow machine's first have given up
        self.assertLessEqual(self.threads(), before)
        self.backend.callbacks.clear()
        begun = time.monotonic()
        self.change(f"http://app.example.test:{port}/b")
        self.change(f"http://127.0.0.1:{port}/c")
        wait_until(lambda: len(self.backend.callbacks) >= 2, 3, "callbacks to a name that is known, and to an address")
        self.assertLess(time.monotonic() - begun, 2 * SLOW)
        self.assertLessEqual(self.threads(), before)
        self.dns.is_silent = False
        self.dns.a("slow7.example.test", "127.0.0.1")
        wait_until(
            lambda: any(headers["Host"].startswith("slow7.") for _, headers in self.backend.callbacks),
            40,
            "the callback, when the name is known",
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
