"""Instructions a relayed packet in user space, from datagram
to outbox, counted by callgrind: a bound against slow decay.

Instructions are the same on every machine with the same compiler;
time is not. What the kernel does for a packet is not in them.
"""
import re
import subprocess
import sys

BOUND = int(sys.argv[2])
FEW, MANY = 2000, 12000


def instructions(packets):
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.argv[1], str(packets)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


each = (instructions(MANY) - instructions(FEW)) / (MANY - FEW)
print(f"{each:.0f} instructions a relayed packet; the bound is {BOUND}")
sys.exit(each > BOUND)
