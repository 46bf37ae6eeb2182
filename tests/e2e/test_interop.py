"""Two rows of tests/interop/run, whose phones nominate once and then
send nothing but media: longer than consent lasts (RFC 7675)."""
import subprocess
import unittest

from harness import HERE
from hosts import is_possible


@unittest.skipUnless(is_possible(), "network namespaces need root")
class LongCalls(unittest.TestCase):
    def test_ice_by_baresip_and_dtls_by_linphone_are_heard_both_ways_to_the_end(self):
        done = subprocess.run(
            [HERE.parent / "interop/run", "--seconds", "45", "--exact", "baresip/ice-lite/hold", "linphone/dtls/hold"],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-2000:])
        self.assertIn("2 of 2 right", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
