"""The wall clock is set forward and back by an hour while calls ring, wait for their ACK, are parked and are up."""
import struct
import subprocess
import time
import unittest

from harness import BOB, HERE, SLOW, TRUNK, E2eTest


class ClockSteps(E2eTest):
    flags = ("--sip-offences", "0", "--session-expires", "90")

    @classmethod
    def place_server(cls, vas):
        library, cls.step_file = cls.folder / "clock_step.so", cls.folder / "step"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "clock_step.c"], check=True)
        cls.step_file.write_bytes(struct.pack("q", 0))
        vas.wrapper = ("env", f"LD_PRELOAD={library}", f"CLOCK_STEP_FILE={cls.step_file}")

    def step_to(self, seconds):
        with open(self.step_file, "r+b") as file:
            file.write(struct.pack("q", seconds))

    def wall_of_the_server(self):
        """As its log says."""
        token = self.vas.make_outgoing()["token"]
        return self.vas.session(token)[1]["createdAt"] / 1000

    def test_no_step_changes_a_call(self):
        for step in (3600, -3600):
            with self.subTest(step=step):
                self.addCleanup(self.step_to, 0)
                self.step_to(0)
                self.backend.notifications.clear()
                up_far, up_token = self.far_phone()
                up = self.scripted()
                up.invite(up_token)
                up_far.answer(up_far.receive(), 200, "OK", up_far.sdp())
                up.ack(up.final())
                self.assertEqual(up_far.receive().method, "ACK")

                trunk = self.scripted(TRUNK)
                trunk.invite(user=BOB)
                parked = self.notification()["session"]

                unacked_far, unacked_token = self.far_phone()
                unacked = self.scripted()
                unacked.invite(unacked_token)
                unacked_far.answer(unacked_far.receive(), 200, "OK", unacked_far.sdp())
                self.assertEqual(unacked.final().status, 200)
                waiting = self.vas.make_outgoing()["token"]
                begun = time.monotonic()

                self.step_to(step)
                self.assertAlmostEqual(self.wall_of_the_server(), time.time() + step, delta=20)
                repeats = 0
                while time.monotonic() - begun < 4:
                    try:
                        repeats += unacked.receive(0.5).status == 200
                    except TimeoutError:
                        pass
                self.assertGreaterEqual(repeats, 2, "the 200 that waits for its ACK is repeated no more")
                self.assertEqual(self.vas.session(up_token)[1]["status"], "connected")
                self.assertEqual(self.vas.session(waiting)[0], 200, "a token that was not dialled yet")
                up.send("INFO", headers=["Content-Type: application/dtmf-relay"])
                info = up_far.receive()
                self.assertEqual(info.method, "INFO")
                up_far.answer(info, 200, "OK")
                self.assertEqual(up.final().status, 200)

                picker = self.scripted()
                picker.invite(parked)
                answer = picker.final()
                self.assertEqual(answer.status, 200)
                picker.ack(answer)
                up.send("BYE")
                self.assertEqual(up.final().status, 200)
                lasted = time.monotonic() - begun
                record = self.vas.record_of(up_token)
                self.assertEqual(record["disposition"], "ANSWERED")
                self.assertAlmostEqual(record["duration"], lasted, delta=1.5 * SLOW)
                picker.send("BYE")
                self.assertEqual(picker.final().status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
