"""The phones of tests/interop/run, each with the same few words:
dial, hold, resume, moved, and whether it hears to the end."""
import fcntl
import http.server
import re
import shutil
import subprocess
import threading
import time

from lab import ADDRESS_OF_SERVER, CARRIER_SAYS, HELD, HERE, PHONE_SAYS, tail_is_tone
from browser_lab import Browser
from harness import DOMAIN, Baresip, die_with_parent, free_ports, write_tone
from phone_page import LISTEN
from test_linphone import Linphone

BUILD = HERE.parents[1] / "build/interop"
TOKEN_HEADERS = ("X-Cloudonix-Session", "X-Cloudonix-Domain")
LEGS = ("plain", "sdes-tls", "ice-lite", "ice-full", "dtls")


class OfBaresip:
    LEGS = LEGS
    MOVES_AFTER = 62  # it looks at its addresses once a minute
    CANNOT = dict.fromkeys(
        ("ice-lite/move", "ice-full/move"),
        "restarts no ICE: its re-INVITE has the old ufrag and the candidate that is gone, and nothing is checked from the new address",
    )

    def __init__(self, lab, vas, host, leg, seconds):
        self.lab, self.vas, self.host, self.leg, self.seconds, self.is_resumed = lab, vas, host, leg, seconds, False
        encryption = {"sdes-tls": "srtp-mand", "dtls": "dtls_srtp"}.get(leg)
        self.phone = Baresip(
            lab.folder,
            host,
            lab.address(host),
            PHONE_SAYS,
            transport="tls" if leg == "sdes-tls" else "udp",
            authority=lab.authority.certificate,
            encryption=encryption,
            nat="ice" if leg.startswith("ice") else None,
        )
        write_tone(self.phone.folder / "tone.wav", PHONE_SAYS, 8000, seconds + 30)
        config = self.phone.folder / "config"  # bound to no address, which it may lose
        config.write_text(
            config.read_text()
            .replace(f"sip_listen {lab.address(host)}:", "sip_listen 0.0.0.0:")
            .replace(f"net_interface {lab.address(host)}", f"net_interface {lab.hosts.interface(host)}")
        )

    def dial(self, token):
        secure = self.leg == "sdes-tls"
        target = (
            f"sip:any@{ADDRESS_OF_SERVER}:{self.vas.tls_port};transport=tls" if secure else f"sip:any@{self.vas.sip}"
        )
        with self.lab.hosts.on(self.host):
            self.phone.start(target, zip(TOKEN_HEADERS, (token, DOMAIN)), seconds=600)

    def command(self, name):
        with self.lab.hosts.on(self.host):
            self.phone.command(name)

    def hold(self):
        self.command("hold")

    def resume(self):
        self.command("resume")
        self.is_resumed = True

    def moved(self):
        """It finds out by itself."""

    def hears(self):
        """What it records ends when it resumes; from then on it says what it received."""
        before = self.phone.heard().stat().st_size
        time.sleep(4)
        grew = self.phone.heard().stat().st_size - before
        self.stop()
        received = re.search(r"packets:\s+\d+\s+(\d+)", self.phone.log_text())
        goes_on = int(received.group(1)) > 50 * 0.9 * (self.seconds - HELD - 5) if self.is_resumed else grew > 2 * 16000
        return goes_on and tail_is_tone(self.phone.heard(), CARRIER_SAYS, 3)

    def stop(self):
        self.phone.stop()


class OfLinphone:
    LEGS = LEGS
    MOVES_AFTER = 15

    def __init__(self, lab, vas, host, leg, seconds):
        self.vas, self.leg = vas, leg
        (lab.folder / host).mkdir()
        self.phone = Linphone(
            lab.folder / host / "linphone",
            lab.hosts,
            host,
            lab.address(host),
            {"sdes-tls": "srtp", "dtls": "dtls"}.get(leg, "none"),
            authority=lab.authority.certificate if leg == "sdes-tls" else None,
            stun=lab.stun() if leg.startswith("ice") else None,
            seconds=seconds + 30,
        )

    def dial(self, token):
        secure = self.leg == "sdes-tls"
        target = (
            f"sip:any@{ADDRESS_OF_SERVER}:{self.vas.tls_port};transport=tls" if secure else f"sip:any@{self.vas.sip}"
        )
        self.phone.say(f"call {target}?{TOKEN_HEADERS[0]}={token}&{TOKEN_HEADERS[1]}={DOMAIN}")

    def hold(self):
        self.phone.say("pause")

    def resume(self):
        self.phone.say("resume")

    def moved(self):
        """It finds out by itself."""

    def hears(self):
        time.sleep(4)
        self.stop()
        return tail_is_tone(self.phone.recording, CARRIER_SAYS, 3)

    def stop(self):
        if not self.phone.process.stdin.closed:
            self.phone.stop()


def bundle():
    """The page's script, made once in build/interop."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json", ".npmrc", "entry.js", "index.html"):
            shutil.copy(HERE / "page" / name, BUILD / name)
        for command in (["npm", "ci", "--no-audit", "--no-fund"], ["npm", "run", "bundle"]):
            done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode:
                raise SystemExit(f"{command} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


class OfBrowser:
    LEGS = ("webrtc-lite", "webrtc-full")
    MOVES_AFTER = 15
    STACK = None

    def __init__(self, lab, vas, host, leg, seconds):
        self.lab, self.vas, self.host = lab, vas, host
        speaks = lab.folder / f"{host}.wav"
        write_tone(speaks, PHONE_SAYS, 48000, 20)  # it begins anew
        with lab.hosts.on(host):
            self.pages = self.serve()
            self.browser = Browser(f"http://127.0.0.1:{self.pages.server_port}/index.html", speaks)

    @staticmethod
    def serve():
        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(BUILD))

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def run(self, script, *arguments):
        with self.lab.hosts.on(self.host):
            return self.browser.run(script, *arguments)

    def dial(self, token):
        self.run(
            "begin(arguments[0]); return phone.dial(...arguments[1]).then(() => 0)",
            self.STACK,
            [
                f"ws://{ADDRESS_OF_SERVER}:{self.vas.ws_port}/",
                f"sip:any@{self.vas.sip}",
                [f"{TOKEN_HEADERS[0]}: {token}", f"{TOKEN_HEADERS[1]}: {DOMAIN}"],
            ],
        )

    def hold(self):
        self.run("return phone.hold().then(() => 0)")

    def resume(self):
        self.run("return phone.resume().then(() => 0)")

    def moved(self):
        self.run("window.moved = phone.move().catch((failure) => seen.push('move: ' + failure)); return 0")

    def hears(self):
        # Chromium decodes for an element that plays, and for nobody else.
        self.run(
            "window.speaker = new Audio();"
            "speaker.srcObject = new MediaStream([phone.connection.getReceivers()[0].track]);"
            "return speaker.play().then(() => 0)"
        )
        before = self.received()
        heard = self.run(LISTEN, 3, CARRIER_SAYS)
        packets = self.received() - before
        self.said = self.run("return [...seen, `${arguments[0]} packets in 3 s`]", packets)
        self.stop()
        return (
            packets > 100 and heard["level"] > 0.01 and heard["shares"][0] > 0.8
        )  # without packets Chromium goes on with the last tone

    def received(self):
        return self.run(
            "return phone.connection.getStats().then((all) => [...all.values()].filter((each) => each.type === 'inbound-rtp')"
            ".reduce((sum, each) => sum + each.packetsReceived, 0))"
        )

    def stop(self):
        if self.browser is None:
            return
        browser, self.browser = self.browser, None
        with self.lab.hosts.on(self.host):
            try:
                browser.run("phone.hangUp()")
                time.sleep(0.5)
            except (AssertionError, OSError):
                pass
            browser.stop()
        self.pages.shutdown()
        self.pages.server_close()


class OfJsSip(OfBrowser):
    STACK = "JsSIP"


class OfSipJs(OfBrowser):
    STACK = "SIP.js"


class OfSipp:
    """A scenario: it cannot be told anything on the way, nor says
    what it hears; it fails where a message is not as it should be."""

    LEGS = ("plain", "plain-tcp")
    MOVES_AFTER = None

    def __init__(self, lab, vas, host, leg, seconds):
        self.lab, self.vas, self.host, self.leg, self.process = lab, vas, host, leg, None
        self.folder = lab.folder / host
        self.folder.mkdir()
        write_tone(self.folder / "tone.wav", PHONE_SAYS, 8000, 10)
        subprocess.run(["sox", self.folder / "tone.wav", "-t", "ul", self.folder / "tone1000.ul"], check=True)
        talk = max(5, (seconds - 5) // 2) * 1000
        scenario = (HERE.parent / "e2e/scenarios/uac_reinvite.xml").read_text()
        head, _, rest = scenario.partition('<pause milliseconds="1500"/>')
        held, _, rest = rest.partition('<pause milliseconds="1000"/>')
        until = rest.index("CSeq: 3 ACK")
        end = rest.index("</send>", until) + len("</send>")
        goodbye = (HERE.parent / "e2e/scenarios/uac_token.xml").read_text()
        goodbye = goodbye[goodbye.index('<nop><action><exec rtp_stream="pause"/>') :].replace(
            "CSeq: 2 BYE", "CSeq: 4 BYE"
        )
        whole = (
            head
            + f'<pause milliseconds="{talk}"/>'
            + held
            + '<pause milliseconds="5000"/>'
            + rest[:end]
            + f'<nop><action><exec rtp_stream="resume"/></action></nop><pause milliseconds="{talk}"/>'
            + goodbye
        )
        (self.folder / "scenario.xml").write_text(whole.replace("tone1000.ul", str(self.folder / "tone1000.ul")))

    def dial(self, token):
        (self.folder / "tokens.csv").write_text(f"SEQUENTIAL\n{token}\n")
        here = self.lab.address(self.host)
        with self.lab.hosts.on(self.host):
            self.process = subprocess.Popen(
                [
                    "sipp",
                    self.vas.sip,
                    "-sf",
                    self.folder / "scenario.xml",
                    "-i",
                    here,
                    "-p",
                    str(free_ports()),
                    "-mi",
                    here,
                    "-mp",
                    str(free_ports(6)),
                    "-inf",
                    self.folder / "tokens.csv",
                    "-m",
                    "1",
                    "-nostdin",
                    *(["-t", "t1"] if self.leg == "plain-tcp" else []),
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self.folder,
                preexec_fn=die_with_parent,
            )

    def hold(self):
        """As the scenario has it."""

    def resume(self):
        """As the scenario has it."""

    def hears(self):
        return None

    def ended_well(self):
        return self.process.wait(60) == 0

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


CLIENTS = {"baresip": OfBaresip, "linphone": OfLinphone, "JsSIP": OfJsSip, "SIP.js": OfSipJs, "SIPp": OfSipp}
