"""Carriers as they are: slow ones, silent ones, those that ask for passwords, fork, and bring calls back."""
import json
import re
import select
import time
import unittest

from harness import BOB, DOMAIN, SLOW, TRUNK, E2eTest, wait_until


class CarriersTest(E2eTest):
    def plan(self, *carriers):
        return {
            "routes": [{"termination_ip": f"{TRUNK}:{each.port}", "termination_number": "999"} for each in carriers]
        }

    def call(self, *carriers):
        """Dials: the phone, its token, and the INVITE that the first carrier gets."""
        near, token = self.scripted(), self.vas.make_outgoing(routing=self.plan(*carriers))["token"]
        near.invite(token)
        return near, token, carriers[0].receive()

    def next_of(self, phone, *wanted, seconds=15):
        """The next message that is one of `wanted`, methods or codes."""
        while True:
            message = phone.receive(seconds)
            if message.method in wanted or message.status in wanted:
                return message

    def up(self, near, far, invite, headers=()):
        """The carrier answers; both are up."""
        far.answer(invite, 200, "OK", far.sdp(), headers)
        near.ack(near.final())
        return self.next_of(far, "ACK")

    def first_of(self, *phones):
        """The one that gets something."""
        ready = select.select([each.socket for each in phones], [], [], 15 * SLOW)[0]
        self.assertTrue(ready, "nobody gets anything")
        return next(each for each in phones if each.socket in ready)

    def calls_within(self, phone, seconds):
        """The Call-IDs of the INVITEs that come, new ones and repeated."""
        calls, end = set(), time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                message = phone.receive(0.2)
            except TimeoutError:
                continue
            if message.method == "INVITE":
                calls.add(message.header("Call-ID"))
        return calls

    def hang_up(self, near, far):
        self.assertEqual(near.bye().status, 200)
        far.answer(self.next_of(far, "BYE"), 200, "OK")


class Slow(CarriersTest):
    @classmethod
    def edit_directory(cls, directory):
        directory["trunks"][0]["prefixes"] = ["777"]

    def test_a_carrier_that_said_100_has_ten_seconds_to_ring(self):
        spare, silent = self.scripted(TRUNK), self.scripted(TRUNK)
        slow = {seconds: self.scripted(TRUNK) for seconds in (3, 6, 9)}
        calls = {seconds: self.call(far, spare) for seconds, far in slow.items()}
        too_slow = self.call(silent, spare)
        for far, (_, _, invite) in [*((slow[each], calls[each]) for each in slow), (silent, too_slow)]:
            far.answer(invite, 100, "Trying")
        begun = time.monotonic()
        for seconds, far in slow.items():
            time.sleep(max(0, begun + seconds - time.monotonic()))
            far.answer(calls[seconds][2], 180, "Ringing")
        # This one would ring after 15 s; the next is asked after ten.
        near, token, invite = too_slow
        second = self.next_of(spare, "INVITE")
        cancel = self.next_of(silent, "CANCEL")
        silent.answer(cancel, 200, "OK")
        silent.answer(invite, 487, "Request Terminated")
        spare.answer(second, 486, "Busy Here")
        self.assertEqual(near.final().status, 486)
        record = self.vas.record_of(token)
        self.assertEqual([each["code"] for each in record["route"]], [100, 486])
        for seconds, far in slow.items():
            near, token, invite = calls[seconds]
            self.next_of(near, 180)
            self.up(near, far, invite)
            self.hang_up(near, far)
            record = self.vas.record_of(token)
            self.assertEqual((record["disposition"], len(record["route"])), ("ANSWERED", 1))

    def test_a_trunk_says_how_long_it_takes(self):
        far = self.scripted(TRUNK)
        status, trunk = self.vas.request(
            "PATCH", f"/domains/{DOMAIN}/trunks/7", {"targets": [f"{TRUNK}:{far.port}"], "progress-timeout": 20}
        )
        self.assertEqual((status, trunk["progressTimeout"], trunk["noAnswerTimeout"]), (200, 20, None))
        near, token = self.scripted(), self.vas.make_outgoing("777999")["token"]
        near.invite(token)
        invite = far.receive()
        far.answer(invite, 100, "Trying")
        time.sleep(15)
        far.answer(invite, 180, "Ringing")
        self.next_of(near, 180)
        self.up(near, far, invite)
        self.hang_up(near, far)
        self.assertEqual(self.vas.record_of(token)["disposition"], "ANSWERED")
        self.assertEqual(
            self.vas.request("PATCH", f"/domains/{DOMAIN}/trunks/7", {"progress-timeout": None})[1]["progressTimeout"],
            None,
        )
        self.assertEqual(self.vas.request("PATCH", f"/domains/{DOMAIN}/trunks/7", {"progressTimeout": 181})[0], 400)

    def test_the_record_says_whether_anything_came(self):
        domain = {"profile": {"no-answer-timeout": 1, "progress-timeout": 2}}
        self.assertEqual(self.vas.request("PATCH", "/tenants/1/domains/3", domain)[0], 200)
        self.addCleanup(
            self.vas.request,
            "PATCH",
            "/tenants/1/domains/3",
            {"profile": {"no-answer-timeout": None, "progress-timeout": None}},
        )
        dead, tries = self.scripted(TRUNK), self.scripted(TRUNK)
        near, token, _ = self.call(dead)
        other_near, other_token, invite = self.call(tries)
        tries.answer(invite, 100, "Trying")
        for phone, session, code in ((near, token, 0), (other_near, other_token, 100)):
            self.assertEqual(phone.final().status, 480)
            record = self.vas.record_of(session)
            self.assertEqual(
                (record["last_sip_code"], record["route"][0]["code"], record["termination_reason"]),
                (code, code, "no-response"),
            )


class Passwords(CarriersTest):
    """A trunk of the directory, which knows us by a password."""

    @classmethod
    def edit_directory(cls, directory):
        directory["trunks"][0].update(username="us", password="secret", prefixes=["777"])

    def dial(self):
        far = self.scripted(TRUNK)
        self.assertEqual(
            self.vas.request("PATCH", f"/domains/{DOMAIN}/trunks/7", {"targets": [f"{TRUNK}:{far.port}"]})[0], 200
        )
        near, token = self.scripted(), self.vas.make_outgoing("777999")["token"]
        near.invite(token)
        return near, far, token, far.receive()

    def nonce(self, request):
        found = re.search(r'nonce="(\w+)"', request.header("Proxy-Authorization"))
        return found and found.group(1)

    def challenge(self, far, request, nonce, more=""):
        """The carrier's nonces serve once, and it does not say that they are stale."""
        far.answer(
            request,
            407,
            "Proxy Authentication Required",
            "",
            [f'Proxy-Authenticate: Digest realm="carrier", nonce="{nonce}", algorithm=MD5, qop="auth"{more}'],
        )
        if request.method == "INVITE":
            self.next_of(far, "ACK")
        again = self.next_of(far, request.method)
        self.assertEqual(self.nonce(again), nonce)
        return again

    def test_a_carrier_whose_nonces_serve_once_keeps_its_call(self):
        near, far, token, invite = self.dial()
        invite = self.challenge(far, invite, "n1")
        far.answer(invite, 183, "Session Progress", far.sdp(), ["Require: 100rel", "RSeq: 1"])
        far.answer(self.challenge(far, self.next_of(far, "PRACK"), "n2"), 200, "OK")
        self.up(near, far, invite)
        near.send("INVITE", body=near.sdp("sendonly", version=2))
        hold = self.challenge(far, self.next_of(far, "INVITE"), "n3")
        far.answer(hold, 200, "OK", far.sdp("recvonly", version=2))
        self.next_of(far, "ACK")
        answer = near.final()
        self.assertEqual(answer.status, 200)
        near.ack(answer)
        near.send("INFO", body="Signal=5", drop=())
        far.answer(self.challenge(far, self.next_of(far, "INFO"), "n4"), 200, "OK")
        self.assertEqual(near.final().status, 200)
        self.assertEqual(near.bye().status, 200)
        far.answer(self.challenge(far, self.next_of(far, "BYE"), "n5"), 200, "OK")
        self.assertEqual(self.vas.record_of(token)["disposition"], "ANSWERED")
        self.assertNotIn("secret", self.vas.log_text())

    def test_a_challenge_that_is_not_met_is_no_business_of_the_caller(self):
        near, far, token, invite = self.dial()
        invite = self.challenge(far, invite, "n1")
        far.answer(
            invite, 407, "Proxy Authentication Required", "", ['Proxy-Authenticate: Digest realm="carrier", nonce="n2"']
        )
        refusal = near.final()
        near.ack(refusal)
        self.assertEqual((refusal.status, refusal.header("Proxy-Authenticate")), (500, ""))
        record = self.vas.record_of(token)
        self.assertEqual((record["last_sip_code"], record["local_cause"], record["disposition"]), (407, 919, "FAILED"))

    def test_a_carrier_that_is_never_content_is_asked_a_few_times(self):
        near, far, token, invite = self.dial()
        numbers, status = set(), 0
        while status < 200 and len(numbers) < 50:
            if invite.method == "INVITE":
                numbers.add(invite.header("CSeq"))
                far.answer(
                    invite,
                    407,
                    "Proxy Authentication Required",
                    "",
                    [f'Proxy-Authenticate: Digest realm="carrier", nonce="n{len(numbers)}", stale=true'],
                )
            who = self.first_of(far, near)
            message = who.receive()
            invite, status = (message, status) if who is far else (invite, message.status)
        self.assertLess(len(numbers), 8)
        self.assertEqual(status, 500)
        self.vas.record_of(token)


class Forks(CarriersTest):
    def answer_as(self, far, tag, request, *args):
        far.tag = tag
        far.answer(request, *args)

    def test_a_silent_branch_and_one_that_answers_too_late_harm_nothing(self):
        far = self.scripted(TRUNK)
        near, token, invite = self.call(far)
        self.answer_as(far, "silent", invite, 183, "Session Progress", far.sdp(), ["Require: 100rel", "RSeq: 1"])
        self.assertIn("tag=silent", self.next_of(far, "PRACK").header("To"))  # and gets no answer
        self.next_of(near, 183)
        self.answer_as(far, "second", invite, 183, "Session Progress", far.sdp(), ["Require: 100rel", "RSeq: 1"])
        prack = self.next_of(far, "PRACK")
        while "tag=second" not in prack.header("To"):
            prack = self.next_of(far, "PRACK")
        far.answer(prack, 200, "OK")
        self.answer_as(far, "second", invite, 200, "OK", far.sdp())
        near.ack(near.final())
        self.assertIn("tag=second", self.next_of(far, "ACK").header("To"))
        self.answer_as(far, "late", invite, 200, "OK", far.sdp())
        self.assertIn("tag=late", self.next_of(far, "ACK").header("To"))
        bye = self.next_of(far, "BYE")
        self.assertIn("tag=late", bye.header("To"))
        far.answer(bye, 200, "OK")
        self.assertEqual(near.bye().status, 200)
        bye = self.next_of(far, "BYE")
        self.assertIn("tag=second", bye.header("To"))
        far.answer(bye, 200, "OK")
        record = self.vas.record_of(token)
        self.assertEqual((record["disposition"], record["ended_by"]), ("ANSWERED", "caller"))


class Hops(CarriersTest):
    """A domain whose application sends every call out again."""

    @classmethod
    def edit_directory(cls, directory):
        profile = directory["domains"][0]["profile"]
        profile["call-routing-application"] = profile["registration-free-control-endpoint"].replace(
            "/incoming", "/application"
        )

    def route_all_to(self, carrier):
        self.backend.answer = 200
        self.backend.instructions = json.dumps(
            {
                "action": "route",
                "routing": {"routes": [{"termination_ip": f"{TRUNK}:{carrier.port}", "termination_number": BOB}]},
            }
        ).encode()

    def with_hops(self, phone, hops):
        transmit = phone.transmit
        phone.transmit = lambda text: transmit(text.replace("Max-Forwards: 70", f"Max-Forwards: {hops}"))
        return phone

    def bring_back(self, carrier, request):
        """As a proxy does that finds the number at our place: its Via on top, and one hop less."""
        text = "\r\n".join(
            [
                request.start,
                f"Via: SIP/2.0/UDP {carrier.address}:{carrier.port};branch=z9hG4bK{time.monotonic_ns()}",
                *request.lines,
                "",
                request.body,
            ]
        )
        left = int(request.header("Max-Forwards")) - 1
        text = re.sub(r"Max-Forwards: \d+", f"Max-Forwards: {left}", text)
        carrier.transmit(re.sub(r"^INVITE \S+", f"INVITE sip:{BOB}@{self.vas.sip}", text))

    def test_each_call_says_one_hop_less(self):
        far = self.scripted(TRUNK)
        near = self.with_hops(self.scripted(), 5)
        near.invite(self.vas.make_outgoing(routing=self.plan(far))["token"])
        invite = far.receive()
        self.assertEqual(invite.header("Max-Forwards"), "4")
        far.answer(invite, 486, "Busy Here")
        self.assertEqual(near.final().status, 486)
        self.route_all_to(far)
        trunk = self.with_hops(self.scripted(TRUNK), 5)
        trunk.invite(user=BOB)
        invite = self.next_of(far, "INVITE")
        self.assertEqual(invite.header("Max-Forwards"), "4")
        far.answer(invite, 486, "Busy Here")
        self.assertEqual(trunk.final().status, 486)

    def test_a_call_that_comes_back_for_the_same_number_is_a_loop(self):
        carrier, trunk = self.scripted(TRUNK), self.scripted(TRUNK)
        self.route_all_to(carrier)
        trunk.invite(user=BOB)
        invite = carrier.receive()
        self.bring_back(carrier, invite)
        self.assertEqual(self.next_of(carrier, 482).header("Call-ID"), invite.header("Call-ID"))
        self.assertEqual(self.calls_within(carrier, 1) - {invite.header("Call-ID")}, set())
        carrier.answer(invite, 482, "Loop Detected")
        self.assertEqual(trunk.final().status, 482)
        records = wait_until(
            lambda: [each for each in self.vas.records() if each["local_cause"] == 920], 10, "the loop's record"
        )
        self.assertEqual((len(records), records[0]["to"]), (1, BOB))

    def test_a_subscribers_call_may_come_back_for_another(self):
        carrier, parked = self.scripted(TRUNK), self.scripted(TRUNK)
        self.route_all_to(parked)
        near = self.scripted()
        near.invite(self.vas.make_outgoing(routing=self.plan(carrier))["token"])
        self.bring_back(carrier, carrier.receive())
        invite = parked.receive()  # BOB's application has sent it on
        parked.answer(invite, 486, "Busy Here")
        busy = self.next_of(carrier, 486)
        self.assertEqual(busy.status, 486)


class Refreshes(CarriersTest):
    flags = ("--media-timeout", "300")

    @classmethod
    def edit_directory(cls, directory):
        directory["trunks"][0].update(username="us", password="secret", prefixes=["777"])

    def over_the_trunk(self):
        """The same as call(), over a trunk that knows us by a password."""
        far = self.scripted(TRUNK)
        self.assertEqual(
            self.vas.request("PATCH", f"/domains/{DOMAIN}/trunks/7", {"targets": [f"{TRUNK}:{far.port}"]})[0], 200
        )
        near, token = self.scripted(), self.vas.make_outgoing("777999")["token"]
        near.invite(token)
        return near, far, far.receive()

    def test_a_refused_refresh_is_tried_again_before_the_peer_gives_up(self):
        """Of 90 s: refreshed after 45; a peer gives up after 60."""
        refusals = {
            491: [],
            503: ["Retry-After: 120"],
            405: [],
            422: ["Min-SE: 200"],
            407: ['Proxy-Authenticate: Digest realm="carrier", nonce="n1"'],
        }
        calls = {}
        for status in refusals:
            near, far, invite = self.over_the_trunk()
            self.up(
                near,
                far,
                invite,
                ["Session-Expires: 90;refresher=uac", "Require: timer", "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"],
            )
            calls[status] = near, far
        refreshes = {}
        for status, headers in refusals.items():
            refreshes[status] = self.next_of(calls[status][1], "UPDATE", seconds=60)
            calls[status][1].answer(refreshes[status], status, "Refused", "", headers)
        answered = time.monotonic()
        for status, refresh in refreshes.items():
            near, far = calls[status]
            method = "INVITE" if status == 405 else "UPDATE"
            again = self.next_of(far, method, seconds=30)
            while again.header("CSeq") == refresh.header("CSeq"):  # repeated before it was answered
                again = self.next_of(far, method, seconds=30)
            with self.subTest(status=status):
                self.assertLess(time.monotonic() - answered, 15)
                self.assertIn(";refresher=uac", again.header("Session-Expires"))
                if status == 407:
                    self.assertIn('nonce="n1"', again.header("Proxy-Authorization"))
                if status == 422:
                    self.assertEqual(
                        (again.header("Session-Expires"), again.header("Min-SE")), ("200;refresher=uac", "200")
                    )
            far.answer(
                again,
                200,
                "OK",
                far.sdp() if method == "INVITE" else "",
                [f"Session-Expires: {again.header('Session-Expires')}"],
            )
            if method == "INVITE":
                self.next_of(far, "ACK")
        for near, far in calls.values():
            self.hang_up(near, far)

    def test_an_interval_that_is_too_short_is_refused_in_a_dialog_too(self):
        far = self.scripted(TRUNK)
        near, _, invite = self.call(far)
        self.up(near, far, invite)
        near.send("UPDATE", headers=["Supported: timer", "Session-Expires: 60"])
        answer = near.final()
        self.assertEqual((answer.status, answer.header("Min-SE")), (422, "90"))
        near.send("UPDATE", headers=["Supported: timer", "Session-Expires: 120;refresher=uas"])
        self.assertEqual(near.final().header("Session-Expires"), "120;refresher=uas")
        near.send("UPDATE", headers=["Supported: timer", "Session-Expires: 120"])  # who refreshes goes on doing so
        self.assertEqual(near.final().header("Session-Expires"), "120;refresher=uas")
        self.hang_up(near, far)


if __name__ == "__main__":
    unittest.main(verbosity=2)
