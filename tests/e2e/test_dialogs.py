"""Who is in a dialog, who only says so, and what an address gets that has not shown that it is there."""
import pathlib
import re
import threading
import time
import unittest

from harness import SLOW, E2eTest, Phone, StreamPhone, wait_until

IN_DIALOGS = ("INVITE", "BYE", "UPDATE", "INFO", "PRACK", "OPTIONS")


class DialogsTest(E2eTest):
    limits = ()

    def at(self, address, kind=Phone):
        phone = kind(address, self.vas.sip)
        self.addCleanup(phone.close)
        return phone

    def nothing(self, phone, seconds=0.6):
        try:
            self.fail(f"this came:\n{phone.take(seconds)}")
        except TimeoutError:
            pass

    def stopped(self, why):
        return float(
            re.search(rf'^vas_sip_stopped_total{{why="{why}"}} (\S+)$', self.vas.text("/metrics"), re.MULTILINE).group(
                1
            )
        )

    def memory_kib(self):
        return int(
            re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.vas.process.pid}/status").read_text()).group(1)
        )

    def connected(self, near=None, far_route=None):
        (far, token), near = self.far_phone(), near or self.at("127.0.1.20")
        near.invite(token)
        request = far.receive()
        route = [f"Record-Route: <sip:{far_route.address}:{far_route.port};lr>"] if far_route else []
        far.answer(request, 200, "OK", far.sdp(), route)
        answer = near.final()
        near.ack(answer)
        if far_route is None:
            self.assertEqual(far.receive().method, "ACK")
        far.remote_to, far.call_id = request.header("From"), request.header("Call-ID")
        far.target = re.search(r"<([^>]+)>", request.header("Contact")).group(1)
        return near, far

    def twin(self, near, address, kind=Phone, **changed):
        """Another phone that knows all that `near` knows of its dialog, or less."""
        other = self.at(address, kind)
        for name in ("call_id", "tag", "remote_to", "target", "cseq"):
            setattr(other, name, changed.get(name, getattr(near, name)))
        return other

    def is_up(self, near, far):
        near.send("INFO", body="x", drop=())
        info = far.receive()
        far.answer(info, 200, "OK")
        return (info.method, near.final().status) == ("INFO", 200)


class Strangers(DialogsTest):
    def test_a_to_tag_of_no_dialog_gets_one_481_that_is_not_repeated(self):
        before = self.stopped("no-dialog")
        for method in IN_DIALOGS:
            stranger, sent = self.at("127.0.1.1"), []
            transmit = stranger.transmit
            stranger.transmit = lambda text: (sent.append(text), transmit(text))
            stranger.send(method, to="<sip:x@y>;tag=made-up")
            answer = stranger.take(2)
            self.assertRegex(answer, r"^SIP/2\.0 481 ", method)
            self.assertLess(len(answer), 1.3 * len(sent[0]))
            if method == "INVITE":
                self.nothing(stranger, 1.2)
        stranger.send("ACK", to="<sip:x@y>;tag=made-up")
        self.nothing(stranger)
        self.assertEqual(self.stopped("no-dialog"), before + len(IN_DIALOGS) + 1)

    def test_outside_a_dialog_only_calls_and_questions_are_heard(self):
        stranger = self.at("127.0.1.2")
        for method in ("BYE", "UPDATE", "INFO", "PRACK", "CANCEL"):
            stranger.send(method)
            self.assertEqual(stranger.final(2).status, 481, method)
        stranger.send("OPTIONS", headers=["Require: timer, teleport"])
        answer = stranger.final(2)
        self.assertEqual((answer.status, answer.header("Unsupported")), (420, "teleport"))
        stranger.send("OPTIONS")
        answer = stranger.final(2)
        self.assertEqual(answer.status, 200)
        self.assertIn("UPDATE", answer.header("Allow"))

    def test_a_flood_of_to_tags_costs_neither_calls_nor_memory(self):
        self.connected()
        before = self.memory_kib()
        stranger, sent, begun = self.at("127.0.1.3"), [0], time.monotonic()

        def flood():  # 2,000 a second: what even the sanitizers' builds take up before a call has waited too long
            for each in range(5000):
                stranger.call_id = f"flood{each}"
                stranger.send("INVITE", to="<sip:x@y>;tag=made-up")
                sent[0] += 1
                if each % 20 == 19:
                    time.sleep(0.01 * SLOW)

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        for goal in range(500, 5000, 1000):  # calls in the midst of it
            wait_until(lambda least=goal: sent[0] >= least, 20, "the flood")
            near, far = self.connected()
            self.assertTrue(self.is_up(near, far))
        thread.join(20 * SLOW)
        self.assertEqual(sent[0], 5000)
        answers = 0
        try:
            while stranger.take(0.3):
                answers += 1
        except TimeoutError:
            pass
        self.assertGreater(answers, 0)
        self.assertLess(answers, 20 * (time.monotonic() - begun) + 60)  # 20 a second, twice as many at once
        self.assertLess(self.memory_kib() - before, 6 * 1024 + 0.1 * before)


class Members(DialogsTest):
    def test_half_the_names_of_a_dialog_neither_end_nor_move_it(self):
        near, far = self.connected()
        tagless = re.sub(r";tag=.*", "", near.remote_to)
        for changed in (
            {"remote_to": tagless},
            {"remote_to": tagless + ";tag="},
            {"tag": "other"},
            {"tag": ""},
            {"remote_to": tagless + ";tag=other"},
        ):
            for method in ("BYE", "INFO", "OPTIONS"):
                thief = self.twin(near, "127.0.1.66", **changed)
                thief.send(method)
                if not (method == "OPTIONS" and changed == {"remote_to": tagless}):  # that is in no dialog, and says so
                    with self.subTest(method=method, changed=changed):
                        self.assertIn(thief.final(2).status, (400, 481))
        self.nothing(far)
        self.assertTrue(self.is_up(near, far))
        back = self.twin(far, "127.0.1.66", remote_to=re.sub(r";tag=.*", "", far.remote_to))
        back.send("BYE")
        self.assertEqual(back.final(2).status, 481)
        self.assertEqual(near.bye().status, 200)

    def test_a_token_with_the_names_of_anothers_dialog_is_a_call_of_its_own(self):
        near, far = self.connected()
        other_far, token = self.far_phone()
        thief = self.twin(near, "127.0.1.66", remote_to=None, target=None)
        thief.invite(token)
        offer = other_far.receive()
        self.assertEqual(offer.method, "INVITE")
        self.assertNotEqual(offer.header("Call-ID"), far.call_id)
        other_far.answer(offer, 486, "Busy Here")
        self.assertEqual(thief.final().status, 486)
        self.nothing(far)
        self.assertTrue(self.is_up(near, far))
        self.assertEqual(near.bye().status, 200)

    def test_who_moves_a_dialog_over_udp_proves_first_that_it_is_there(self):
        near, far = self.connected()
        moved = self.twin(near, "127.0.1.21")
        branch = moved.send("INVITE", body=moved.sdp(version=2))
        question = moved.receive()
        self.assertEqual(question.method, "OPTIONS")
        self.nothing(far)
        moved.answer(question, 404, "Not Found")

        def repeated():  # as a phone does, until its answer has been seen
            moved.send("INVITE", body=moved.sdp(version=2), branch=branch, cseq=moved.cseq)
            try:
                return far.receive(0.5)
            except TimeoutError:
                return None

        offer = wait_until(repeated, 5, "the offer")
        self.assertEqual(offer.method, "INVITE")
        far.answer(offer, 200, "OK", far.sdp(version=2))
        moved.ack(moved.final())
        self.assertEqual(far.receive().method, "ACK")
        self.assertEqual(moved.bye().status, 200)

    def test_who_does_not_answer_moves_nothing_and_gets_little(self):
        near, far = self.connected()
        before = self.stopped("unproved")
        forged = self.twin(near, "127.0.1.22")
        forged.send("UPDATE", body=forged.sdp(version=2))
        self.assertEqual(forged.receive().method, "OPTIONS")
        self.nothing(forged, 1.2)
        self.nothing(far, 0.2)
        self.assertEqual(self.stopped("unproved"), before + 1)
        near.send("UPDATE")
        self.assertEqual(near.final().status, 200)
        self.assertEqual(near.bye().status, 200)

    def test_a_connection_and_another_port_may_end_a_call_with_both_tags(self):
        for kind in (Phone, StreamPhone):
            near, far = self.connected()
            other = self.twin(near, "127.0.1.23", kind)
            self.assertEqual(other.bye().status, 200)
            bye = far.receive()
            while bye.method != "BYE":
                bye = far.receive()
            far.answer(bye, 200, "OK")

    def test_a_bye_that_is_repeated_after_the_end_has_its_answer(self):
        near, far = self.connected()
        branch = near.send("BYE")
        self.assertEqual(near.final().status, 200)
        near.send("BYE", branch=branch, cseq=near.cseq)
        self.assertEqual(near.final().status, 200)
        self.assertEqual(near.bye().status, 481)

    def test_a_dialog_has_a_budget(self):
        near, far = self.connected()
        for _ in range(200):
            near.send("OPTIONS")
        answers = 0
        try:
            while near.take(0.5):
                answers += 1
        except TimeoutError:
            pass
        self.assertGreaterEqual(answers, 39)  # the ACK was one
        self.assertLess(answers, 120)
        time.sleep(1)
        self.assertEqual(near.bye().status, 200)


class Repeats(DialogsTest):
    def copies(self, phone, seconds, first):
        """How many messages whose first line begins so came within `seconds`."""
        count, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                phone.socket.settimeout(max(0.01, until - time.monotonic()))
                count += phone.socket.recv(65536).decode().startswith(first)
            except TimeoutError:
                break
        return count

    def test_a_caller_that_never_answers_gets_each_message_a_few_times(self):
        (far, token), near = self.far_phone(), self.at("127.0.1.40")
        near.invite(token)
        request = far.receive()
        far.answer(request, 200, "OK", far.sdp())
        self.assertEqual(self.copies(near, 12.5, "SIP/2.0 200"), 5)  # without a bound: at 0, 0.5, 1.5, 3.5, 7.5, 11.5 s

    def test_a_route_that_points_at_a_third_party_brings_it_little(self):
        third = self.at("127.0.1.41")
        near, far = self.connected(far_route=third)
        self.assertEqual(third.receive().method, "ACK")
        self.assertEqual(near.bye().status, 200)
        self.assertEqual(self.copies(third, 4.2, "BYE"), 2)  # without a bound: at 0, 0.5, 1.5, 3.5 s

    def test_a_third_party_that_answers_is_served_like_any(self):
        third = self.at("127.0.1.42")
        near, far = self.connected(far_route=third)
        self.assertEqual(third.receive().method, "ACK")
        near.send("INFO", body="x", drop=())
        info = third.receive()
        third.answer(info, 200, "OK")
        self.assertEqual(near.final().status, 200)
        self.assertEqual(near.bye().status, 200)
        self.assertEqual(self.copies(third, 4.2, "BYE"), 4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
