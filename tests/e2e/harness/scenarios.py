"""SIPp, by scenarios made of steps."""
import subprocess

from .processes import die_with_parent
from .settings import HERE, SLOW


def sipp(scenario, remote, local, *flags, expect=0, seconds=60):
    """Runs SIPp to its end."""
    port = local.split(":")[1]
    command = [
        "sipp",
        remote,
        "-sf",
        str(HERE / "scenarios" / scenario),
        "-i",
        local.split(":")[0],
        "-p",
        port,
        "-nostdin",
        "-timeout",
        f"{int(seconds * SLOW)}s",
        *map(str, flags),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds * SLOW + 10, preexec_fn=die_with_parent
    )
    assert (
        done.returncode == expect
    ), f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    return done
