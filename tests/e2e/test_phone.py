"""The browser phone, in Chromium, against plain phones and against itself. Screenshots: build/browser/screenshots."""
import time
import unittest

from harness import BOB, LOOSE_TRUNK, Baresip, Poll, wait_until, write_tone
from phone_page import PhonePage
from test_gateway import GatewayTest


class BrowserPhone(GatewayTest):
    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        vas.directory["trunks"].append({"id": 9, "domainId": 3, "name": "ourselves", "sources": ["127.0.0.1"]})
        vas.flags += ["--media-workers", "1"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for tone in (1000, 700):
            write_tone(cls.folder / f"tone{tone}.wav", tone, 48000, 20)

    def page(self, token, tone=1000, **more):
        page = PhonePage(self.vas, token, self.folder / f"tone{tone}.wav", **more)
        self.addCleanup(page.stop)
        return page

    def carrier(self, **attributes):
        carrier = Baresip(
            self.folder, f"carrier{time.monotonic_ns()}", "127.0.0.1", 440, answers=True, **attributes
        ).start()
        self.addCleanup(carrier.stop)
        return carrier

    def to(self, carrier):
        return {"routes": [{"termination_ip": f"127.0.0.1:{carrier.port}", "termination_number": carrier.name}]}

    def test_dials_a_plain_phone_and_is_worked_by_keyboard(self):
        carrier = self.carrier()
        token = self.vas.make_outgoing(routing=self.to(carrier))["token"]
        browser = self.page(token, call="+1 555 0100")
        browser.screenshot("1-ready")
        self.assertEqual(browser.run("return document.activeElement.id"), "call")
        browser.press("\ue007")  # Enter
        browser.wait_for("up")
        browser.assert_tone(440, 1000)
        for key in "19#":
            browser.press(key)
            time.sleep(0.4)
        browser.click("keys")
        browser.screenshot("2-up")
        figures = browser.run(
            "return Object.fromEntries([...document.querySelectorAll('dd')].map((each) => [each.id, each.textContent]))"
        )
        for name, unit in (("jitter", "ms"), ("loss", "%"), ("round-trip", "ms")):
            self.assertRegex(figures[name], rf"^[0-9.]+ {unit}$")
        self.assertRegex(browser.run("return document.getElementById('timer').textContent"), r"^00:0[2-9]$")
        for meter in ("level-out", "level-in"):
            self.assertGreater(browser.run(f"return document.getElementById('{meter}').value"), -30)

        browser.press("m")
        self.assertEqual(browser.run("return document.getElementById('mute').textContent"), "Unmute")
        self.check_small_screen(browser)
        browser.press("\ue00c")  # Escape
        browser.wait_for("ended")
        carrier.stop()
        self.assert_heard(carrier.heard(), 1000, 440)
        record = self.vas.record_of(token)
        self.assertEqual(
            (record["disposition"], record["ended_by"], record["legs"][0]["dtmf_count"]), ("ANSWERED", "caller", 3)
        )
        self.assertEqual(
            [(leg["srtp"], leg["ice_path"]) for leg in record["legs"]],
            [("AEAD_AES_128_GCM", "host-host"), (None, None)],
        )
        self.assertEqual([leg["received"]["lost"] for leg in record["legs"]], [0, 0])
        self.assertNotIn(token, self.vas.log_text().replace(f"session={token}", ""))

    def check_small_screen(self, browser):
        browser.resize(320, 568)
        browser.screenshot("3-small")
        self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"), 320)
        smallest = browser.run(
            "return Math.min(...[...document.querySelectorAll('button')].map((each) => each.offsetHeight || 99))"
        )
        self.assertGreaterEqual(smallest, 44)  # fingers

    def test_answers_a_call_that_waits_and_the_far_end_hangs_up(self):
        caller = Baresip(self.folder, f"caller{time.monotonic_ns()}", LOOSE_TRUNK, 440)
        self.addCleanup(caller.stop)
        caller.start(f"sip:{BOB}@{self.vas.sip}")
        wait_until(lambda: self.backend.notifications, 10, "the notification")
        token = self.backend.notifications[0][0]["session"]
        poll = Poll(self.vas, token)
        browser = self.page(token, answer="Alice")
        browser.screenshot("4-answer")
        self.assertEqual(browser.run("return document.getElementById('call').textContent"), "Answer")
        browser.click("call")
        browser.wait_for("up")
        browser.assert_tone(440, 1000)
        self.assertEqual(poll.wait()[0], 200)
        caller.stop()
        browser.wait_for("ended")
        self.assert_heard(caller.heard(), 1000, 440)
        record = self.vas.record_of(token)
        self.assertEqual((record["disposition"], record["ended_by"]), ("ANSWERED", "caller"))

    def test_hold_and_an_ice_restart(self):
        carrier = self.carrier()
        token = self.vas.make_outgoing(routing=self.to(carrier))["token"]
        browser = self.page(token)
        browser.click("call")
        browser.wait_for("up")
        browser.assert_tone(440, 1000)
        # It offers DTLS 1.3 too, and takes 1.2.
        [transport] = browser.run(
            "return [...(await phone.connection.getStats()).values()].filter(({ type }) => type === 'transport')"
        )
        self.assertEqual((transport["dtlsState"], transport["tlsVersion"]), ("connected", "FEFD"))

        ufrag = "return /a=ice-ufrag:(\\S+)/.exec(phone.connection.remoteDescription.sdp)[1]"
        before = browser.run(ufrag)
        browser.run("return new Promise((done) => phone.session.hold({}, done))")
        time.sleep(1)
        browser.run("return new Promise((done) => phone.session.unhold({}, done))")
        self.assertEqual(browser.run(ufrag), before)
        browser.assert_tone(440, 1000)
        browser.run(
            "return new Promise((done) => phone.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, done))"
        )
        self.assertNotEqual(browser.run(ufrag), before)
        browser.assert_tone(440, 1000)
        time.sleep(31)  # the old path's consent would be over by now
        browser.assert_tone(440, 1000)
        browser.click("hangup")
        browser.wait_for("ended")
        self.assertEqual(self.vas.record_of(token)["disposition"], "ANSWERED")

    def test_two_browsers_talk_to_each_other(self):
        """One subscriber dials another one of the domain, whose app is told as of a call from outside."""
        token = self.vas.make_outgoing(destination=BOB)["token"]
        alice = self.page(token, call="Bob")
        alice.click("call")
        wait_until(lambda: self.backend.notifications, 10, "the notification")
        waiting = self.backend.notifications[0][0]["session"]
        bob = self.page(waiting, tone=700, answer="Alice")
        bob.click("call")
        alice.wait_for("up")
        bob.wait_for("up")
        alice.assert_tone(700, 1000)
        bob.assert_tone(1000, 700)
        ports = {
            page.run("return /m=audio (\\d+)/.exec(phone.connection.remoteDescription.sdp)[1]") for page in (alice, bob)
        }
        self.assertEqual(len(ports), 1, "one of its worker's for all legs with ICE")
        bob.click("hangup")
        alice.wait_for("ended")
        record = self.vas.record_of(token)
        self.assertEqual(
            (record["disposition"], [leg["srtp"] for leg in record["legs"]]), ("ANSWERED", ["AEAD_AES_128_GCM"] * 2)
        )

    def test_says_why_a_call_failed(self):
        browser = self.page("f" * 32)
        browser.click("call")
        browser.wait_for("failed")
        self.assertIn("not known", browser.state()[1])
        browser.screenshot("5-failed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
