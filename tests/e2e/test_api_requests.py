"""Requests that are repeated, retried and mistyped, and what the answers' fields say."""
import email.utils
import signal
import socket
import threading
import time
import unittest

from api_harness import INACTIVE, MSISDN, OTHER_MSISDN, ApiTest

OUT, IN = f"/calls/example.com/outgoing/{MSISDN}", f"/calls/example.com/incoming/{MSISDN}"


class Repeated(ApiTest):
    """`Idempotency-Key`: of a POST that is sent again, one session."""

    def post(self, key, body=None, path=OUT, api_key="system"):
        return self.call("POST", path, body or {"destination": "63121233333"}, api_key, [f"Idempotency-Key: {key}"])

    def test_the_same_request_gets_the_same_session(self):
        first, quoted = self.post('"k1"'), self.post("k1")
        self.assertEqual((first.status, quoted.status), (200, 200))
        self.assertEqual(first.json["token"], quoted.json["token"])
        self.assertNotEqual(self.post("k2").json["token"], first.json["token"])
        self.assertNotEqual(self.outgoing()["token"], first.json["token"], "without a key each makes its own")
        self.call("PATCH", f"/calls/example.com/sessions/{first.json['token']}", {"timeLimit": 9})
        self.assertEqual(self.post("k1").json["timeLimit"], 9, "the session as it is now")

    def test_another_request_under_the_key_gets_422(self):
        self.assertEqual(self.post("k3").status, 200)
        for body, path in (
            ({"destination": "63121233334"}, OUT),
            ({"destination": "63121233333", "timeLimit": 5}, OUT),
            ({"destination": "63121233333"}, f"/calls/example.com/outgoing/{OTHER_MSISDN}"),
            ({"origination": "63121233333"}, IN),
        ):
            answer = self.post("k3", body, path)
            self.assertEqual(answer.status, 422, (path, body))
            self.assertIn("Idempotency-Key", answer.json["detail"])
        self.assertEqual(
            self.post("k3", path=f"/calls/3/outgoing/+{MSISDN}").status, 200, "another spelling of the same"
        )

    def test_each_api_key_has_its_own(self):
        tokens = {self.post("k4", api_key=key).json["token"] for key in ("system", "tenant", "domain")}
        self.assertEqual(len(tokens), 3)

    def test_when_its_session_is_over_no_second_one_is_made(self):
        token = self.post("k5").json["token"]
        self.call("DELETE", f"/calls/example.com/sessions/{token}")
        answer = self.post("k5")
        self.assertEqual(answer.status, 409)
        self.assertIn("over", answer.json["detail"])

    def test_repeats_at_once_make_one_and_all_hear_of_it(self):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.post("k6"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({answer.status for answer in answers}, {200})
        self.assertEqual(len({answer.json["token"] for answer in answers}), 1)

    def test_a_key_that_is_none_gets_400(self):
        for key in ('""', "a, b", '"a", "b"', '"a', "x" * 256, '"ä"'):
            answer = self.post(key)
            self.assertEqual(answer.status, 400, key)
            self.assertIn("Idempotency-Key", answer.json["detail"])
        answer = self.call("POST", OUT, {"destination": "1"}, headers=["Idempotency-Key: a", "Idempotency-Key: a"])
        self.assertEqual(answer.status, 400, "two are not one")

    def test_it_outlives_a_kill_as_the_session_does(self):
        token = self.post('"a key of before"').json["token"]
        self.vas.stop(signal.SIGKILL)
        self.vas.start()
        self.assertEqual(self.post('"a key of before"').json["token"], token)
        self.assertEqual(self.post('"a key of before"', {"destination": "1"}).status, 422)

    def test_what_was_refused_may_be_asked_again(self):
        wrong = self.post("k7", {"destination": "63121233333", "callback": "ftp://a.example"})
        self.assertEqual(wrong.status, 400)
        self.assertEqual(self.post("k7").status, 200)


class Refused(ApiTest):
    """What could come to nothing is refused when it is asked for."""

    def destination(self, text, **fields):
        return self.call("POST", OUT, {"destination": text, **fields})

    def test_destinations_that_no_network_has(self):
        for text in (
            "+",
            "+0123456",
            "+1234567890123456",
            "+1-800-FLOWERS",
            "63 121 233",
            "alice@example.com",
            "sip:100",
            "1" * 26,
            "#",
            "<1>",
            "ä",
        ):
            answer = self.destination(text)
            self.assertEqual(answer.status, 400, text)
            self.assertIn("`destination`", answer.json["detail"])

    def test_numbers_extensions_and_users_are_taken(self):
        for text, dialled in (
            ("63121233333", None),
            ("+63121233333", None),
            ("+1 (202) 555-0100", "+12025550100"),
            ("100", None),
            ("*21*100#", None),
            ("2828#63121233333", None),
            ("alice", None),
            ("01144207946001", None),
        ):
            answer = self.destination(text)
            self.assertEqual((answer.status, answer.json.get("destination")), (200, dialled or text), text)

    def test_an_alias_of_a_subscriber_is_a_destination_however_it_looks(self):
        self.assertEqual(self.destination("the front desk").status, 400)
        self.assertEqual(
            self.call("PATCH", f"/domains/3/subscribers/{OTHER_MSISDN}", {"aliases": ["the front desk"]}).status, 200
        )
        self.assertEqual(self.destination("the front desk").status, 200)

    def test_with_a_routing_plan_it_is_dialled_by_nobody(self):
        self.assertEqual(
            self.destination(
                "the front desk of Example Ltd",
                routing={"routes": [{"termination_ip": "192.0.2.1", "termination_number": "1"}]},
            ).status,
            200,
        )

    def test_an_inactive_subscriber_gets_no_token(self):
        for path, body in (
            (f"/calls/example.com/outgoing/{INACTIVE}", {"destination": "1"}),
            (f"/calls/example.com/incoming/{INACTIVE}", {"origination": "1"}),
        ):
            answer = self.call("POST", path, body)
            self.assertEqual(answer.status, 409, path)
            self.assertIn("not active", answer.json["detail"])

    def test_a_call_timeout_is_for_incoming_sessions(self):
        self.assertEqual(self.destination("1", callTimeout=5).status, 400)
        answer = self.call("PATCH", f"/calls/example.com/sessions/{self.outgoing()['token']}", {"callTimeout": 5})
        self.assertEqual(answer.status, 400)
        self.assertIn("incoming", answer.json["detail"])
        path = f"/calls/example.com/sessions/{self.incoming(callTimeout=7)['token']}"
        self.assertEqual(self.call("GET", path).json["callTimeout"], 7)
        self.assertEqual(self.call("PATCH", path, {"callTimeout": 9}).json["callTimeout"], 9)
        self.assertIsNone(self.call("PATCH", path, {"callTimeout": None}).json["callTimeout"])
        self.assertEqual(self.call("PATCH", path, {"callTimeout": 0}).status, 400)

    def test_a_callback_is_looked_at_in_a_patch_too(self):
        path = f"/calls/example.com/sessions/{self.outgoing(callback=self.backend.url + '/a')['token']}"
        for url in ("ftp://a.example", "http://10.0.0.1/", 5):
            answer = self.call("PATCH", path, {"callback": url})
            self.assertEqual(answer.status, 400, url)
            self.assertIn("callback", answer.json["detail"])
        self.assertEqual(self.call("GET", path).json["callback"], self.backend.url + "/a")
        self.assertIsNone(self.call("PATCH", path, {"callback": None}).json["callback"])


class MergePatch(ApiTest):
    MERGE = ["Content-Type: application/merge-patch+json"]

    def test_a_patch_may_call_itself_what_it_is(self):
        for path, body in (
            (f"/calls/example.com/sessions/{self.outgoing()['token']}", {"timeLimit": 5}),
            ("/tenants/1/domains/3", {"profile": {"colour": "red"}}),
            (f"/domains/3/subscribers/{MSISDN}", {"active": True}),
            ("/domains/3/trunks/7", {"priority": 5}),
            ("/apikeys/8", {"name": "sister domain"}),
        ):
            for kind in (
                self.MERGE,
                ["Content-Type: Application/Merge-Patch+JSON; charset=utf-8"],
                ["Content-Type: application/json"],
            ):
                self.assertEqual(self.call("PATCH", path, body, headers=kind).status, 200, (path, kind))

    def test_what_is_taken_is_told(self):
        answer = self.call("PATCH", "/tenants/1", {"name": "x"}, headers=["Content-Type: application/json-patch+json"])
        self.assertEqual(answer.status, 415)
        self.assertEqual(answer.headers["Accept-Patch"], "application/json, application/merge-patch+json")
        self.assertIn("application/merge-patch+json", answer.json["detail"])
        self.assertEqual(
            self.call("POST", OUT, {"destination": "1"}, headers=self.MERGE).status, 415, "a POST merges nothing"
        )


class Profiles(ApiTest):
    def patch(self, profile, status=200):
        answer = self.call("PATCH", "/tenants/1/domains/12", {"profile": profile})
        self.assertEqual(answer.status, status, answer.body)
        return answer.json

    def test_a_misspelt_field_is_kept_and_warned_of(self):
        answer = self.patch({"call-timout": 30, "maxPolls": 5, "billing-plan": "gold"})
        self.assertEqual(
            (answer["profile"]["call-timout"], answer["profile"]["maxPolls"], answer["profile"]["billing-plan"]),
            (30, 5, "gold"),
        )
        self.assertEqual(len(answer["warnings"]), 2)
        self.assertRegex(
            " ".join(answer["warnings"]), "profile.call-timout`.*`call-timeout`.*profile.maxPolls`.*`max-polls`"
        )
        self.assertNotIn("warnings", self.call("GET", "/tenants/1/domains/12").json)
        self.assertNotIn("warnings", self.patch({"call-timout": None, "maxPolls": None}))
        made = self.call("POST", "/tenants/1/domains", {"name": "slip.example", "profile": {"webhook_secret": "s"}})
        self.assertEqual((made.status, len(made.json["warnings"])), (201, 1))

    def test_webhook_secrets_are_one_or_several_and_never_told(self):
        for secrets in ("one", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "one"], [], None):
            self.assertNotIn("webhook-secret", self.patch({"webhook-secret": secrets})["profile"])
        for secrets in (
            [""],
            ["1", "2", "3", "4", "5"],
            [5],
            "whsec_no base64",
            ["good", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa"],
        ):
            self.assertIn("webhook-secret", self.patch({"webhook-secret": secrets}, 400)["detail"])

    def test_the_domains_callback_is_checked_and_taken_by_its_sessions(self):
        for url in ("ftp://a.example", "http://10.0.0.1/", 5):
            self.assertIn(
                "session-callback",
                self.call("PATCH", "/tenants/1/domains/3", {"profile": {"session-callback": url}}).json["detail"],
            )
        url = self.backend.url + "/of-the-domain"
        self.assertEqual(self.call("PATCH", "/tenants/1/domains/3", {"profile": {"session-callback": url}}).status, 200)
        self.addCleanup(self.call, "PATCH", "/tenants/1/domains/3", {"profile": {"session-callback": None}})
        self.assertEqual(self.outgoing()["callback"], url)
        self.assertEqual(self.outgoing(callback=self.backend.url + "/own")["callback"], self.backend.url + "/own")
        self.assertIsNone(self.outgoing(callback=None)["callback"])


class Fields(ApiTest):
    """RFC 9110's Date and HEAD, and how much a domain may still ask for."""

    def test_every_answer_says_when_it_was_made(self):
        for method, path, key in (
            ("GET", "/healthz", None),
            ("GET", "/nothing", None),
            ("GET", "/tenants/1", "system"),
            ("GET", "/tenants/1", "nobody"),
            ("HEAD", "/tenants/1", "system"),
        ):
            date = self.call(method, path, key=key).headers["Date"]
            self.assertRegex(
                date,
                r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$",
            )
            self.assertLess(abs(email.utils.parsedate_to_datetime(date).timestamp() - time.time()), 30)
        self.assertIsNotNone(self.raw(b"nonsense\r\n\r\n").headers["Date"], "of what is no HTTP too")

    def test_head_is_get_without_its_body(self):
        token = self.outgoing()["token"]
        for path in (
            f"/calls/example.com/sessions/{token}",
            "/calls/example.com/sessions",
            "/tenants/1/domains/3",
            "/openapi.json",
            "/healthz",
            "/phone/",
            "/metrics",
            "/tenants/999",
            "/nothing",
        ):
            whole, head = self.call("GET", path), self.call("HEAD", path)
            self.assertEqual((head.status, head.body), (whole.status, b""), path)
            for name in ("Content-Type", "Content-Length"):
                if (
                    path not in ("/metrics", "/healthz") or name != "Content-Length"
                ):  # these tell something else each time
                    self.assertEqual(head.headers[name], whole.headers[name], (path, name))
        self.assertEqual(self.call("HEAD", "/tenants/1", key="nobody").status, 401)

    def test_after_head_the_connection_goes_on(self):
        with socket.create_connection(("127.0.0.1", self.vas.http_port), timeout=10) as connection:
            connection.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(self.read_answer(connection, has_body=False).status, 200)

    def test_head_of_a_poll_waits_for_nothing_and_rings_at_nobody(self):
        token = self.incoming()["token"]
        answer = self.call("HEAD", f"/calls/example.com/ringing/{MSISDN}/{token}", key=None)
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET"))
        self.assertEqual(self.call("GET", f"/calls/example.com/sessions/{token}").json["status"], "new")

    def test_a_domain_is_told_how_much_is_left(self):
        self.call("PATCH", "/tenants/1/domains/12", {"profile": {"api-requests-per-second": 2}})
        path = "/calls/sister.example/sessions"
        self.assertEqual(self.call("GET", path).headers["RateLimit"], '"requests";r=3;t=1')
        answers = [self.call("GET", path) for _ in range(8)]
        refused = next(answer for answer in answers if answer.status == 429)
        self.assertEqual(refused.headers["RateLimit"], '"requests";r=0;t=2')
        self.assertGreaterEqual(int(refused.headers["Retry-After"]), 1)
        self.assertEqual({answer.headers["RateLimit-Policy"] for answer in answers}, {'"requests";q=4;w=2'})
        self.assertEqual(
            self.call("GET", "/calls/sister.example/sessions/none", key="nobody").headers["RateLimit"],
            None,
            "who shows no key learns nothing",
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
