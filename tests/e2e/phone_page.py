"""The browser phone as a test sees it: one Chromium on its page."""
import urllib.parse

from browser_lab import Browser, bundle
from harness import DOMAIN, in_uri, wait_until

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


class PhonePage(Browser):
    def __init__(self, vas, token, speaks, flags=(), **more):
        bundle()
        fragment = urllib.parse.urlencode({"token": token, "domain": DOMAIN, **more})
        super().__init__(f"http://{in_uri(vas.address)}:{vas.http_port}/phone/#{fragment}", speaks, flags)
        self.wait_for("ready")
        self.resize(800, 900)
        self.run(RAW)

    def state(self):
        return self.run("return [document.body.dataset.state, document.getElementById('status').textContent]")

    def wait_for(self, state):
        wait_until(lambda: self.state()[0] == state, 20, f"`{state}` of the page, which is at {self.state()},")

    def click(self, name):
        self.run("document.getElementById(arguments[0]).click()", name)

    def hears(self, own, strange):
        try:
            self.assert_tone(own, strange)
        except AssertionError:
            return False
        return True

    def assert_tone(self, own, strange, seconds=2):
        heard = self.run(LISTEN, seconds, own, strange)
        assert heard["level"] and heard["shares"][0] > 0.9 and heard["shares"][1] < 0.01, heard
