"""Where things are, how slow they may be, and the names of the tests' own directory."""
import os
import pathlib

HERE = pathlib.Path(__file__).resolve().parents[1]  # tests/e2e
BIN = pathlib.Path(os.environ.get("VAS_BIN", HERE.parents[1] / "build/release/bin"))
SLOW = float(os.environ.get("VAS_SLOW", "1"))  # sanitizers make everything slower
KEY = "XIe2eSystemKey"
DOMAIN = "e2e.example"
TRUNK = "127.0.0.9"  # a trusted source
# Another one, whose media may come from elsewhere: baresip sends RTP from 127.0.0.1 whatever address its SIP has.
LOOSE_TRUNK = "127.0.0.10"
# Loopback, and the hosts of hosts.py. What is behind a NAT there is not.
PEER_ALLOW = ("127.0.0.0/8", "::1", "10.78.0.0/16", "fd00:78::/32")
ALICE, BOB, IDLE = "15550001", "15550002", "15550003"
