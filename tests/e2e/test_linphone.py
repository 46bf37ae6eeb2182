"""linphone on another host, which a trunk trusts: its keys in SDP
with suites of 256 bits offered, and DTLS without rtcp-mux."""
import os
import subprocess
import time
import unittest

from harness import BOB, DOMAIN, Caller, E2eTest, die_with_parent, dialling, free_ports, wait_until, write_tone
from hosts import Hosts

CODECS = (
    "PCMU/8000/1",
    "PCMA/8000/1",
    "opus/48000/2",
    "G722/8000/1",
    "speex/8000/1",
    "speex/16000/1",
    "speex/32000/1",
    "GSM/8000/1",
    "G729/8000/1",
    "L16/44100/1",
    "BV16/8000/1",
    "iLBC/8000/1",
)


class Linphone:
    """linphonec without a screen: plays a tone, records what it hears. `authority`: over TLS, whose server's
    certificate that signed; `stun`: by ICE, with this server, without which it gathers nothing."""

    def __init__(self, folder, hosts, host, address, encryption, authority=None, stun=None, seconds=60):
        self.folder, self.address = folder, address
        (folder / ".local/share/linphone").mkdir(parents=True)
        write_tone(folder / "tone.wav", 1000, 8000, seconds)
        self.recording = folder / "heard.wav"
        port, media = free_ports(), free_ports()
        codecs = "".join(
            f"[audio_codec_{at}]\nmime={mime}\nrate={rate}\nchannels={channels}\nenabled={int(at == 0)}\n"
            for at, (mime, rate, channels) in enumerate(each.split("/") for each in CODECS)
        )
        (folder / "rc").write_text(
            f"[sip]\nsip_port={0 if authority else port}\nsip_tcp_port=0\nsip_tls_port={port if authority else 0}\n"
            f"root_ca={authority or ''}\nverify_server_cn=0\ncontact=\"linphone\" <sip:linphone@{address}:{port}>\ndefault_proxy=-1\n"
            f"media_encryption={encryption}\nmedia_encryption_mandatory={int(encryption != 'none')}\n"
            "use_ipv6=0\nipv6_migration_done=1\nping_with_options=0\nguess_hostname=0\n"
            f"[rtp]\naudio_rtp_port={media}\nrtcp_mux={int(bool(stun))}\n"
            f"[net]\nmtu=1300\nfirewall_policy={3 if stun else 0}\nstun_server={stun or ''}\n[sound]\nechocancellation=0\n"
            f"[video]\nenabled=0\ncapture=0\ndisplay=0\nautomatically_initiate=0\nautomatically_accept=0\n{codecs}"
        )
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen(
            [*hosts.wrapper(host), "linphonec", "-c", folder / "rc", "-d", "1", "-l", folder / "debug"],
            stdin=subprocess.PIPE,
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, "HOME": str(folder)},
            preexec_fn=die_with_parent,
        )
        for command in ("soundcard use files", f"play {folder}/tone.wav", f"record {self.recording}"):
            self.say(command)

    def say(self, command):
        time.sleep(0.4)
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def stop(self):
        if self.process.poll() is None:
            self.say("terminate")
            self.say("quit")
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdin.close()
        self.log.close()


class LinphoneCalls(E2eTest):
    """This process, with the backend and who picks up, is on host "a"; linphone is on host "b"."""

    backend_address = "10.78.1.1"

    @classmethod
    def setUpClass(cls):
        cls.hosts = Hosts(("a", "b"))
        cls.addClassCleanup(cls.hosts.close)
        super().setUpClass()

    @classmethod
    def place_server(cls, vas):
        vas.address, vas.wrapper = "10.78.1.2", cls.hosts.wrapper()
        vas.flags += [
            "--media-bind",
            "10.78.1.2",
            "--srtp-keys-over-plain-sip",
            "true",
            "--webhook-allow",
            "10.78.0.0/16",
        ]
        vas.directory["trunks"].append(
            {"id": 9, "domainId": 3, "name": "linphone", "sources": ["10.78.2.1"], "mediaEncryption": "required"}
        )

    def talk(self, encryption):
        linphone = Linphone(self.folder / encryption, self.hosts, "b", "10.78.2.1", encryption)
        self.addCleanup(linphone.stop)
        linphone.say(f"call sip:{BOB}@{self.vas.sip}")
        wait_until(lambda: self.backend.notifications, 10, "the notification")
        token = self.backend.notifications[0][0]["session"]
        wait_until(lambda: self.vas.session(token)[1]["status"] == "ringing", 5, "the parking")
        bob = Caller(
            self.folder,
            f"bob-{encryption}",
            *dialling(self.vas, token, "--listen", "10.78.1.1:0", "--tone", 440, "--seconds", 7),
        )
        self.addCleanup(bob.kill)
        self.assertEqual(bob.result()["outcome"], "answered")
        linphone.stop()
        self.assert_heard(bob.wav, 1000, 440)
        self.assert_heard(linphone.recording, 440, 1000)
        return self.vas.record_of(token)["legs"]

    def test_a_token_is_dialled_with_nothing_added(self):
        """The URI has the headers of the INVITE (RFC 3261 §19.1.1); the same for pjsua."""
        carrier = Caller(self.folder, "carrier", "--listen", "10.78.1.1:0", "--tone", 440, "--seconds", 0)
        self.addCleanup(carrier.kill)
        token = self.vas.make_outgoing(
            routing={"routes": [{"termination_ip": carrier.sip, "termination_number": "999"}]}
        )["token"]
        linphone = Linphone(self.folder / "token", self.hosts, "a", "10.78.1.1", "none")
        self.addCleanup(linphone.stop)
        linphone.say(f"call sip:x@{self.vas.sip}?X-Cloudonix-Session={token}&X-Cloudonix-Domain={DOMAIN}")
        wait_until(lambda: self.vas.session(token)[1].get("status") == "connected", 15, "the connection")
        time.sleep(4)
        linphone.stop()
        self.assertEqual(carrier.result()["ended_by"], "them")
        self.assert_heard(carrier.wav, 1000, 440)
        self.assert_heard(linphone.recording, 440, 1000)
        self.assertIn("Linphone", self.vas.record_of(token)["legs"][0]["user_agent"])

    def test_keys_in_sdp(self):
        legs = self.talk("srtp")
        self.assertEqual([leg["srtp"] for leg in legs], ["AES_CM_128_HMAC_SHA1_80", None])

    def test_dtls_without_rtcp_mux(self):
        legs = self.talk("dtls")
        self.assertEqual([leg["srtp"] for leg in legs], ["AES_CM_128_HMAC_SHA1_80", None])
        self.assertIsNotNone(legs[0]["sent"]["lost"])  # its RTCP, under keys of its own


if __name__ == "__main__":
    unittest.main(verbosity=2)
