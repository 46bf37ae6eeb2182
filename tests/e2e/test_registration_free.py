"""Both flows of Registration-Free Dialing, and every way in which they fail."""
import time
import unittest

from harness import ALICE, BOB, DOMAIN, IDLE, TRUNK, E2eTest, Poll, dialling, free_ports, wait_until


class OutgoingCall(E2eTest):
    def test_both_parties_hear_each_other_and_leave_one_record(self):
        carrier = self.carrier("--tone", 440, "--seconds", 0)
        session = self.vas.make_outgoing("63121233333", timeLimit=7205)
        self.assertEqual((session["direction"], session["status"], session["timeLimit"]), ("outgoing", "new", 7205))
        alice = self.caller("alice", *dialling(self.vas, session["token"], "--tone", 1000, "--seconds", 3))
        heard = alice.result()
        self.assertEqual(heard["outcome"], "answered")
        self.assertEqual(carrier.result()["ended_by"], "them")
        self.assert_heard(alice.wav, 440, 1000)
        self.assert_heard(carrier.wav, 1000, 440)
        record = self.vas.record_of(session["token"])
        self.assertEqual(
            (record["disposition"], record["ended_by"], record["termination_reason"], record["codec"]),
            ("ANSWERED", "caller", "normal", "PCMU"),
        )
        self.assertAlmostEqual(record["duration"], 3, delta=0.6)
        self.assertEqual([leg["role"] for leg in record["legs"]], ["caller", "callee"])
        self.assertEqual(self.vas.session(session["token"])[0], 404)

    def test_status_callbacks_come_in_order_and_end_with_deleted(self):
        self.carrier("--seconds", 1)
        session = self.vas.make_outgoing(callback=self.backend.url + "/callback")
        self.caller("alice", *dialling(self.vas, session["token"], "--seconds", 0)).result()
        wait_until(
            lambda: any(body["action"] == "deleted" for body, _ in self.backend.callbacks), 10, "the last callback"
        )
        bodies = [body for body, _ in self.backend.callbacks]
        self.assertEqual(
            [(body["action"], body["status"]) for body in bodies],
            [("updated", "processing"), ("updated", "ringing"), ("updated", "connected"), ("deleted", "connected")],
        )
        numbers = [int(body["eventId"].rsplit("-", 1)[1]) for body in bodies]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(bodies[-1]["disposition"], "ANSWERED")

    def test_wrong_used_expired_and_foreign_tokens_get_the_same_403(self):
        used = self.vas.make_outgoing()["token"]
        self.carrier("--reject", 486)
        self.assertEqual(self.caller("first", *dialling(self.vas, used)).result()["status"], 486)
        answers = set()
        for token, domain in [
            (used, DOMAIN),
            ("0" * 32, DOMAIN),
            ("", DOMAIN),
            (self.vas.make_outgoing()["token"], "other.example"),
        ]:
            phone = self.scripted()
            phone.send(
                "INVITE", body=phone.sdp(), headers=[f"X-Cloudonix-Session: {token}", f"X-Cloudonix-Domain: {domain}"]
            )
            answer = phone.final()
            phone.ack(answer)
            answers.add(answer.start)
        self.assertEqual(answers, {"SIP/2.0 403 Forbidden"})

    def test_an_inactive_subscribers_token_is_refused(self):
        self.assertEqual(self.vas.request("POST", f"/calls/{DOMAIN}/outgoing/{IDLE}", {"destination": "999"})[0], 409)
        token, path = self.vas.make_outgoing()["token"], f"/domains/{DOMAIN}/subscribers/{ALICE}"
        self.assertEqual(self.vas.request("PATCH", path, {"active": False})[0], 200)
        self.addCleanup(self.vas.request, "PATCH", path, {"active": True})
        self.assertEqual(self.caller("idle", *dialling(self.vas, token)).result()["status"], 403)

    def test_a_call_that_the_far_side_refuses_carries_its_code(self):
        for code, disposition in [(486, "BUSY"), (603, "DENIED"), (404, "FAILED")]:
            carrier = self.carrier("--reject", code)
            token = self.vas.make_outgoing()["token"]
            self.assertEqual(self.caller("alice", *dialling(self.vas, token)).result()["status"], code)
            carrier.result()
            record = self.vas.record_of(token)
            self.assertEqual(
                (record["disposition"], record["last_sip_code"], record["ended_by"]), (disposition, code, "callee")
            )

    def test_a_silent_first_route_fails_over_and_the_cdr_has_both_attempts(self):
        second, silent = self.carrier("--seconds", 1), self.scripted(TRUNK)
        plan = {
            "sellrate": 0.02,
            "sellrate_minimum": 60,
            "sellrate_increment": 60,
            "route": [
                {
                    "cx_trunk_id": 101,
                    "termination_ip": f"{TRUNK}:{silent.port}",
                    "termination_number": "2828#1",
                    "buyrate": 0.5,
                },
                {
                    "cx_trunk_id": 102,
                    "termination_ip": f"{TRUNK}:{self.vas.trunk_port}",
                    "termination_number": "2828#2",
                    "buyrate": 0.012,
                    "buyrate_minimum": 1,
                    "buyrate_increment": 1,
                },
            ],
        }
        token = self.vas.make_outgoing(routing=plan)["token"]
        begun = time.monotonic()
        self.assertEqual(self.caller("alice", *dialling(self.vas, token, "--seconds", 0)).result()["status"], 200)
        self.assertEqual(second.result()["outcome"], "answered")
        self.assertGreater(time.monotonic() - begun, 4)
        record = self.vas.record_of(token)
        self.assertEqual(
            [(each["trunk_id"], each["number"], each["code"]) for each in record["route"]],
            [(101, "2828#1", 0), (102, "2828#2", 200)],
        )
        self.assertAlmostEqual(record["sell_cost"], 0.02)
        self.assertAlmostEqual(record["buy_cost"], 0.012 * record["billsec"] / 60, places=5)

    def test_the_time_limit_cuts_at_its_second_and_moves_live(self):
        self.carrier("--seconds", 0)
        token = self.vas.make_outgoing(timeLimit=2)["token"]
        self.assertAlmostEqual(
            self.caller("cut", *dialling(self.vas, token, "--seconds", 0)).result()["talked_s"], 2, delta=0.2
        )
        record = self.vas.record_of(token)
        self.assertEqual(
            (record["termination_reason"], record["ended_by"], record["local_cause"]), ("time-limit", "system", 910)
        )
        for before, after in [(60, 3), (2, 4)]:
            self.carrier("--seconds", 0)
            token = self.vas.make_outgoing(timeLimit=before)["token"]
            caller = self.caller(f"moved{after}", *dialling(self.vas, token, "--seconds", 0))
            wait_until(lambda: self.vas.session(token)[1]["status"] == "connected", 5, "the connection")
            status, session = self.vas.request(
                "PATCH", f"/calls/{DOMAIN}/outgoing/{ALICE}/{token}", {"timeLimit": after}
            )
            self.assertEqual((status, session["timeLimit"]), (200, after))
            self.assertAlmostEqual(caller.result()["talked_s"], after, delta=0.2)

    def test_dtmf_crosses_both_ways(self):
        carrier = self.carrier("--tone", 440, "--seconds", 0, "--dtmf", "9#")
        token = self.vas.make_outgoing()["token"]
        alice = self.caller(
            "alice", *dialling(self.vas, token, "--tone", 1000, "--dtmf", "1*2", "--seconds", 3)
        ).result()
        self.assertEqual((alice["dtmf"], carrier.result()["dtmf"]), ("9#", "1*2"))
        self.assertEqual([leg["dtmf_count"] for leg in self.vas.record_of(token)["legs"]], [3, 2])

    def test_delete_hangs_up_both_sides_of_a_connected_call(self):
        carrier = self.carrier("--seconds", 0)
        token = self.vas.make_outgoing()["token"]
        alice = self.caller("alice", *dialling(self.vas, token, "--seconds", 0))
        wait_until(lambda: self.vas.session(token)[1]["status"] == "connected", 5, "the connection")
        self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")[0], 204)
        self.assertEqual((alice.result()["ended_by"], carrier.result()["ended_by"]), ("them", "them"))
        self.assertEqual(self.vas.record_of(token)["termination_reason"], "deleted")

    def test_a_caller_who_cancels_cancels_the_far_side(self):
        far, token = self.far_phone()
        alice = self.scripted()
        branch = alice.invite(token)
        invite = far.receive()
        self.assertEqual(invite.method, "INVITE")
        self.assertEqual([line for line in invite.lines if line.lower().startswith(("x-cloudonix", "x-vas"))], [])
        far.answer(invite, 180, "Ringing")
        time.sleep(0.3)
        alice.send("CANCEL", cseq=1, branch=branch)
        self.assertEqual(far.receive().method, "CANCEL")
        statuses = {alice.final().status, alice.final().status}
        self.assertEqual(statuses, {200, 487})
        record = self.vas.record_of(token)
        self.assertEqual(
            (record["disposition"], record["ended_by"], record["last_sip_code"]), ("CANCELLED", "caller", 180)
        )


class IncomingCall(E2eTest):
    def trunk_call(self, *flags, dnid=BOB):
        return self.caller(
            "trunk", "--listen", f"{TRUNK}:0", "--from", "+15155558484", "--dial", f"sip:{dnid}@{self.vas.sip}", *flags
        )

    def parked(self, *flags):
        trunk = self.trunk_call(*flags)
        token = self.notification()["session"]
        wait_until(lambda: self.vas.session(token)[1]["status"] == "ringing", 5, "the parking")
        return trunk, token

    def test_parked_notified_polled_and_picked_up(self):
        trunk = self.trunk_call("--tone", 440, "--seconds", 0)
        body = self.notification()
        self.assertEqual(
            (body["dnid"], body["caller-id"], body["domain-id"], body["domain"], body["subscriber"]["msisdn"]),
            (BOB, "+15155558484", 3, DOMAIN, BOB),
        )
        self.assertTrue(body["endpoint"].startswith("http://"))
        poll = Poll(self.vas, body["session"])
        second_poll = Poll(self.vas, body["session"])
        wait_until(lambda: self.vas.session(body["session"])[1]["status"] == "ringing", 5, "the ringing")
        bob = self.caller("bob", *dialling(self.vas, body["session"], "--tone", 1000, "--seconds", 3))
        self.assertEqual(bob.result()["outcome"], "answered")
        self.assertEqual((poll.wait(), second_poll.wait()), ((200, {"status": "connected"}),) * 2)
        self.assertEqual(trunk.result()["ended_by"], "them")
        self.assert_heard(bob.wav, 440, 1000)
        self.assert_heard(trunk.wav, 1000, 440)
        record = self.vas.record_of(body["session"])
        self.assertEqual(
            (record["direction"], record["disposition"], record["ended_by"]), ("incoming", "ANSWERED", "callee")
        )
        self.assertEqual(
            (len(set(record["call_ids"])), record["last_sip_code"]), (2, None)
        )  # no INVITE of ours: nobody answered one

    def test_the_caller_cancels_and_the_poll_gets_205(self):
        trunk, token = self.parked("--wait", 1.5)
        poll = Poll(self.vas, token)
        self.assertEqual(trunk.result()["outcome"], "no-answer")
        self.assertEqual(poll.wait(), (205, {"status": "disconnected"}))
        record = self.vas.record_of(token)
        self.assertEqual((record["disposition"], record["ended_by"]), ("CANCELLED", "caller"))

    def test_delete_maps_its_reason_to_the_caller(self):
        for reason, code, disposition in [
            ("busy", 486, "BUSY"),
            ("denied", 603, "DENIED"),
            ("rejected", 603, "DENIED"),
            ("nocredit", 402, "NOCREDIT"),
            ("timeout", 480, "NOANSWER"),
            (None, 480, "FAILED"),
        ]:
            with self.subTest(reason=reason):
                self.backend.notifications.clear()
                trunk, token = self.parked()
                query = f"?reason={reason}" if reason else ""
                self.assertEqual(self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}{query}")[0], 204)
                self.assertEqual(trunk.result()["status"], code)
                self.assertEqual(self.vas.record_of(token)["disposition"], disposition)

    def test_three_outcomes_of_the_notification(self):
        for answer, code, cause in [(404, 404, 904), (403, 403, 903), (302, 403, 903)]:
            with self.subTest(answer=answer):
                self.backend.answer = answer
                self.assertEqual(self.trunk_call().result()["status"], code)
                self.assertEqual(self.vas.records()[-1]["local_cause"], cause)
        self.backend.notifications.clear()
        self.backend.answer = [503, 500, 204]
        trunk, token = self.parked("--wait", 8)
        self.vas.request("DELETE", f"/calls/{DOMAIN}/sessions/{token}")
        trunk.result()
        self.backend.notifications.clear()
        self.backend.answer = 500
        self.assertEqual(self.trunk_call().result()["status"], 480)
        self.assertEqual(len(self.backend.notifications), 4)

    def test_an_unknown_dnid_gets_404_an_inactive_one_480_and_both_a_record(self):
        before = len(self.vas.records())
        self.assertEqual(self.trunk_call(dnid="19995550000").result()["status"], 404)
        self.assertEqual(self.trunk_call(dnid=IDLE).result()["status"], 480)
        wait_until(lambda: len(self.vas.records()) == before + 2, 5, "the records")
        self.assertEqual([record["local_cause"] for record in self.vas.records()[before:]], [904, 905])

    def test_an_invite_that_names_a_session_made_by_the_api_is_parked_under_it(self):
        status, session = self.vas.request("POST", f"/calls/{DOMAIN}/incoming/{BOB}", {"origination": "63121233333"})
        self.assertEqual(
            (status, session["direction"], session["origination"], session["timeLimit"]),
            (200, "incoming", "63121233333", None),
        )
        self.assertEqual(
            self.caller("early", *dialling(self.vas, session["token"])).result()["status"], 403
        )  # nobody waits yet
        poll = Poll(self.vas, session["token"])  # an app that is faster than the call
        wait_until(lambda: self.vas.session(session["token"])[1]["status"] == "ringing", 5, "the poll")
        self.assertIsNone(self.vas.session(session["token"])[1]["callStartTime"])
        trunk = self.trunk_call("--token", session["token"], "--domain", DOMAIN, "--seconds", 0)
        self.assertEqual(self.notification()["session"], session["token"])
        bob = self.caller("bob", *dialling(self.vas, session["token"], "--seconds", 1))
        self.assertEqual((bob.result()["outcome"], trunk.result()["outcome"]), ("answered", "answered"))
        self.assertEqual(poll.wait(), (200, {"status": "connected"}))
        self.assertEqual(self.vas.record_of(session["token"])["disposition"], "ANSWERED")

    def test_a_poll_that_waits_at_shutdown_harms_nothing(self):
        trunk, token = self.parked("--wait", 3)
        polls = [Poll(self.vas, token) for _ in range(3)]
        time.sleep(1)  # nothing outside tells when a poll has begun to wait
        self.addCleanup(self.vas.start)
        self.assertEqual(self.vas.stop(), 0)
        self.assertEqual([poll.wait()[0] for poll in polls], [205] * 3)
        trunk.result()

    def test_a_stranger_without_a_token_gets_403(self):
        stranger = self.caller("stranger", "--listen", "127.0.0.77:0", "--dial", f"sip:{BOB}@{self.vas.sip}")
        self.assertEqual(stranger.result()["status"], 403)

    def test_a_pick_up_without_a_common_codec_leaves_the_caller_parked(self):
        trunk, token = self.parked("--codec", "PCMU", "--seconds", 0)
        phone = self.scripted()
        phone.invite(token, body=phone.sdp(payloads="8").replace("a=rtpmap:101 telephone-event/8000\r\n", ""))
        answer = phone.final()
        self.assertEqual(answer.status, 488)
        self.assertIn("305", answer.header("Warning"))
        phone.ack(answer)
        bob = self.caller("bob", *dialling(self.vas, token, "--seconds", 1))
        self.assertEqual(bob.result()["outcome"], "answered")
        trunk.result()

    def test_two_pick_ups_with_one_token_the_second_gets_403(self):
        trunk, token = self.parked("--seconds", 0)
        first = self.caller("first", *dialling(self.vas, token, "--seconds", 2))
        wait_until(lambda: self.vas.session(token)[1]["status"] == "connected", 5, "the connection")
        self.assertEqual(self.caller("second", *dialling(self.vas, token)).result()["status"], 403)
        self.assertEqual(first.result()["outcome"], "answered")
        trunk.result()

    def test_the_poll_tells_nothing_to_who_does_not_know_both_token_and_number(self):
        trunk, token = self.parked("--wait", 4)
        for path in [
            f"/calls/{DOMAIN}/ringing/{ALICE}/{token}",
            f"/calls/{DOMAIN}/ringing/{BOB}/{'0' * 32}",
            f"/calls/other.example/ringing/{BOB}/{token}",
        ]:
            self.assertEqual(self.vas.request("GET", path, key=None)[0], 403, path)
        trunk.result()

    def test_subscriber_to_subscriber_rings_the_callees_app(self):
        session = self.vas.make_outgoing(BOB)
        alice = self.caller("alice", *dialling(self.vas, session["token"], "--tone", 1000, "--seconds", 3))
        body = self.notification()
        self.assertEqual((body["dnid"], body["caller-id"]), (BOB, ALICE))
        bob = self.caller("bob", *dialling(self.vas, body["session"], "--tone", 440, "--seconds", 0))
        self.assertEqual((alice.result()["outcome"], bob.result()["outcome"]), ("answered", "answered"))
        self.assert_heard(alice.wav, 440, 1000)


class Ipv6(E2eTest):
    flags = ("--media-bind6", "::1")

    @classmethod
    def setUpClass(cls):
        cls.flags = ("--media-bind6", "::1", "--sip-listen", f"[::1]:{free_ports()}")
        super().setUpClass()

    def test_an_ipv6_phone_talks_to_an_ipv4_carrier(self):
        carrier = self.carrier("--tone", 440, "--seconds", 0)
        token = self.vas.make_outgoing()["token"]
        alice = self.caller(
            "alice",
            "--listen",
            "[::1]:0",
            "--dial",
            f"sip:any@{self.flags[3]}",
            "--token",
            token,
            "--domain",
            DOMAIN,
            "--tone",
            1000,
            "--seconds",
            2,
        )
        self.assertEqual((alice.result()["outcome"], carrier.result()["outcome"]), ("answered", "answered"))
        self.assert_heard(alice.wav, 440, 1000)
        self.assert_heard(carrier.wav, 1000, 440)
        self.assertTrue(self.vas.record_of(token)["legs"][0]["media_address"].startswith("[::1]:"))


class Timeouts(E2eTest):
    profile = {"call-timeout": 2, "session-ttl": 2}
    flags = ("--media-timeout", "2")

    def test_nobody_answers_within_call_timeout(self):
        trunk = self.caller("trunk", "--listen", f"{TRUNK}:0", "--dial", f"sip:{BOB}@{self.vas.sip}")
        token = self.notification()["session"]
        poll = Poll(self.vas, token)
        self.assertEqual(trunk.result()["status"], 480)
        self.assertEqual(poll.wait()[0], 205)
        record = self.vas.record_of(token)
        self.assertEqual(
            (record["disposition"], record["local_cause"], record["last_sip_code"]), ("NOANSWER", 909, None)
        )

    def test_an_expired_token_is_refused(self):
        session = self.vas.make_outgoing(callback=self.backend.url + "/callback")
        wait_until(lambda: self.vas.session(session["token"])[0] == 404, 6, "the expiry")
        self.assertEqual(self.caller("late", *dialling(self.vas, session["token"])).result()["status"], 403)
        wait_until(lambda: self.backend.callbacks, 5, "the callback")
        self.assertEqual(
            (self.backend.callbacks[0][0]["action"], self.backend.callbacks[0][0]["disposition"]),
            ("deleted", "EXPIRED"),
        )

    def test_phones_that_vanish_are_hung_up_by_the_media_timeout(self):
        carrier = self.carrier("--tone", 440, "--seconds", 0)
        token = self.vas.make_outgoing()["token"]
        alice = self.caller("alice", *dialling(self.vas, token, "--tone", 1000, "--seconds", 0))
        wait_until(lambda: self.vas.session(token)[1]["status"] == "connected", 5, "the connection")
        time.sleep(1)
        alice.process.kill()
        carrier.process.kill()
        record = self.vas.record_of(token, 10)
        self.assertEqual(
            (record["termination_reason"], record["local_cause"], record["ended_by"]), ("media-timeout", 911, "system")
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
