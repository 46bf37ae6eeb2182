"""The browser phone, in Chromium, against plain phones and against itself. Screenshots: build/browser/screenshots."""
import re
import time
import unittest
import urllib.parse

from browser_lab import Browser, bundle
from harness import BOB, DOMAIN, LOOSE_TRUNK, Baresip, Poll, wait_until, write_tone
from test_gateway import GatewayTest

# The shares of energy that two tones have in what the page hears, over two seconds.
LISTEN = """
const [seconds, ...tones] = arguments;
const context = new AudioContext();
const track = phone.connection.getReceivers()[0].track;
const source = context.createMediaStreamSource(new MediaStream([track]));
const tap = context.createScriptProcessor(4096, 1, 1);
const heard = [];
tap.onaudioprocess = (event) => heard.push(...event.inputBuffer.getChannelData(0));
source.connect(tap);
tap.connect(context.destination);
return new Promise((resolve) => setTimeout(() => {
  tap.disconnect();
  const size = Math.round(context.sampleRate / 10);  // over blocks, so that one hiccup is one block's
  let energy = 0;
  const inTone = tones.map(() => 0);
  for (let start = 0; start + size <= heard.length; start += size) {
    const block = heard.slice(start, start + size);
    energy += block.reduce((sum, each) => sum + each * each, 0);
    tones.forEach((hertz, which) => {
      const step = 2 * Math.PI * hertz / context.sampleRate;
      const real = block.reduce((sum, each, at) => sum + each * Math.cos(step * at), 0);
      const imaginary = block.reduce((sum, each, at) => sum + each * Math.sin(step * at), 0);
      inTone[which] += 2 * (real * real + imaginary * imaginary) / size;
    });
  }
  context.close();
  resolve({ level: Math.sqrt(energy / heard.length), shares: inTone.map((each) => each / energy) });
}, seconds * 1000));
"""

# What makes speech clearer takes a tone for noise.
RAW = """
const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = () => original({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
"""


class BrowserPhone(GatewayTest):
    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        vas.directory["trunks"].append({"id": 9, "domainId": 3, "name": "ourselves", "sources": ["127.0.0.1"]})

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        bundle()
        for tone in (1000, 700):
            write_tone(cls.folder / f"tone{tone}.wav", tone, 48000, 20)

    def page(self, token, tone=1000, **more):
        fragment = urllib.parse.urlencode({"token": token, "domain": DOMAIN, **more})
        browser = Browser(f"http://127.0.0.1:{self.vas.http_port}/phone/#{fragment}", speaks=self.folder / f"tone{tone}.wav")
        self.addCleanup(browser.stop)
        self.wait_for(browser, "ready")
        browser.resize(800, 900)
        browser.run(RAW)
        return browser

    def state(self, browser):
        return browser.run("return [document.body.dataset.state, document.getElementById('status').textContent]")

    def wait_for(self, browser, state):
        wait_until(lambda: self.state(browser)[0] == state, 20, f"`{state}` of the page, which is at {self.state(browser)},")

    def click(self, browser, name):
        browser.run("document.getElementById(arguments[0]).click()", name)

    def assert_tone(self, browser, own, strange, seconds=2):
        heard = browser.run(LISTEN, seconds, own, strange)
        self.assertGreater(heard["shares"][0], 0.9, heard)
        self.assertLess(heard["shares"][1], 0.01, heard)

    def carrier(self, **attributes):
        carrier = Baresip(self.folder, f"carrier{time.monotonic_ns()}", "127.0.0.1", 440, answers=True, **attributes).start()
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
        self.wait_for(browser, "up")
        self.assert_tone(browser, 440, 1000)
        for key in "19#":
            browser.press(key)
            time.sleep(0.4)
        self.click(browser, "keys")
        browser.screenshot("2-up")
        figures = browser.run("return Object.fromEntries([...document.querySelectorAll('dd')].map((each) => [each.id, each.textContent]))")
        for name, unit in (("jitter", "ms"), ("loss", "%"), ("round-trip", "ms")):
            self.assertRegex(figures[name], rf"^[0-9.]+ {unit}$")
        self.assertRegex(browser.run("return document.getElementById('timer').textContent"), r"^00:0[2-9]$")
        for meter in ("level-out", "level-in"):
            self.assertGreater(browser.run(f"return document.getElementById('{meter}').value"), -30)

        browser.press("m")
        self.assertEqual(browser.run("return document.getElementById('mute').textContent"), "Unmute")
        self.check_small_screen(browser)
        browser.press("\ue00c")  # Escape
        self.wait_for(browser, "ended")
        carrier.stop()
        self.assert_heard(carrier.heard(), 1000, 440)
        record = self.vas.record_of(token)
        self.assertEqual((record["disposition"], record["ended_by"], record["legs"][0]["dtmf_count"]), ("ANSWERED", "caller", 3))
        self.assertEqual([(leg["srtp"], leg["ice_path"]) for leg in record["legs"]], [("AEAD_AES_128_GCM", "host-host"), (None, None)])
        self.assertEqual([leg["received"]["lost"] for leg in record["legs"]], [0, 0])
        self.assertNotIn(token, self.vas.log_text().replace(f"session={token}", ""))

    def check_small_screen(self, browser):
        browser.resize(320, 568)
        browser.screenshot("3-small")
        self.assertLessEqual(browser.run("return document.documentElement.scrollWidth"), 320)
        smallest = browser.run("return Math.min(...[...document.querySelectorAll('button')].map((each) => each.offsetHeight || 99))")
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
        self.click(browser, "call")
        self.wait_for(browser, "up")
        self.assert_tone(browser, 440, 1000)
        self.assertEqual(poll.wait()[0], 200)
        caller.stop()
        self.wait_for(browser, "ended")
        self.assert_heard(caller.heard(), 1000, 440)
        record = self.vas.record_of(token)
        self.assertEqual((record["disposition"], record["ended_by"]), ("ANSWERED", "caller"))

    def test_two_browsers_talk_to_each_other(self):
        """The call leaves by a trunk that leads back here, as between two customers of one carrier."""
        token = self.vas.make_outgoing(routing={"routes": [{"termination_ip": self.vas.sip, "termination_number": BOB}]})["token"]
        alice = self.page(token, call="Bob")
        self.click(alice, "call")
        wait_until(lambda: self.backend.notifications, 10, "the notification")
        waiting = self.backend.notifications[0][0]["session"]
        bob = self.page(waiting, tone=700, answer="Alice")
        self.click(bob, "call")
        self.wait_for(alice, "up")
        self.wait_for(bob, "up")
        self.assert_tone(alice, 700, 1000)
        self.assert_tone(bob, 1000, 700)
        self.click(bob, "hangup")
        self.wait_for(alice, "ended")
        for each in (token, waiting):
            record = self.vas.record_of(each)
            self.assertEqual((record["disposition"], sorted(leg["srtp"] or "" for leg in record["legs"])), ("ANSWERED", ["", "AEAD_AES_128_GCM"]))

    def test_says_why_a_call_failed(self):
        browser = self.page("f" * 32)
        self.click(browser, "call")
        self.wait_for(browser, "failed")
        self.assertIn("not known", self.state(browser)[1])
        browser.screenshot("5-failed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
