"""Callbacks, the control endpoint and the routing application, against backends that hang, fail, redirect and lie."""
import base64
import hashlib
import hmac
import http.server
import json
import signal
import socket
import time
import unittest

from api_harness import MSISDN, OTHER_MSISDN, ApiTest
from harness import SLOW, TRUNK, serving, wait_until
from webhook_judge import verdicts


class CallbackTest(ApiTest):
    def change(self, token, times=1):
        for number in range(times):
            self.assertEqual(self.call("PATCH", f"/calls/example.com/sessions/{token}", {"timeLimit": number + 1}).status, 200)

    def events_of(self, token):
        return [(body, headers) for body, headers in list(self.backend.callbacks) if body["token"] == token]


class Callbacks(CallbackTest):
    def test_each_is_signed_with_the_domains_secret(self):
        token = self.outgoing(callback=self.backend.url + "/status")["token"]
        self.change(token)
        body, headers = wait_until(lambda: self.events_of(token), 5, "the callback")[0]
        content = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{content}".encode()
        expected = base64.b64encode(hmac.new(b"s3cret", signed, hashlib.sha256).digest()).decode()
        self.assertEqual(headers["webhook-signature"], "v1," + expected)
        self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()), 60)
        self.assertEqual(body["eventId"], headers["webhook-id"])

    def test_their_ids_grow_and_hold_no_token(self):
        """The token can be dialled with; an id stands in logs, lists and URLs."""
        token = self.outgoing(callback=self.backend.url + "/status")["token"]
        self.change(token, 3)
        events = wait_until(lambda: len(found := self.events_of(token)) == 3 and found, 5, "the callbacks")
        session = self.call("GET", f"/calls/example.com/sessions/{token}").json["id"]
        self.assertEqual([body["eventId"] for body, _ in events], [f"{session}-{number}" for number in (1, 2, 3)])
        self.trunk_call()
        for _, _, headers in self.backend.posts:
            self.assertNotIn(token, headers["webhook-id"])
        body, headers = self.backend.notifications[0]
        self.assertNotIn(body["session"], headers["webhook-id"])

    def trunk_call(self):
        """A call from outside that its backend hears of, and ends."""
        caller = self.caller("trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@{self.vas.sip}")
        token = self.notification()["session"]
        wait_until(lambda: self.call("GET", f"/calls/example.com/sessions/{token}").json["status"] == "ringing", 10, "the parking")
        self.call("DELETE", f"/calls/example.com/sessions/{token}?reason=busy")
        self.assertEqual(caller.result()["status"], 486)
        return token

    def test_the_domains_own_callback_hears_of_calls_from_outside(self):
        self.call("PATCH", "/tenants/1/domains/3", {"profile": {"session-callback": self.backend.url + "/domain"}})
        self.addCleanup(self.call, "PATCH", "/tenants/1/domains/3", {"profile": {"session-callback": None}})
        token = self.trunk_call()
        events = wait_until(lambda: len(found := self.events_of(token)) == 2 and found, 10, "the callbacks")
        self.assertEqual([(body["action"], body["status"], body.get("disposition")) for body, _ in events],
                         [("updated", "ringing", None), ("deleted", "ringing", "BUSY")])
        self.assertEqual({path for path, _, _ in self.backend.posts}, {"/incoming", "/domain"})

    def test_a_callback_may_be_changed_taken_away_and_given_back(self):
        token = self.outgoing(callback=self.backend.url + "/a")["token"]
        path = f"/calls/example.com/sessions/{token}"
        for callback in (self.backend.url + "/b", None, self.backend.url + "/c"):
            self.assertEqual(self.call("PATCH", path, {"callback": callback}).json["callback"], callback)
            self.change(token)
        self.call("DELETE", path)
        wait_until(lambda: any(body["action"] == "deleted" for body, _ in self.events_of(token)), 10, "the last")
        self.assertEqual([where for where, _, _ in self.backend.posts], ["/b", "/b", "/c", "/c", "/c"], "each goes to the callback of its time")
        self.assertEqual([body["eventId"].rpartition("-")[2] for body, _ in self.events_of(token)], ["1", "2", "3", "4", "5"])

    def test_a_failed_one_is_repeated_with_its_id_and_holds_back_those_behind_it(self):
        fails = [2]

        def answer(_path, body):
            fails[0] -= body["timeLimit"] == 1
            return 500 if fails[0] >= 0 and body["timeLimit"] == 1 else 204
        self.backend.callback_answer = answer
        token = self.outgoing(callback=self.backend.url + "/flaky")["token"]
        self.change(token, 3)
        wait_until(lambda: len(self.events_of(token)) >= 5, 10, "the callbacks")
        self.assertEqual([body["timeLimit"] for body, _ in self.events_of(token)], [1, 1, 1, 2, 3])
        ids = [headers["webhook-id"] for _, headers in self.events_of(token)]
        self.assertEqual(len(set(ids[:3])), 1)
        self.assertEqual(len(set(ids)), 3)

    def test_a_redirect_is_not_followed(self):
        self.backend.callback_answer = lambda path, body: 307 if path == "/moved" else 204
        seen = []
        inner = self.backend.callback_answer
        self.backend.callback_answer = lambda path, body: (seen.append(path), inner(path, body))[1]
        token = self.outgoing(callback=self.backend.url + "/moved")["token"]
        self.change(token)
        wait_until(lambda: len(seen) >= 2, 10, "a second try")
        self.assertEqual(set(seen), {"/moved"})
        self.backend.callback_answer = lambda path, body: 204
        wait_until(lambda: b"\nvas_callbacks_waiting 0\n" in self.call("GET", "/metrics").body, 15, "an empty outbox")

    def test_what_was_not_delivered_is_delivered_in_order_after_a_kill(self):
        self.backend.callback_answer = lambda path, body: 503
        tokens = [self.outgoing(callback=self.backend.url + "/down")["token"] for _ in range(5)]
        for token in tokens:
            self.change(token, 3)
            self.call("DELETE", f"/calls/example.com/sessions/{token}")
        wait_until(lambda: len(self.backend.callbacks) >= 5, 5, "the first tries")
        before = {headers["webhook-id"] for _, headers in self.backend.callbacks}
        self.vas.stop(signal.SIGKILL)
        self.backend.callbacks.clear()
        self.backend.callback_answer = lambda path, body: 204
        self.vas.start()
        wait_until(lambda: len(self.backend.callbacks) >= 20, 15, "all callbacks")
        for token in tokens:
            events = self.events_of(token)
            self.assertEqual([body["action"] for body, _ in events], ["updated"] * 3 + ["deleted"])
            self.assertEqual([body["timeLimit"] for body, _ in events], [1, 2, 3, 3])
            numbers = [int(body["eventId"].rpartition("-")[2]) for body, _ in events]
            self.assertEqual(numbers, [1, 2, 3, 4])
        self.assertLessEqual(before, {headers["webhook-id"] for _, headers in self.backend.callbacks}, "the same ids as before the kill")


class Judged(CallbackTest):
    """The signatures, by the library that backends use."""

    ENCODED, OLD, PLAIN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "s3cret of before, äöü"

    def signed_with(self, secrets):
        """What comes of a callback and of a notification, where the domain has these secrets."""
        self.assertEqual(self.call("PATCH", "/tenants/1/domains/3", {"profile": {"webhook-secret": secrets}}).status, 200)
        self.backend.posts.clear()
        self.change(self.outgoing(callback=self.backend.url + "/status")["token"])
        self.backend.answer = 404
        self.caller("trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@{self.vas.sip}").result()
        posts = wait_until(lambda: len(self.backend.posts) == 2 and self.backend.posts, 10, "both")
        self.assertEqual({path for path, _, _ in posts}, {"/status", "/incoming"})
        return [(content, headers) for _, content, headers in posts]

    def accepted(self, posts, secret, raw=False):
        return {verdict is True for verdict in verdicts([(secret, raw, content, headers) for content, headers in posts])}

    def test_an_encoded_secret_is_a_key(self):
        posts = self.signed_with(self.ENCODED)
        self.assertEqual((self.accepted(posts, self.ENCODED), self.accepted(posts, self.OLD)), ({True}, {False}))
        changed = [(content + b" ", headers) for content, headers in posts]
        self.assertEqual(self.accepted(changed, self.ENCODED), {False})

    def test_any_other_is_its_own_bytes(self):
        plain = self.PLAIN.encode().decode("latin-1")  # the library takes a character for a byte
        self.assertEqual(self.accepted(self.signed_with(self.PLAIN), plain, raw=True), {True})

    def test_while_one_follows_the_other_both_are_good(self):
        posts = self.signed_with([self.ENCODED, self.OLD, "s3cret"])
        for secret, raw in ((self.ENCODED, False), (self.OLD, False), ("s3cret", True)):
            self.assertEqual(self.accepted(posts, secret, raw), {True}, secret)
        self.assertEqual(self.accepted(posts, "another", True), {False})
        self.assertEqual({len(headers["webhook-signature"].split(" ")) for _, headers in posts}, {3})
        self.assertEqual(self.accepted(self.signed_with([self.ENCODED]), self.OLD), {False}, "the old one has gone")

    def test_several_are_sealed_and_kept_over_a_restart(self):
        self.signed_with([self.ENCODED, "canary0of0webhooks"])
        self.vas.stop(signal.SIGKILL)
        for path in (self.vas.folder / "data").iterdir():
            self.assertNotIn(b"canary0of0webhooks", path.read_bytes() if path.is_file() else b"", path)
        self.vas.start()
        self.backend.posts.clear()
        self.change(self.outgoing(callback=self.backend.url + "/status")["token"])
        _, content, headers = wait_until(lambda: self.backend.posts, 10, "the callback")[0]
        self.assertEqual(self.accepted([(content, headers)], "canary0of0webhooks", raw=True), {True})


class Hanging(CallbackTest):
    """500 endpoints that take connections and never answer, each on an address of its own."""

    flags = ("--webhook-allow", "127.0.0.0/8")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.listeners = []
        for number in range(500):
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((f"127.1.{number // 250}.{number % 250 + 1}", 0))
            listener.listen(64)
            cls.listeners.append(listener)

    @classmethod
    def tearDownClass(cls):
        for listener in cls.listeners:
            listener.close()
        super().tearDownClass()

    def delivery(self, times):
        """Median and worst time from a change to its callback at an endpoint that works."""
        took = []
        for _ in range(times):
            token = self.outgoing(callback=self.backend.url + "/works")["token"]
            begun = time.monotonic()
            self.call("DELETE", f"/calls/example.com/sessions/{token}")
            wait_until(lambda: self.events_of(token), 5, "the callback")
            took.append(time.monotonic() - begun)
        return sorted(took)

    def test_they_slow_nobody_else_and_calls_go_on(self):
        self.call("PATCH", "/tenants/1/domains/3", {"profile": {"api-requests-per-second": 100000}})
        quiet = self.delivery(20)
        for listener in self.listeners:
            host, port = listener.getsockname()
            for _ in range(6):
                token = self.outgoing(callback=f"http://{host}:{port}/")["token"]
                self.call("DELETE", f"/calls/example.com/sessions/{token}")
        busy = self.delivery(20)
        self.assertLess(busy[10], quiet[10] + 0.5 * SLOW, (quiet, busy))  # each hanging request lasts 10 s
        wait_until(lambda: b"\nvas_callbacks_waiting 3000\n" in self.call("GET", "/metrics").body, 5, "all of them waiting still, none given up")
        self.caller("trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@{self.vas.sip}", "--wait", 1)
        begun = time.monotonic()
        self.notification()
        self.assertLess(time.monotonic() - begun, 2 * SLOW)
        wait_until(lambda: b"\nvas_callback_endpoints_broken 500\n" in self.call("GET", "/metrics").body, 40, "500 open breakers")
        self.assertLess(self.delivery(20)[10], quiet[10] + 0.5 * SLOW)


class Guard(CallbackTest):
    """A name that leads into the platform's own network, which only its resolution shows; nothing is allowed here."""

    @classmethod
    def edit_directory(cls, directory):
        super().edit_directory(directory)
        cls.vas.allows_loopback = False

    def test_a_name_of_a_forbidden_address_reaches_nothing_and_says_why(self):
        hits = []

        class Inside(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                hits.append(self.path)

            def log_message(self, *_):
                pass

        inside = serving(self, Inside)
        token = self.outgoing(callback=f"http://localhost:{inside.server_port}/x")["token"]
        self.change(token)
        letter = wait_until(lambda: self.call("GET", "/domains/3/deadletters").json, 10, "the dead letter")[0]
        self.assertRegex(letter["lastError"], "refused: (127.0.0.1|::1) is inside .*webhook-allow")
        self.assertEqual(hits, [])
        answer = self.call("POST", f"/calls/example.com/outgoing/{MSISDN}", {"destination": "1", "callback": f"http://127.0.0.1:{inside.server_port}/x"})
        self.assertEqual(answer.status, 400)
        self.assertIn("127.0.0.1", answer.json["detail"])

    def test_the_control_endpoint_is_guarded_too(self):
        """The endpoint came by the directory file, which is the operator's; the request is refused all the same."""
        caller = self.caller("trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@{self.vas.sip}")
        begun = time.monotonic()
        self.assertEqual(caller.result()["status"], 480)
        self.assertLess(time.monotonic() - begun, 3 * SLOW, "it is not tried again")
        self.assertEqual(self.backend.notifications, [])
        self.assertEqual(self.vas.records()[-1]["local_cause"], 902)


class RoutingApplication(CallbackTest):
    @classmethod
    def edit_directory(cls, directory):
        super().edit_directory(directory)
        directory["domains"][0]["profile"]["call-routing-application"] = cls.backend.url + "/application"

    def trunk_call(self, *flags):
        return self.caller("trunk", "--listen", f"{TRUNK}:0", "--from", "+15155558484", "--dial", f"sip:{MSISDN}@{self.vas.sip}", *flags)

    def instruct(self, status, instructions):
        self.backend.answer = status
        self.backend.instructions = instructions if isinstance(instructions, bytes) else json.dumps(instructions).encode()

    def pick_up(self, token, caller):
        wait_until(lambda: self.call("GET", f"/calls/example.com/sessions/{token}").json.get("status") == "ringing", 5, "the parking")
        app = self.caller("app", "--dial", f"sip:any@{self.vas.sip}", "--token", token, "--domain", "example.com", "--seconds", 1)
        self.assertEqual((app.result()["outcome"], caller.result()["outcome"]), ("answered", "answered"))

    def test_park(self):
        for instructions in ({"action": "park"}, b""):
            self.backend.notifications.clear()
            self.instruct(200, instructions)
            caller = self.trunk_call("--seconds", 0)
            body = self.notification()
            self.assertEqual((body["dnid"], body["caller-id"]), (MSISDN, "+15155558484"))
            self.pick_up(body["session"], caller)
            self.assertEqual(len(self.backend.notifications), 1, "the control endpoint is not asked as well")

    def test_park_under_a_session_that_the_application_made(self):
        session = self.incoming("application", timeLimit=2, callback=self.backend.url + "/status")
        self.instruct(200, {"action": "park", "session": session["token"]})
        caller = self.trunk_call("--seconds", 0)
        body = self.notification()
        self.pick_up(session["token"], caller)
        self.assertEqual(self.call("GET", f"/calls/example.com/sessions/{body['session']}").status, 404, "ours gave way to it")
        record = self.vas.record_of(session["token"])
        self.assertEqual(record["disposition"], "ANSWERED")
        wait_until(lambda: any(body["action"] == "deleted" for body, _ in self.events_of(session["token"])), 5, "the end's callback")
        actions = [body["status"] for body, _ in self.events_of(session["token"])]
        self.assertEqual(actions, ["ringing", "connected", "connected"])

    def test_park_under_a_token_that_is_not_theirs_is_refused(self):
        for token in ("0" * 32, self.outgoing()["token"], self.incoming(msisdn=OTHER_MSISDN)["token"]):
            self.instruct(200, {"action": "park", "session": token})
            self.assertEqual(self.trunk_call().result()["status"], 403)

    def test_reject_with_a_code(self):
        for instructions, code, disposition in [({"action": "reject", "code": 486}, 486, "BUSY"), ({"action": "reject"}, 603, "DENIED"),
                                                ({"action": "reject", "code": 404}, 404, "FAILED")]:
            self.backend.notifications.clear()
            self.instruct(200, instructions)
            self.assertEqual(self.trunk_call().result()["status"], code)
            record = self.vas.record_of(self.notification()["session"])
            self.assertEqual((record["disposition"], record["termination_reason"]), (disposition, "application-rejected"))

    def test_route(self):
        carrier = self.caller("carrier", "--listen", f"{TRUNK}:0", "--seconds", 0, "--tone", 440)
        host, port = carrier.sip.replace("sip:", "").split(":")[-2:]
        self.instruct(200, {"action": "route", "routing": {"routes": [
            {"cx_trunk_id": 5, "termination_ip": f"{TRUNK}:1", "termination_number": "1"},
            {"cx_trunk_id": 6, "termination_ip": f"{TRUNK}:{port}", "termination_number": "777"}]}})
        caller = self.trunk_call("--seconds", 2, "--tone", 1000)
        body = self.notification()
        early = self.caller("thief", "--dial", f"sip:any@{self.vas.sip}", "--token", body["session"], "--domain", "example.com")
        self.assertEqual(early.result()["status"], 403, "a routed call is not picked up")
        self.assertEqual((caller.result()["outcome"], carrier.result()["outcome"]), ("answered", "answered"))
        record = self.vas.record_of(body["session"])
        self.assertEqual((record["direction"], record["disposition"], [each["number"] for each in record["route"]]), ("incoming", "ANSWERED", ["1", "777"]))

    def test_what_cannot_be_followed_rejects_with_403_and_404_and_5xx_mean_what_they_mean_elsewhere(self):
        for status, instructions, code in [(200, {"action": "dance"}, 403), (200, b"not json", 403), (200, {"action": "reject", "code": 200}, 403),
                                           (200, {"action": "route", "routing": {"routes": [{}]}}, 403), (404, b"", 404), (403, b"", 403)]:
            self.instruct(status, instructions)
            self.assertEqual(self.trunk_call().result()["status"], code, instructions)
        self.backend.notifications.clear()
        self.instruct([503, 503, 200], {"action": "reject", "code": 486})
        self.assertEqual(self.trunk_call().result()["status"], 486)
        self.assertEqual(len(self.backend.notifications), 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
