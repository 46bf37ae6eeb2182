"""What the Registration-Free Dialing API promises: a class a call, a test a promise."""
import threading
import unittest

from api_harness import KEYS, MSISDN, OTHER_MSISDN, ApiTest
from harness import TRUNK, wait_until

ROUTE = {
    "provider_id": 1,
    "rate_id": 302,
    "cx_trunk_id": 101,
    "offer_id": 1,
    "termination_ip": "187.33.22.44:5060",
    "termination_number": "2828#63121233333",
    "buyrate": 0.012,
    "buyrate_minimum": 1,
    "buyrate_increment": 1,
}
PLAN = {
    "sellrate": 0.02,
    "sellrate_minimum": 60,
    "sellrate_increment": 60,
    "route": [ROUTE, {**ROUTE, "cx_trunk_id": 102, "termination_ip": "187.33.22.45:5060"}],
}
ADMINISTRATORS = ["system", "tenant", "domain"]
STRANGERS = ["foreign tenant", "foreign domain", "foreign application", "sister domain", "nobody", None]


class Conditions(ApiTest):
    """Who may make each call."""

    def statuses(self, method, path, body=None):
        return {key: self.call(method, path, body, key).status for key in [*ADMINISTRATORS, "application", *STRANGERS]}

    def assert_allowed(self, statuses, allowed):
        for key, status in statuses.items():
            if key in allowed:
                self.assertNotIn(status, (401, 403), key)
            else:
                self.assertEqual(status, 401, key)

    def test_outgoing_requires_system_tenant_or_domain_administrator(self):
        self.assert_allowed(
            self.statuses("POST", f"/calls/example.com/outgoing/{MSISDN}", {"destination": "1"}), ADMINISTRATORS
        )

    def test_incoming_takes_an_application_too(self):
        self.assert_allowed(
            self.statuses("POST", f"/calls/example.com/incoming/{MSISDN}", {"origination": "1"}),
            [*ADMINISTRATORS, "application"],
        )

    def test_all_session_control_takes_an_application_too(self):
        token = self.outgoing()["token"]
        for method, path, body in [
            ("GET", f"sessions/{token}", None),
            ("GET", f"outgoing/{MSISDN}/{token}", None),
            ("GET", "sessions", None),
            ("PATCH", f"sessions/{token}", {"timeLimit": 5}),
            ("PATCH", f"outgoing/{MSISDN}/{token}", {"timeLimit": 5}),
            ("DELETE", f"sessions/{'0' * 32}", None),
        ]:
            self.assert_allowed(
                self.statuses(method, "/calls/example.com/" + path, body), [*ADMINISTRATORS, "application"]
            )

    def test_lesser_authority_stops_processing(self):
        before = len(self.call("GET", "/calls/example.com/sessions").json)
        answer = self.call("POST", f"/calls/example.com/outgoing/{MSISDN}", {"destination": "1"}, "foreign domain")
        self.assertEqual((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"))
        self.assertEqual(len(self.call("GET", "/calls/example.com/sessions").json), before)

    def test_the_scheme_is_taken_in_any_case(self):
        for scheme in ("bearer", "Bearer", "BEARER"):
            answer = self.call(
                "GET", "/calls/example.com/sessions", key=None, headers=[f"Authorization: {scheme} {KEYS['system']}"]
            )
            self.assertEqual(answer.status, 200, scheme)

    def test_the_ringing_notification_needs_no_authorization(self):
        answer = self.call("GET", f"/calls/example.com/ringing/{MSISDN}/{'0' * 32}", key=None)
        self.assertEqual(answer.status, 403)


class PreDialSessionInitiationOutgoing(ApiTest):
    def test_the_domain_is_named_by_name_alias_or_id(self):
        for domain in ("example.com", "EXAMPLE.COM", "alias.example.com", "3"):
            answer = self.call("POST", f"/calls/{domain}/outgoing/{MSISDN}", {"destination": "63121233333"})
            self.assertEqual((answer.status, answer.json["domainId"]), (200, 3), domain)

    def test_the_subscriber_is_named_by_msisdn_with_or_without_plus(self):
        for msisdn in (MSISDN, "+" + MSISDN, "%2B" + MSISDN):
            answer = self.call("POST", f"/calls/example.com/outgoing/{msisdn}", {"destination": "63121233333"})
            self.assertEqual((answer.status, answer.json["subscriberId"]), (200, 372), msisdn)

    def test_destination_must_be_provided(self):
        answer = self.call("POST", f"/calls/example.com/outgoing/{MSISDN}", {})
        self.assertEqual(answer.status, 400)
        self.assertIn("`destination` is missing", answer.json["detail"])

    def test_routing_may_be_provided_as_route_or_routes_and_is_returned_as_routes_with_all_its_fields(self):
        for name in ("route", "routes"):
            plan = {**PLAN, "note": {"kept": [1, None]}}
            plan[name] = plan.pop("route")
            routing = self.outgoing(routing=plan)["routing"]
            self.assertEqual(routing["routes"], PLAN["route"])
            self.assertNotIn("route", routing)
            self.assertEqual((routing["note"], routing["sellrate"]), ({"kept": [1, None]}, 0.02))
        answer = self.call("POST", f"/calls/example.com/outgoing/{MSISDN}", {"destination": "1", "routing": PLAN})
        self.assertIn(b'"sellrate":0.02,', answer.body, "as a person would write it")

    def test_time_limit_may_be_provided_in_seconds(self):
        self.assertEqual(self.outgoing(timeLimit=7205)["timeLimit"], 7205)
        self.assertIsNone(self.outgoing()["timeLimit"])

    def test_callback_is_posted_the_session_object_on_changes_after_the_creation(self):
        session = self.outgoing(callback=self.backend.url + "/status")
        self.call("PATCH", f"/calls/example.com/sessions/{session['token']}", {"timeLimit": 9})
        body = wait_until(lambda: self.backend.callbacks, 5, "the callback")[0][0]
        self.assertEqual((body["action"], body["timeLimit"], body["token"]), ("updated", 9, session["token"]))
        missing = set(session) - set(body)
        self.assertEqual(missing, set(), "the same object as the creation's answer")
        self.assertEqual(len(self.backend.callbacks), 1, "the creation itself is answered, not called back")

    def test_a_successful_request_gets_200_json_and_the_token(self):
        answer = self.call("POST", f"/calls/example.com/outgoing/{MSISDN}", {"destination": "63121233333"})
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        self.assertRegex(answer.json["token"], r"^[0-9a-f]{32}$")

    def test_a_subscriber_that_does_not_exist_gets_404(self):
        self.assertEqual(self.call("POST", "/calls/example.com/outgoing/15551234", {"destination": "1"}).status, 404)

    def test_the_example_verbatim_with_its_second_route_put_back_into_its_list(self):
        answer = self.verbatim(
            """POST /calls/example.com/outgoing/972547340014 HTTP/1.1
Host: api.voice.cloudonix.io
Authorization: bearer XI1234567890
Content-Type: application/json
""",
            """{
  "destination": "63121233333",
  "timeLimit": 7205,
  "routing": {
    "sellrate": 0.02,
    "sellrate_minimum": 60,
    "sellrate_increment": 60,
    "route": [
      {
        "provider_id": 1,
        "rate_id": 302,
        "cx_trunk_id": 101,
        "offer_id": 1,
        "termination_ip": "187.33.22.44:5060",
        "termination_number": "2828#63121233333",
        "buyrate": 0.012,
        "buyrate_minimum": 1,
        "buyrate_increment": 1
      },
      {
        "provider_id": 1,
        "rate_id": 302,
        "cx_trunk_id": 102,
        "offer_id": 1,
        "termination_ip": "187.33.22.45:5060",
        "termination_number": "2828#63121233333",
        "buyrate": 0.012,
        "buyrate_minimum": 1,
        "buyrate_increment": 1
      }
    ]
  }
}
""",
        )
        self.assertEqual(answer.status, 200, answer.body)
        session = answer.json
        self.assertEqual(
            {name: session[name] for name in ("domainId", "subscriberId", "destination", "direction", "timeLimit")},
            {
                "domainId": 3,
                "subscriberId": 372,
                "destination": "63121233333",
                "direction": "outgoing",
                "timeLimit": 7205,
            },
        )
        retrieved = self.call("GET", f"/calls/example.com/sessions/{session['token']}").json
        self.assertEqual([route["cx_trunk_id"] for route in retrieved["routing"]["routes"]], [101, 102])


class PreDialSessionInitiationIncoming(ApiTest):
    def test_origination_must_be_provided(self):
        answer = self.call("POST", f"/calls/example.com/incoming/{MSISDN}", {})
        self.assertIn("`origination` is missing", answer.json["detail"])

    def test_callback_is_posted_the_session_on_changes(self):
        session = self.incoming(callback=self.backend.url + "/status")
        self.call("PATCH", f"/calls/example.com/incoming/{MSISDN}/{session['token']}", {"callStartTime": 1700000000000})
        body = wait_until(lambda: self.backend.callbacks, 5, "the callback")[0][0]
        self.assertEqual(
            (body["action"], body["callStartTime"], body["startTime"]),
            ("updated", 1700000000000, "2023-11-14T22:13:20.000Z"),
        )

    def test_a_subscriber_that_does_not_exist_gets_404(self):
        self.assertEqual(self.call("POST", "/calls/example.com/incoming/15551234", {"origination": "1"}).status, 404)

    def test_the_example_verbatim(self):
        answer = self.verbatim(
            """POST /calls/example.com/incoming/972547340014 HTTP/1.1
Host: api.voice.cloudonix.io
Authorization: bearer XI1234567890
Content-Type: application/json
""",
            """{
  "origination": "63121233333"
}
""",
        )
        self.assertEqual(answer.status, 200, answer.body)
        session = answer.json
        self.assertEqual(
            {name: session[name] for name in ("domainId", "subscriberId", "origination", "direction", "timeLimit")},
            {
                "domainId": 3,
                "subscriberId": 372,
                "origination": "63121233333",
                "direction": "incoming",
                "timeLimit": None,
            },
        )


class SessionControlUpdateTimeLimit(ApiTest):
    def test_all_three_paths_update_the_time_limit(self):
        token, waiting = self.outgoing()["token"], self.incoming()["token"]
        for number, path in enumerate(
            [f"sessions/{token}", f"outgoing/{MSISDN}/{token}", f"sessions/{waiting}", f"incoming/{MSISDN}/{waiting}"]
        ):
            answer = self.call("PATCH", f"/calls/example.com/{path}", {"timeLimit": 60 + number})
            self.assertEqual((answer.status, answer.json["timeLimit"]), (200, 60 + number), path)

    def test_null_takes_the_limit_away_and_absence_keeps_it(self):
        token = self.outgoing(timeLimit=5)["token"]
        path = f"/calls/example.com/sessions/{token}"
        self.assertEqual(self.call("PATCH", path, {"callStartTime": 1}).json["timeLimit"], 5)
        self.assertIsNone(self.call("PATCH", path, {"timeLimit": None}).json["timeLimit"])

    def test_call_start_time_is_set_if_it_was_not_set_already(self):
        path = f"/calls/example.com/sessions/{self.incoming()['token']}"
        self.assertEqual(
            self.call("PATCH", path, {"callStartTime": 1700000000000}).json["callStartTime"], 1700000000000
        )
        again = self.call("PATCH", path, {"callStartTime": 1800000000000})
        self.assertEqual((again.status, again.json["callStartTime"]), (200, 1700000000000))

    def test_a_token_that_does_not_exist_gets_404(self):
        for path in (f"sessions/{'0' * 32}", f"outgoing/{MSISDN}/{'0' * 32}", f"incoming/{MSISDN}/{'0' * 32}"):
            self.assertEqual(self.call("PATCH", f"/calls/example.com/{path}", {"timeLimit": 60}).status, 404)

    def test_the_wrong_type_or_msisdn_gets_404(self):
        token = self.outgoing()["token"]
        for path in (f"incoming/{MSISDN}/{token}", f"outgoing/{OTHER_MSISDN}/{token}"):
            self.assertEqual(self.call("PATCH", f"/calls/example.com/{path}", {"timeLimit": 60}).status, 404, path)

    def test_the_example_verbatim_but_for_its_shortened_token(self):
        token = self.outgoing(timeLimit=7205)["token"]
        answer = self.verbatim(
            f"""PATCH /calls/example.com/outgoing/972547340014/{token} HTTP/1.1
Host: api.voice.cloudonix.io
Authorization: bearer XI1234567890
Content-Type: application/json
""",
            """{
  "timeLimit": 60
}
""",
        )
        self.assertEqual((answer.status, answer.json["timeLimit"], answer.json["token"]), (200, 60, token))


class SessionControlRingingNotification(ApiTest):
    def poll(self, token, msisdn=MSISDN, domain="example.com"):
        return self.call("GET", f"/calls/{domain}/ringing/{msisdn}/{token}", key=None)

    def poll_in_background(self, token):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.poll(token)), daemon=True)
        thread.start()
        return lambda: (thread.join(15), answers)[1]

    def test_the_token_must_match_a_session_of_the_domain(self):
        token = self.incoming()["token"]
        self.assertEqual(
            [
                self.poll("0" * 32).status,
                self.poll(token, domain="rival.example").status,
                self.poll(token, domain="no.example").status,
            ],
            [403] * 3,
        )

    def test_the_session_must_have_a_terminating_subscriber(self):
        self.assertEqual(self.poll(self.outgoing()["token"]).status, 403)

    def test_the_msisdn_must_be_the_terminating_subscribers(self):
        self.assertEqual(self.poll(self.incoming()["token"], OTHER_MSISDN).status, 403)

    def test_the_terminating_subscriber_must_be_active(self):
        path = f"/domains/example.com/subscribers/{OTHER_MSISDN}"
        token = self.incoming(msisdn=OTHER_MSISDN)["token"]
        self.assertEqual(self.call("PATCH", path, {"active": False}).status, 200)
        self.addCleanup(self.call, "PATCH", path, {"active": True})
        self.assertEqual(self.poll(token, OTHER_MSISDN).status, 403)

    def test_the_status_must_be_new_or_ringing(self):
        token = self.incoming()["token"]
        first = self.poll_in_background(token)
        wait_until(
            lambda: self.call("GET", f"/calls/example.com/sessions/{token}").json["status"] == "ringing",
            5,
            "the first poll",
        )
        second = self.poll_in_background(token)  # ringing is as good as new
        self.wait_for_polls(2)
        self.call("DELETE", f"/calls/example.com/sessions/{token}")
        self.assertEqual([first()[0].status, second()[0].status, self.poll(token).status], [205, 205, 403])

    def test_disconnected_before_pick_up_gets_205_with_a_json_document(self):
        token = self.incoming()["token"]
        poll = self.poll_in_background(token)
        self.wait_for_polls(1)
        self.call("DELETE", f"/calls/example.com/sessions/{token}?reason=busy")
        answer = poll()[0]
        self.assertEqual(
            (answer.status, answer.headers["Content-Type"], answer.json),
            (205, "application/json", {"status": "disconnected"}),
        )
        self.assertEqual((answer.headers["X-Session-Status"], answer.headers["Connection"]), ("disconnected", "close"))

    def test_picked_up_gets_200_with_a_json_document(self):
        caller = self.caller(
            "trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@{self.vas.sip}", "--seconds", 0
        )
        token = self.notification()["session"]
        poll = self.poll_in_background(token)
        self.wait_for_polls(1)
        app = self.caller(
            "app", "--dial", f"sip:any@{self.vas.sip}", "--token", token, "--domain", "example.com", "--seconds", 1
        )
        answer = poll()[0]
        self.assertEqual(
            (answer.status, answer.headers["Content-Type"], answer.json),
            (200, "application/json", {"status": "connected"}),
        )
        self.assertEqual((app.result()["outcome"], caller.result()["outcome"]), ("answered", "answered"))


class SessionControlRetrieveSession(ApiTest):
    def test_all_session_details_in_all_three_forms(self):
        session = self.outgoing(routing=PLAN, timeLimit=7205, callerId="+972")
        for path in (f"sessions/{session['token']}", f"outgoing/{MSISDN}/{session['token']}"):
            self.assertEqual(self.call("GET", f"/calls/example.com/{path}").json, session, path)
        waiting = self.incoming()
        self.assertEqual(self.call("GET", f"/calls/3/incoming/{MSISDN}/{waiting['token']}").json, waiting)
        self.assertEqual(
            (session["remote"], waiting["remote"], session["callerId"]), ("63121233333", "63121233333", "+972")
        )

    def test_what_does_not_exist_or_has_the_wrong_type_or_msisdn_gets_404(self):
        token = self.outgoing()["token"]
        for path in (
            f"sessions/{'0' * 32}",
            f"incoming/{MSISDN}/{token}",
            f"outgoing/{OTHER_MSISDN}/{token}",
            f"sessions/{token[:16]}",
        ):
            self.assertEqual(self.call("GET", f"/calls/example.com/{path}").status, 404, path)
        self.assertEqual(self.call("GET", f"/calls/rival.example/sessions/{token}").status, 404)

    def test_the_example_verbatim_with_a_token_that_exists(self):
        token = self.outgoing(routing=PLAN, timeLimit=7205)["token"]
        answer = self.raw(
            f"GET /calls/example.com/sessions/{token} HTTP/1.1\r\nHost: api.voice.cloudonix.io\r\n"
            "Authorization: bearer XI1234567890\r\n\r\n".encode()
        )
        session = answer.json
        self.assertEqual(
            {name: session[name] for name in ("domainId", "subscriberId", "remote", "direction", "token", "timeLimit")},
            {
                "domainId": 3,
                "subscriberId": 372,
                "remote": "63121233333",
                "direction": "outgoing",
                "token": token,
                "timeLimit": 7205,
            },
        )
        self.assertEqual(
            session["routing"], {**{k: v for k, v in PLAN.items() if k != "route"}, "routes": PLAN["route"]}
        )


class SessionControlListSessions(ApiTest):
    def test_all_details_but_routing(self):
        session, waiting = self.outgoing(routing=PLAN, timeLimit=7205), self.incoming()
        listed = {each["token"]: each for each in self.call("GET", "/calls/example.com/sessions").json}
        self.assertEqual(
            listed[session["token"]], {name: value for name, value in session.items() if name != "routing"}
        )
        self.assertEqual(listed[waiting["token"]]["timeLimit"], None)

    def test_pages_and_filters(self):
        tokens = [self.outgoing()["token"] for _ in range(5)]
        path, seen = "/calls/example.com/sessions?limit=2&direction=outgoing", []
        while path:
            answer = self.call("GET", path)
            self.assertLessEqual(len(answer.json), 2)
            seen += [each["token"] for each in answer.json]
            link = answer.headers["Link"]
            path = link[1 : link.index(">")] if link else None
        self.assertEqual(sorted(set(tokens) - set(seen)), [])
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(self.call("GET", "/calls/example.com/sessions?status=connected").json, [])
        self.assertEqual(self.call("GET", f"/calls/example.com/sessions?msisdn=%2B{OTHER_MSISDN}").json, [])

    def test_the_example_verbatim(self):
        answer = self.raw(
            b"GET /calls/example.com/sessions HTTP/1.1\r\nHost: api.voice.cloudonix.io\r\nAuthorization: bearer XI1234567890\r\n\r\n"
        )
        self.assertEqual(answer.status, 200)
        self.assertIsInstance(answer.json, list)


class SessionControlDestroySession(ApiTest):
    def test_204_without_content_and_the_session_is_gone(self):
        token = self.outgoing()["token"]
        answer = self.call("DELETE", f"/calls/example.com/sessions/{token}")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(self.call("DELETE", f"/calls/example.com/sessions/{token}").status, 404)

    def test_each_reason_of_the_list_and_no_other(self):
        for reason, status in [
            ("timeout", 204),
            ("denied", 204),
            ("busy", 204),
            ("nocredit", 204),
            ("rejected", 204),
            ("", 400),
            ("boredom", 400),
            ("BUSY", 400),
        ]:
            token = self.outgoing()["token"]
            self.assertEqual(
                self.call("DELETE", f"/calls/example.com/sessions/{token}?reason={reason}").status, status, reason
            )

    def test_the_callback_gets_the_session_as_it_looked_with_action_deleted(self):
        session = self.outgoing(callback=self.backend.url + "/status", timeLimit=7)
        self.call("DELETE", f"/calls/example.com/sessions/{session['token']}?reason=busy")
        body = wait_until(lambda: self.backend.callbacks, 5, "the callback")[0][0]
        self.assertEqual(
            (body["action"], body["reason"], body["timeLimit"], body["status"]), ("deleted", "busy", 7, "new")
        )
        self.assertEqual(set(session) - set(body), set())

    def test_the_example_verbatim_with_a_token_that_exists(self):
        token = self.outgoing()["token"]
        answer = self.raw(
            f"DELETE /calls/example.com/sessions/{token} HTTP/1.1\r\nHost: api.voice.cloudonix.io\r\n"
            "Authorization: bearer XI1234567890\r\n\r\n".encode()
        )
        self.assertEqual(answer.status, 204)


class RegistrationFreeControlEndpointApi(ApiTest):
    def test_the_endpoint_is_configured_by_the_example_verbatim(self):
        answer = self.verbatim(
            """PATCH /tenants/1/domains/12 HTTP/1.1
Host: api.voice.cloudonix.io
Authorization: bearer XI1234567890
Content-Type: application/json
""",
            """{
  "profile": {
    "registration-free-control-endpoint": "https://app.com/incoming"
  }
}
""",
        )
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.json["profile"]["registration-free-control-endpoint"], "https://app.com/incoming")

    def test_the_profile_is_merged_and_unknown_fields_of_it_are_kept(self):
        path = "/tenants/1/domains/12"
        self.call("PATCH", path, {"profile": {"colour": {"of": "the app"}, "call-timeout": 30}})
        profile = self.call("PATCH", path, {"profile": {"call-timeout": None, "session-ttl": 60}}).json["profile"]
        self.assertEqual(
            (profile["colour"], profile["session-ttl"], "call-timeout" in profile), ({"of": "the app"}, 60, False)
        )

    def test_the_notification_has_these_fields_and_no_other(self):
        self.caller(
            "trunk",
            "--listen",
            f"{TRUNK}:0",
            "--from",
            "+15155558484",
            "--dial",
            f"sip:{MSISDN}@{self.vas.sip}",
            "--wait",
            1,
        )
        body = self.notification()
        self.assertEqual(set(body), {"dnid", "caller-id", "session", "subscriber", "domain-id", "domain", "endpoint"})
        self.assertEqual(
            (body["dnid"], body["caller-id"], body["domain-id"], body["domain"]),
            (MSISDN, "+15155558484", 3, "example.com"),
        )
        self.assertEqual(body["subscriber"], self.call("GET", f"/domains/3/subscribers/{MSISDN}").json)

    def test_any_2xx_parks(self):
        for status in (200, 201, 202, 204):
            self.backend.answer = status
            self.backend.notifications.clear()
            self.caller(
                f"trunk{status}", "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@{self.vas.sip}", "--wait", 2
            )
            token = self.notification()["session"]
            wait_until(
                lambda: self.call("GET", f"/calls/example.com/sessions/{token}").json.get("status") == "ringing",
                5,
                "the parking",
            )


if __name__ == "__main__":
    unittest.main(verbosity=2)
