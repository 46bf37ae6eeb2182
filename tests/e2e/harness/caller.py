"""vas-caller, the simulated caller."""
import json
import pathlib
import subprocess

from .processes import die_with_parent
from .settings import BIN, DOMAIN, SLOW


class Caller:
    """vas-caller in the background; result() is its JSON."""

    def __init__(self, folder, name, *flags, wrapper=()):
        self.wav = pathlib.Path(folder) / f"{name}.wav"
        self.process = subprocess.Popen(
            [*wrapper, BIN / "vas-caller", "--record", self.wav, "--announce", *map(str, flags)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
        )
        line = self.process.stderr.readline()  # waits until it listens
        assert line.startswith("listening "), line
        self.sip = line.split()[1]

    def result(self, seconds=60):
        out, err = self.process.communicate(timeout=seconds * SLOW)
        assert out, f"vas-caller said nothing: {err}"
        return json.loads(out)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def dialling(vas, token, *flags):
    return ("--dial", f"sip:any@{vas.sip}", "--token", token, "--domain", DOMAIN, *flags)
