"""What a session's fields, its token and the name of its domain do to the call."""
import time
import unittest

from api_harness import MSISDN, ApiTest
from harness import TRUNK, Phone, wait_until


class CallTimeout(ApiTest):
    """The domain's is 20 s."""

    def trunk_call(self, *flags):
        return self.caller("trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@{self.vas.sip}", *flags)

    def parked(self):
        token = self.notification()["session"]
        wait_until(
            lambda: self.call("GET", f"/calls/example.com/sessions/{token}").json["status"] == "ringing",
            10,
            "the parking",
        )
        return token

    def test_a_patch_shortens_the_wait_of_a_parked_caller(self):
        caller = self.trunk_call()
        token = self.parked()
        answer = self.call("PATCH", f"/calls/example.com/sessions/{token}", {"callTimeout": 1})
        self.assertEqual((answer.status, answer.json["callTimeout"]), (200, 1))
        begun = time.monotonic()
        self.assertEqual(caller.result()["status"], 480)
        self.assertLess(time.monotonic() - begun, 18)  # its domain's own is 20 s
        record = self.vas.record_of(token)
        self.assertEqual((record["disposition"], record["local_cause"]), ("NOANSWER", 909))

    def test_a_session_that_the_trunks_invite_names_brings_its_own(self):
        session = self.incoming("application", callTimeout=2)
        caller = self.trunk_call("--token", session["token"], "--domain", "example.com")
        self.assertEqual(self.notification()["session"], session["token"])
        begun = time.monotonic()
        self.assertEqual(caller.result()["status"], 480)
        self.assertLess(time.monotonic() - begun, 18)
        self.assertEqual(self.vas.record_of(session["token"])["local_cause"], 909)


class TokenAlone(ApiTest):
    """The token is its own proof: the domain's header may be left out, and where it is there it must agree."""

    def dial(self, token, *domain):
        phone = Phone("127.0.0.1", self.vas.sip)
        self.addCleanup(phone.close)
        phone.send(
            "INVITE",
            body=phone.sdp(),
            headers=[f"X-Cloudonix-Session: {token}", *[f"X-Cloudonix-Domain: {each}" for each in domain]],
        )
        answer = phone.final()
        phone.ack(answer)
        return answer.status

    def test_it_authorises(self):
        no_route = {"routes": []}
        for domain in ((), ("",), ("example.com",), ("EXAMPLE.com",), ("alias.example.com",), ("3",)):
            self.assertEqual(self.dial(self.outgoing(routing=no_route)["token"], *domain), 404, domain)
        for domain in ("rival.example", "no.example", "20"):
            self.assertEqual(self.dial(self.outgoing(routing=no_route)["token"], domain), 403, domain)
        for token in ("0" * 32, ""):
            self.assertEqual(self.dial(token), 403)

    def test_a_call_that_waits_is_picked_up_by_it(self):
        caller = self.caller(
            "trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{MSISDN}@{self.vas.sip}", "--seconds", 0
        )
        token = self.notification()["session"]
        app = self.caller("app", "--dial", f"sip:any@{self.vas.sip}", "--token", token, "--seconds", 1)
        self.assertEqual((app.result()["outcome"], caller.result()["outcome"]), ("answered", "answered"))


class SharedCarrier(ApiTest):
    """One carrier, two domains, one number in both."""

    @classmethod
    def edit_directory(cls, directory):
        super().edit_directory(directory)
        directory["domains"][1]["profile"] = dict(directory["domains"][0]["profile"])
        directory["domains"][1]["aliases"] = ["voice.sister.example"]
        directory["subscribers"] += [
            {"id": 380, "domainId": 12, "msisdn": MSISDN},
            {"id": 381, "domainId": 12, "msisdn": "972547340077"},
        ]
        directory["trunks"] += [{"id": 9, "domainId": 12, "name": "the same carrier", "sources": [TRUNK]}]

    def invite(self, uri, headers=()):
        carrier = Phone(TRUNK, self.vas.sip)
        self.addCleanup(carrier.close)
        carrier.send("INVITE", target=uri, body=carrier.sdp(), headers=headers)
        return carrier

    def called(self, uri):
        """The domain whose backend hears of a call to `uri`."""
        self.backend.notifications.clear()
        carrier = self.invite(uri)
        domain = self.notification()["domain"]
        token = self.notification()["session"]
        self.call("DELETE", f"/calls/{domain}/sessions/{token}")
        carrier.ack(carrier.final())
        return domain

    def test_the_host_of_the_request_uri_tells_which(self):
        for host, domain in (
            ("sister.example", "sister.example"),
            ("SISTER.example", "sister.example"),
            ("voice.sister.example", "sister.example"),
            ("sister.example:5060", "sister.example"),
            ("example.com", "example.com"),
            ("alias.example.com", "example.com"),
            (self.vas.sip, "example.com"),
            ("unknown.example", "example.com"),
            ("rival.example", "example.com"),
        ):
            self.assertEqual(self.called(f"sip:{MSISDN}@{host}"), domain, host)

    def test_a_number_that_one_domain_has_is_its_own_whatever_the_host(self):
        self.assertEqual(self.called("sip:972547340077@example.com"), "sister.example")

    def test_a_session_that_the_invite_names_is_found_in_its_own_domain(self):
        session = self.call("POST", f"/calls/sister.example/incoming/{MSISDN}", {"origination": "1"}).json
        carrier = self.invite(f"sip:{MSISDN}@{self.vas.sip}", [f"X-Cloudonix-Session: {session['token']}"])
        self.assertEqual(self.notification()["session"], session["token"])
        self.call("DELETE", f"/calls/sister.example/sessions/{session['token']}")
        carrier.ack(carrier.final())


if __name__ == "__main__":
    unittest.main(verbosity=2)
