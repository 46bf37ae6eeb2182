"""What the programs that a test starts have in common."""
import ctypes
import pathlib
import signal
import tempfile


def die_with_parent():
    """Run in each child before its program: a test that is killed leaves no process behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def server_folder():
    """A new one, which a server that root started can pass when it has become another user."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vas-e2e-"))
    folder.chmod(0o711)
    return folder
