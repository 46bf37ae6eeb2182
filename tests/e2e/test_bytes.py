"""Bytes that are no text, by callers, carriers and API clients,
through the whole server and a kill -9, on both databases.

Whatever is written, records, log, traces, callbacks, answers, is read
here by readers that forgive nothing. (docs/signaling.md, "Bytes")
"""
import http.client
import json
import signal
import subprocess
import unittest

from harness import ALICE, BIN, DOMAIN, KEY, TRUNK, E2eTest, Phone
from postgres_lab import Postgres

# As they stand on the wire: no UTF-8, a surrogate, controls of both sets, a line end for some readers.
BAD = {
    "no UTF-8": "\udcff\udcfe",
    "cut off": "\udce2\udc82",
    "a surrogate": "\udced\udca0\udc80",
    "ESC": "\x1b[31m",
    "DEL": "\x7f",
    "C1": "\udcc2\udc9b",
    "NUL": "\0",
    "CR": "\r",
}


class RawPhone(Phone):
    """Sends and shows bytes as they are: `\\udcXX` stands for one that is no UTF-8."""

    def transmit(self, text):
        host, port = self.server.split(":")
        self.socket.sendto(text.encode("utf-8", "surrogateescape"), (host, int(port)))

    def take(self, seconds):
        return super().take(seconds)


def assert_text(test, raw, what, ends=b"\n"):
    """UTF-8 without a control character, but for the ends of its lines."""
    text = raw.decode("utf-8")  # strict: raises
    odd = sorted(
        {f"U+{ord(c):04X}" for c in text if (ord(c) < 0x20 and c.encode() not in ends) or 0x7F <= ord(c) < 0xA0}
    )
    test.assertEqual(odd, [], f"{what}: {raw[:200]!r}")


class Bytes:
    flags = ("--sip-offences", "0", "--log-level", "debug")

    def raw_phone(self, address="127.0.0.1"):
        phone = RawPhone(address, self.vas.sip)
        self.addCleanup(phone.close)
        return phone

    def tearDown(self):
        """After each test the store commits, and all that was written is text."""
        self.assertEqual(self.vas.request("PATCH", "/tenants/1", {"name": "e2e"}, timeout=10)[0], 200)
        self.vas.make_outgoing()
        self.strict_records()
        assert_text(self, (self.folder / "vas.log").read_bytes(), "the log")
        for body, headers in self.backend.callbacks:
            assert_text(self, json.dumps(body).encode(), "a callback")

    def strict_records(self):
        path = self.folder / "data/records.jsonl"
        if not path.exists():
            return []
        raw = path.read_bytes()
        assert_text(self, raw, "the records")
        return [json.loads(line) for line in raw.decode().splitlines()]

    def connected(self, near_headers=(), status_line="OK", far_headers=(), **options):
        near, far = self.raw_phone(), self.raw_phone(TRUNK)
        plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
        token = self.vas.make_outgoing(routing=plan, callback=self.backend.url + "/status")["token"]
        near.invite(token, headers=list(near_headers), **options)
        invite = far.receive()
        far.answer(invite, 200, status_line, far.sdp(payloads="0"), far_headers)
        answer = near.final()
        self.assertEqual(answer.status, 200)
        near.ack(answer)
        self.assertEqual(far.receive().method, "ACK")
        return near, far, token, invite, answer

    def test_a_request_that_depends_on_such_bytes_is_refused(self):
        fields = {
            "Call-ID": {"Call-ID": "x{}@h"},
            "From's name": {"From": '"x{}" <sip:a@h>;tag=1'},
            "From's user": {"From": "<sip:a{}@h>;tag=1"},
            "From's tag": {"From": "<sip:a@h>;tag=1{}"},
            "To": {"To": "x{} <sip:b@h>"},
            "Contact": {"Contact": "<sip:a@127.0.0.9;x={}>"},
            "Record-Route": {"Record-Route": "<sip:a@127.0.0.9;lr;x={}>"},
            "token": {"X-Cloudonix-Session": "0123{}"},
            "Require": {"Require": "a{}"},
            "a name": {"X{}Y": "z"},
        }
        for what, bad in BAD.items():
            for where, field in fields.items():
                with self.subTest(what=what, where=where):
                    phone = self.raw_phone(TRUNK)
                    lines = [name.replace("{}", bad) + ": " + value.replace("{}", bad) for name, value in field.items()]
                    phone.send(
                        "INVITE",
                        headers=lines,
                        body=phone.sdp(),
                        drop=[f"{name}: " for name in field if name != "Record-Route"]
                        if where in ("Call-ID", "From's name", "From's user", "From's tag", "To", "Contact")
                        else (),
                    )
                    # The phone's own line of that name came first and is gone; its answer is text.
                    raw = phone.socket.recv(65536)
                    assert_text(self, raw, "the answer", b"\r\n")
                    self.assertTrue(raw.startswith(b"SIP/2.0 400 "), raw[:60])
            phone = self.raw_phone(TRUNK)
            phone.send("INVITE", target=f"sip:x{bad}@{self.vas.sip}", body=phone.sdp())
            self.assertEqual(phone.final().status, 400, what)

    def test_what_only_tells_of_its_sender_is_left_out_and_the_call_lives_through_kill_9(self):
        tokens = {}
        for what, bad in BAD.items():
            _, _, token, invite, answer = self.connected(
                [f"User-Agent: Phone {bad}", f"Subject: {bad}"],
                f"O{bad}K",
                [f"Server: Carrier {bad}", f"User-Agent: {bad}", f'Warning: 399 h "{bad}"'],
            )
            self.assertEqual((invite.header("Subject"), answer.start), ("", "SIP/2.0 200 OK"), what)
            tokens[token] = what
        near, far, token, _, _ = self.connected(["User-Agent: Büro ☎"], "Ja, gerne: ü", ["User-Agent: Café"])
        self.vas.stop(signal.SIGKILL)
        self.vas.start()
        for each in (*tokens, token):
            record = self.vas.record_of(each)
            self.assertEqual(record["termination_reason"], "node-failure", tokens.get(each))
        # As people have it, text goes through untouched.
        near, far, token, _, _ = self.connected(["User-Agent: Büro ☎"], "Ja, gerne: ü", ["User-Agent: Café"])
        near.bye()
        self.assertEqual([leg["user_agent"] for leg in self.vas.record_of(token)["legs"]], ["Büro ☎", "Café"])
        self.assertEqual(len(self.strict_records()), len({record["id"] for record in self.strict_records()}))

    def test_a_bye_whose_reason_is_no_text_ends_the_call(self):
        for bad in BAD.values():
            near, far, token, invite, _ = self.connected()
            far.call_id, far.remote_to = invite.header("Call-ID"), invite.header("From")
            near.send("BYE", headers=[f'Reason: SIP;cause=200;text="{bad}"'])
            self.assertEqual(near.final().status, 200)
            self.assertEqual(self.vas.record_of(token)["ended_by"], "caller")

    def test_an_answer_that_depends_on_such_bytes_is_as_though_it_had_not_come(self):
        for what, bad in BAD.items():
            near, far = self.raw_phone(), self.raw_phone(TRUNK)
            plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
            token = self.vas.make_outgoing(routing=plan)["token"]
            near.invite(token)
            invite = far.receive()
            tag, far.tag = far.tag, f"t{bad}"
            far.answer(invite, 200, "OK", far.sdp(payloads="0"))
            far.tag = tag
            far.answer(invite, 180, "Ringing", headers=[f"Record-Route: <sip:a@h;lr;x={bad}>"])
            far.answer(invite, 486, f"Busy{bad}")
            answer = near.final()
            self.assertEqual((answer.status, what), (486, what))
            near.ack(answer)

    def test_a_description_puts_no_line_into_the_other_partys(self):
        evil = "a=fmtp:0 x{}a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:INJECTED\r\n"
        for what, bad in BAD.items():
            near = self.raw_phone()
            far = self.raw_phone(TRUNK)
            plan = {"routes": [{"termination_ip": f"{TRUNK}:{far.port}", "termination_number": "999"}]}
            near.invite(self.vas.make_outgoing(routing=plan)["token"], body=near.sdp() + evil.replace("{}", bad))
            invite = far.receive()
            self.assertNotIn("INJECTED", invite.body, what)
            far.answer(invite, 200, "OK", far.sdp(payloads="0") + evil.replace("{}", bad))
            answer = near.final()
            self.assertEqual((answer.status, "INJECTED" in answer.body), (200, False), what)
            near.ack(answer)
            near.bye()

    def test_a_traces_text_is_text_and_shows_no_token(self):
        near, far, token, _, _ = self.connected([f"User-Agent: {BAD['no UTF-8']}{BAD['ESC']}"], f"O{BAD['C1']}K")
        near.bye()
        for spelled in (f"X-Cloudonix-Session : {token}", f"x-cloudonix-session:\r\n {token}"):
            session = self.vas.make_outgoing()["token"]
            near = self.raw_phone()
            near.send(
                "INVITE", body=near.sdp(), headers=[spelled.replace(token, session), f"X-Cloudonix-Domain: {DOMAIN}"]
            )
            near.final()
            text = self.trace(session)
            self.assertNotIn(session[8:], text)
        text = self.trace(token)
        self.assertNotIn(token[8:], text)
        self.assertIn("200 O\\u009bK", text)
        shown = subprocess.run(
            [
                BIN / "vasctl",
                "--url",
                f"http://127.0.0.1:{self.vas.http_port}",
                "--key",
                KEY,
                "trace",
                token,
                "--messages",
            ],
            capture_output=True,
            check=True,
            timeout=20,
        ).stdout
        assert_text(self, shown, "the terminal")
        self.assertIn(b"200 O\\xc2\\x9bK", shown)

    def trace(self, token):
        connection = http.client.HTTPConnection("127.0.0.1", self.vas.http_port, timeout=10)
        connection.request("GET", f"/gateway/traces/{token}", headers={"Authorization": "Bearer " + KEY})
        raw = connection.getresponse().read()
        connection.close()
        assert_text(self, raw, "the trace")
        json.loads(raw)
        return raw.decode()

    def post(self, path, raw):
        connection = http.client.HTTPConnection("127.0.0.1", self.vas.http_port, timeout=10)
        connection.request("POST", path, raw, {"Authorization": "Bearer " + KEY, "Content-Type": "application/json"})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert_text(self, body, "the answer")
        return response.status, json.loads(body)

    def test_the_api_takes_text_alone(self):
        outgoing = f"/calls/{DOMAIN}/outgoing/{ALICE}"
        for odd in (
            b"\\u0000",
            b"\\u001b",
            b"\\r\\nX: y",
            b"\\u007f",
            b"\\u009b",
            b"\\ud800",
            b"\\udc00\\ud800",
            b"\xff",
            b"\xed\xa0\x80",
            b"\x1b",
            b"\r",
        ):
            for body in (
                b'{"destination":"1%s"}',
                b'{"destination":"1","callerId":"2%s"}',
                b'{"destination":"1","callback":"http://127.0.0.1/%s"}',
                b'{"destination":"1","routing":{"routes":[{"termination_ip":"127.0.0.9","termination_number":"9%s"}]}}',
                b'{"destination":"1","routing":{"routes":[],"note":"%s"}}',
                b'{"destination":"1","routing":{"routes":[],"a%s":1}}',
            ):
                status, answer = self.post(outgoing, body % odd)
                self.assertEqual((status, odd, body), (400, odd, body), answer)
            for path, body in (
                ("/tenants", b'{"name":"a%s"}'),
                ("/tenants/1/domains", b'{"name":"a%s.example"}'),
                ("/tenants/1/domains", b'{"name":"a.example","profile":{"x":["y%s"]}}'),
                (f"/domains/{DOMAIN}/subscribers", b'{"msisdn":"1%s"}'),
                (f"/domains/{DOMAIN}/trunks", b'{"name":"a%s","targets":["127.0.0.9"]}'),
            ):
                self.assertEqual((self.post(path, body % odd)[0], path, odd), (400, path, odd))
        status, session = self.post(
            outgoing, '{"destination":"1","routing":{"routes":[],"note":"Grüße ☎ \\ud83d\\udcde"}}'.encode()
        )
        self.assertEqual((status, session["routing"]["note"]), (200, "Grüße ☎ 📞"))


class OnSqlite(Bytes, E2eTest):
    pass


class OnPostgresql(Bytes, E2eTest):
    @classmethod
    def place_server(cls, vas):
        cls.database = Postgres()
        vas.flags += ["--store", cls.database.url, "--node", "a"]

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.database.remove()


if __name__ == "__main__":
    unittest.main(verbosity=2)
