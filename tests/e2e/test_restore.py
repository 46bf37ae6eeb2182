"""A dialog outlives its process: written down by one, gone on with by the next."""
import json
import subprocess
import tempfile
import threading
import unittest

from harness import BIN, Phone, die_with_parent, free_ports, sipp


class Restore(unittest.TestCase):
    def host(self, mode, port, file, *more):
        process = subprocess.Popen(
            [BIN / "dialog_host", mode, str(port), file, *more],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_sipp_accepts_the_re_invite_and_the_bye_of_the_fresh_process(self):
        port, file = free_ports(), tempfile.mktemp(suffix=".json")
        first = self.host("serve", port, file)
        failures = []

        def run():
            try:
                sipp(
                    "uac_outlives_its_server.xml", f"127.0.0.1:{port}", f"127.0.0.1:{free_ports()}", "-m", 1, seconds=20
                )
            except AssertionError as failure:
                failures.append(failure)

        thread = threading.Thread(target=run)
        thread.start()
        self.assertEqual(first.wait(15), 0)
        second = self.host("restore", port, file)
        thread.join(40)
        self.assertEqual(failures, [])
        self.assertEqual(second.wait(15), 0)
        self.assertIn("re-INVITE", second.stdout.read())

    def test_the_fresh_process_acks_a_2xx_whose_transaction_is_gone(self):
        port, file = free_ports(), tempfile.mktemp(suffix=".json")
        far = Phone("127.0.0.1", f"127.0.0.1:{port}")
        self.addCleanup(far.close)
        first = self.host("dial", port, file, f"sip:far@127.0.0.1:{far.port}")
        invite = far.receive()
        far.answer(invite, 200, "OK", far.sdp())
        self.assertEqual(far.receive().method, "ACK")
        self.assertEqual(first.wait(15), 0)
        sequence = invite.header("CSeq").split()[0]
        self.assertEqual(json.load(open(file))["invite_sequence"], int(sequence))
        second = self.host("restore", port, file)
        ack = far.receive()
        self.assertEqual((ack.method, ack.header("CSeq")), ("ACK", f"{sequence} ACK"))
        bye = far.receive(8)
        self.assertEqual(bye.method, "BYE")
        self.assertGreater(int(bye.header("CSeq").split()[0]), int(sequence))
        far.answer(bye, 200, "OK")
        self.assertEqual(second.wait(15), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
