"""Real phones against the server: baresip with its codecs, SIPp with PRACK, re-INVITE, TCP and fifty calls at once."""
import re
import shutil
import subprocess
import threading
import time
import unittest

from harness import (
    BOB,
    LOOSE_TRUNK,
    TRUNK,
    Baresip,
    E2eTest,
    Poll,
    audible_seconds,
    die_with_parent,
    free_ports,
    rtp_packet,
    sipp,
    tone_share,
    wait_until,
    write_tone,
)


class RealPhones(E2eTest):
    def phone(self, name, address, tone, **options):
        phone = Baresip(self.folder, f"{self._testMethodName}-{name}", address, tone, **options)
        self.addCleanup(phone.stop)
        return phone

    def baresip_carrier(self, tone=440, codec="pcmu/8000/1"):
        carrier = self.phone("carrier", "127.0.0.1", tone, codec=codec, answers=True).start()
        plan = {"routes": [{"termination_ip": f"127.0.0.1:{carrier.port}", "termination_number": carrier.name}]}
        return carrier, self.vas.make_outgoing(routing=plan)["token"]

    def dial_with_token(self, phone, token):
        return phone.start(
            f"sip:any@{self.vas.sip}", [("X-Cloudonix-Session", token), ("X-Cloudonix-Domain", "e2e.example")]
        )

    def outgoing_with(self, codec):
        carrier, token = self.baresip_carrier(codec=codec)
        alice = self.phone("alice", "127.0.0.1", 1000, codec=codec)
        self.dial_with_token(alice, token)
        wait_until(lambda: self.vas.session(token)[1].get("status") == "connected", 10, "the connection")
        time.sleep(3)
        alice.stop()
        record = self.vas.record_of(token)
        carrier.stop()
        self.assert_heard(alice.heard(), 440, 1000)
        self.assert_heard(carrier.heard(), 1000, 440)
        self.assertIn("baresip", record["legs"][0]["user_agent"])
        return record

    def test_outgoing_call_between_baresips(self):
        self.assertEqual(self.outgoing_with("pcmu/8000/1")["codec"], "PCMU")

    def test_pcma_is_relayed(self):
        self.assertEqual(self.outgoing_with("pcma/8000/1")["codec"], "PCMA")

    def test_g722_is_relayed(self):
        self.assertEqual(self.outgoing_with("g722/16000/1")["codec"], "G722")

    def test_opus_is_relayed(self):
        record = self.outgoing_with("opus/48000/1")
        self.assertEqual((record["codec"], record["legs"][0]["ptime"]), ("opus", 20))

    def test_incoming_call_parked_notified_polled_and_picked_up(self):
        trunk = self.phone("trunk", LOOSE_TRUNK, 440)
        trunk.start(f"sip:{BOB}@{self.vas.sip}")
        token = self.notification()["session"]
        poll = Poll(self.vas, token)
        bob = self.phone("bob", "127.0.0.1", 1000)
        wait_until(lambda: self.vas.session(token)[1]["status"] == "ringing", 5, "the ringing")
        self.dial_with_token(bob, token)
        self.assertEqual(poll.wait(), (200, {"status": "connected"}))
        time.sleep(3)
        bob.stop()
        self.assertEqual(self.vas.record_of(token)["disposition"], "ANSWERED")
        trunk.stop()
        self.assert_heard(bob.heard(), 440, 1000)
        self.assert_heard(trunk.heard(), 1000, 440)

    def test_hold_and_resume_with_audio_after_it(self):
        carrier = self.carrier("--tone", 440, "--seconds", 0)
        token = self.vas.make_outgoing()["token"]
        alice = self.phone("alice", "127.0.0.1", 1000)
        self.dial_with_token(alice, token)
        wait_until(lambda: self.vas.session(token)[1].get("status") == "connected", 10, "the connection")
        time.sleep(2)
        alice.command("hold")
        time.sleep(2)
        alice.command("resume")
        time.sleep(2.5)
        alice.stop()
        carrier.result()
        heard = audible_seconds(carrier.wav)
        self.assertGreater(tone_share(carrier.wav, 1000), 0.95)
        self.assertGreater(heard, 3.8, "no audio after the resume")
        self.assertEqual(self.vas.record_of(token)["disposition"], "ANSWERED")

    def test_dtmf_of_a_real_phone_crosses(self):
        carrier = self.carrier("--seconds", 0)
        token = self.vas.make_outgoing()["token"]
        alice = self.phone("alice", "127.0.0.1", 1000)
        self.dial_with_token(alice, token)
        wait_until(lambda: self.vas.session(token)[1].get("status") == "connected", 10, "the connection")
        time.sleep(1)
        for digit in "57":
            alice.command("sndcode", digit)
            time.sleep(0.4)
            alice.command("sndcode", "\x04")
            time.sleep(0.3)
        alice.stop()
        self.assertEqual(carrier.result()["dtmf"], "57")


class Sipp(E2eTest):
    def setUp(self):
        super().setUp()
        self.tone()

    def tone(self):
        """The headerless mu-law file that the scenarios play; SIPp reads it from its working folder's neighbour."""
        folder = self.folder / "scenarios"
        if not folder.exists():
            shutil.copytree(__file__.rsplit("/", 1)[0] + "/scenarios", folder)
            write_tone(self.folder / "tone.wav", 1000, 8000, 10)
            subprocess.run(["sox", self.folder / "tone.wav", "-t", "ul", folder / "tone1000.ul"], check=True)
            for scenario in folder.glob("*.xml"):
                scenario.write_text(scenario.read_text().replace("tone1000.ul", str(folder / "tone1000.ul")))
        return folder

    def carrier_sipp(self, scenario, count=1, *flags):
        media = free_ports(max(4, 2 * count + 2))
        process = subprocess.Popen(
            [
                "sipp",
                "-sf",
                self.tone() / scenario,
                "-i",
                TRUNK,
                "-p",
                str(self.vas.trunk_port),
                "-mi",
                TRUNK,
                "-mp",
                str(media),
                "-m",
                str(count),
                "-nostdin",
                "-timeout",
                "60s",
                *flags,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=die_with_parent,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        time.sleep(0.4)
        return process

    def dial(self, scenario, tokens, *flags):
        (self.folder / "tokens.csv").write_text("SEQUENTIAL\n" + "".join(f"{token}\n" for token in tokens))
        return sipp(
            self.tone() / scenario,
            self.vas.sip,
            f"127.0.0.1:{free_ports()}",
            "-mi",
            "127.0.0.1",
            "-mp",
            free_ports(4 * len(tokens) + 4),
            "-inf",
            self.folder / "tokens.csv",
            "-m",
            len(tokens),
            *flags,
        )

    def test_hold_and_resume_pass_end_to_end_and_are_answered_in_kind(self):
        carrier, token = self.far_phone()
        seen = []

        def answer_everything():
            while True:
                try:
                    request = carrier.receive(8)
                except OSError:
                    return
                if request.method == "INVITE":
                    offered = re.search(r"a=(sendrecv|sendonly|recvonly|inactive)", request.body)
                    seen.append(offered.group(1) if offered else "sendrecv")
                    answer = {"sendonly": "recvonly", "sendrecv": "sendrecv"}[seen[-1]]
                    carrier.answer(request, 200, "OK", carrier.sdp(answer, "0"))
                elif request.method == "BYE":
                    carrier.answer(request, 200, "OK")
                    return

        thread = threading.Thread(target=answer_everything, daemon=True)
        thread.start()
        self.dial("uac_reinvite.xml", [token])
        thread.join(10)
        self.assertEqual(seen, ["sendrecv", "sendonly", "sendrecv"])
        self.assertEqual(self.vas.record_of(token)["termination_reason"], "normal")

    def test_a_subscriber_over_tcp(self):
        carrier = self.carrier_sipp("uas_echo.xml", 1, "-rtp_echo")
        token = self.vas.make_outgoing()["token"]
        self.dial("uac_token.xml", [token], "-d", 1000, "-t", "t1")
        self.assertEqual(carrier.wait(20), 0)
        record = self.vas.record_of(token)
        self.assertEqual((record["legs"][0]["transport"], record["legs"][1]["transport"]), ("tcp", "udp"))

    def test_fifty_calls_at_once_with_no_one_way_audio(self):
        tokens = [self.vas.make_outgoing()["token"] for _ in range(50)]
        carrier = self.carrier_sipp("uas_echo.xml", 50, "-rtp_echo")
        self.dial("uac_token.xml", tokens, "-d", 6000, "-r", 25, "-l", 50)
        self.assertEqual(carrier.wait(30), 0)
        wait_until(lambda: len(self.vas.records()) >= 50, 10, "fifty records")
        records = [self.vas.record_of(token) for token in tokens]
        overlap = min(record["end"] for record in records) > max(record["answer"] for record in records)
        self.assertTrue(overlap, "the calls were not all up at once")
        for record in records:
            for leg in record["legs"]:
                self.assertGreater(leg["received"]["packets"], 150, record["id"])
                self.assertGreater(leg["sent"]["packets"], 150, record["id"])


class Figures(E2eTest):
    """Jitter and loss of the record against tshark on a capture of the same stream."""

    def test_jitter_and_loss_agree_with_tshark(self):
        (far, token), near = self.far_phone(), self.scripted()
        capture = self.folder / "figures.pcap"
        near_port = near.rtp.getsockname()[1]
        dump = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-U", "-w", str(capture), f"udp src port {near_port}"],
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(dump.stderr.close)
        self.addCleanup(dump.kill)
        dump.stderr.readline()
        time.sleep(0.5)
        near.invite(token)
        far.answer(far.receive(), 200, "OK", far.sdp(payloads="0"))
        answer = near.final()
        near.ack(answer)
        self.assertEqual(far.receive().method, "ACK")
        target = answer.media()
        lost, swapped = {40, 41, 99, 180, 233}, {60: 61, 61: 60, 150: 151, 151: 150}
        first = 65400  # wraps on the way
        begun = time.monotonic()
        for i in range(300):
            number = swapped.get(i, i)
            late = 0.007 if i % 7 == 3 else 0.0
            time.sleep(max(0, begun + i * 0.02 + late - time.monotonic()))
            if i not in lost:
                near.rtp.sendto(rtp_packet(first + number, 4000 + 160 * number), target)
        near.bye()
        time.sleep(0.5)
        dump.terminate()
        dump.wait()
        table = subprocess.run(
            ["tshark", "-q", "-r", str(capture), "-d", f"udp.port=={near_port},rtp", "-z", "rtp,streams"],
            capture_output=True,
            text=True,
        ).stdout
        row = next(line for line in table.splitlines() if "0x00001234" in line)
        theirs_lost = int(re.search(r"(-?\d+) \(", row).group(1))
        numbers = row.split("%)")[1].split()
        theirs_jitter = float(numbers[4])  # min, mean, max delta, then min, mean, max jitter
        leg = self.vas.record_of(token)["legs"][0]["received"]
        self.assertEqual(leg["lost"], theirs_lost, table)
        self.assertEqual((leg["lost"], leg["packets"], leg["duplicates"], leg["out_of_order"]), (5, 295, 0, 2))
        self.assertAlmostEqual(leg["jitter_ms"], theirs_jitter, delta=max(0.5, 0.1 * theirs_jitter), msg=table)
        self.assertGreater(leg["jitter_ms"], 0.5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
