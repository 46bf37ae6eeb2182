"""Calls by ICE of phones that choose their path once and check it no
more (RFC 5245), longer than consent lives without a sign of them."""
import socket
import struct
import threading
import time
import unittest

from harness import (
    BOB,
    DOMAIN,
    SLOW,
    Baresip,
    Caller,
    E2eTest,
    audible_seconds,
    dialling,
    free_ports,
    wait_until,
    write_tone,
)
from hosts import Hosts
from test_linphone import Linphone

HERE, THERE, SERVER = "10.78.1.1", "10.78.2.1", "10.78.1.2"
TALKS = 46  # seconds; what a call that is cut at 30 s lacks, a slow machine does not
LEAST = 38
HELD_FROM, HELD_UNTIL, LEAST_BESIDE_HOLD = 4, 38, 8


class StunServer(threading.Thread):
    """Tells who asks its address; linphone gathers no candidates without one."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 3478))
        self.start()

    def run(self):
        while True:
            try:
                question, (address, port) = self.socket.recvfrom(2048)
            except OSError:
                return
            if question[:2] != b"\0\1":
                continue
            masked = bytes(a ^ b for a, b in zip(socket.inet_aton(address), question[4:8]))
            attribute = struct.pack("!HHBBH", 0x20, 8, 0, 1, port ^ 0x2112) + masked
            self.socket.sendto(struct.pack("!HH", 0x101, len(attribute)) + question[4:20] + attribute, (address, port))


class LongCalls(E2eTest):
    """This process, the far parties and baresip are on host "a", linphone on "b"."""

    backend_address = HERE

    @classmethod
    def setUpClass(cls):
        cls.hosts = Hosts(("a", "b"))
        cls.addClassCleanup(cls.hosts.close)
        stun = StunServer(HERE)
        cls.addClassCleanup(stun.socket.close)
        super().setUpClass()

    @classmethod
    def place_server(cls, vas):
        vas.address, vas.wrapper = SERVER, cls.hosts.wrapper()
        vas.flags += ["--media-bind", SERVER, "--webhook-allow", "10.78.0.0/16"]
        vas.directory["trunks"].append(
            {"id": 9, "domainId": 3, "name": "linphone", "sources": [THERE], "mediaEncryption": "optional"}
        )

    def far(self, name, *flags):
        far = Caller(self.folder, name, "--tone", 440, "--seconds", 0, *flags)
        self.addCleanup(far.kill)
        return far

    def baresip(self, encryption, name="talks"):
        """(the phone, its recording, the far party, the token)."""
        name = f"baresip-{name}-{encryption}"
        port = free_ports()
        far = self.far(name, "--listen", f"{HERE}:{port}")
        plan = {"routes": [{"termination_ip": f"{HERE}:{port}", "termination_number": "999"}]}
        token = self.vas.make_outgoing(routing=plan)["token"]
        phone = Baresip(self.folder, name, HERE, 1000, encryption=encryption, nat="ice")
        self.addCleanup(phone.stop)
        write_tone(phone.folder / "tone.wav", 1000, 8000, int(200 * SLOW))  # it hangs up where its file ends
        phone.start(
            f"sip:any@{self.vas.sip}",
            [("X-Cloudonix-Session", token), ("X-Cloudonix-Domain", DOMAIN)],
            seconds=int(200 * SLOW),
        )
        return phone, phone.heard, far, token

    def linphone(self, encryption):
        self.backend.notifications.clear()
        phone = Linphone(
            self.folder / f"linphone-{encryption}", self.hosts, "b", THERE, encryption, stun=f"{HERE}:3478"
        )
        self.addCleanup(phone.stop)
        phone.say(f"call sip:{BOB}@{self.vas.sip}")
        wait_until(lambda: self.backend.notifications, 20, "the notification")
        token = self.backend.notifications[0][0]["session"]
        wait_until(lambda: self.vas.session(token)[1]["status"] == "ringing", 5, "the parking")
        far = self.far(f"bob-{encryption}", *dialling(self.vas, token, "--listen", f"{HERE}:0"))
        return phone, lambda: phone.recording, far, token

    def test_they_are_heard_and_hear_to_the_end(self):
        calls = {
            "baresip, held": self.baresip(None, "held"),
            "baresip, plain": self.baresip(None),
            "baresip, DTLS": self.baresip("dtls_srtp"),
            "linphone, plain": self.linphone("none"),
            "linphone, DTLS": self.linphone("dtls"),
        }
        for name, (_, _, _, token) in calls.items():
            wait_until(lambda: self.vas.session(token)[1].get("status") == "connected", 20, f"the connection of {name}")
        begun = time.monotonic()
        for command, at in (("hold", HELD_FROM), ("resume", HELD_UNTIL)):
            time.sleep(max(0, begun + at - time.monotonic()))
            calls["baresip, held"][0].command(command)
        time.sleep(max(0, begun + TALKS - time.monotonic()))
        for name, (phone, recording, far, token) in calls.items():
            with self.subTest(phone=name):
                self.assertEqual(self.vas.session(token)[1].get("status"), "connected")
                phone.stop()
                self.assertEqual(far.result()["outcome"], "answered")
                leg = self.vas.record_of(token)["legs"][0]
                self.assertRegex(leg["ice_path"] or "none", "^host-(host|prflx|srflx)$")
                self.assertEqual(leg["srtp"] is not None, name.endswith("DTLS"))
                self.assertLess(
                    leg["received"]["refused"], 50, "what comes before the keys; a call that is cut has a thousand"
                )
                least = LEAST_BESIDE_HOLD if name.endswith("held") else LEAST
                self.assertGreater(audible_seconds(far.wav), least, "what the far party hears")
                self.assertGreater(audible_seconds(recording()), least, "what the phone hears")
                self.assert_heard(far.wav, 1000, 440)
                self.assert_heard(recording(), 440, 1000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
