"""baresip, a real phone."""
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time

from .addresses import in_uri
from .audio import write_tone
from .ports import free_ports
from .processes import die_with_parent
from .settings import HERE
from .waiting import wait_until


class Baresip:
    """baresip without a screen: plays a tone, records both ways."""

    modules = None

    def __init__(
        self,
        folder,
        name,
        address,
        tone,
        codec="pcmu/8000/1",
        answers=False,
        transport=None,
        authority=None,
        encryption=None,
        nat=None,
    ):
        self.folder = pathlib.Path(folder) / name
        self.name, self.address, self.port, self.control = name, address, free_ports(4), free_ports()
        rate = int(codec.split("/")[1])
        (self.folder / "rec").mkdir(parents=True)
        write_tone(self.folder / "tone.wav", tone, rate, 60)
        media = free_ports(10)
        modules = [
            "g711",
            "g722",
            "opus",
            "aufile",
            "aubridge",
            "sndfile",
            *([encryption if encryption == "dtls_srtp" else "srtp"] if encryption else []),
            *([nat] if nat else []),
        ]
        (self.folder / "config").write_text(
            "\n".join(
                [
                    "poll_method epoll",
                    f"sip_listen {in_uri(address)}:{self.port}",
                    "call_local_timeout 60",
                    "call_max_calls 4",
                    "audio_path /nonexistent",
                    "audio_player aubridge,nil",
                    f"audio_source aufile,{self.folder}/tone.wav",
                    "audio_alert aubridge,alert",
                    "audio_txmode thread",
                    "audio_level no",
                    "ausrc_format s16",
                    "auplay_format s16",
                    "auenc_format s16",
                    "audec_format s16",
                    f"rtp_ports {media}-{media + 9}",
                    f"rtcp_mux {'yes' if nat == 'ice' else 'no'}",
                    "jitter_buffer_delay 5-10",
                    "rtp_stats yes",
                    "rtp_timeout 60",
                    f"net_interface {address}",
                    f"module_path {self.module_path()}",
                    *([f"sip_cafile {authority}"] if authority else []),
                    *[f"module {module}.so" for module in modules],
                    "module_tmp uuid.so",
                    "module_tmp account.so",
                    "module_app menu.so",
                    "module_app ctrl_tcp.so",
                    "module_app debug_cmd.so",
                    "module_app xhdr.so",
                    f"ctrl_tcp_listen 127.0.0.1:{self.control}",
                    f"snd_path {self.folder}/rec",
                    "opus_stereo no",
                    "opus_sprop_stereo no",
                    "menu_bell no",
                    "ringback_disabled yes",
                    "statmode_default off",
                ]
            )
            + "\n"
        )
        mode = "auto" if answers else "manual"
        (self.folder / "accounts").write_text(
            f"<sip:{name}@{in_uri(address)}:{self.port}{f';transport={transport}' if transport else ''}>"
            f";regint=0;answermode={mode};audio_codecs={codec}"
            f"{f';mediaenc={encryption}' if encryption else ''}{f';medianat={nat}' if nat else ''}\n"
        )
        (self.folder / "contacts").write_text("")
        self.process = None

    @classmethod
    def module_path(cls):
        if cls.modules is None:
            cls.modules = tempfile.mkdtemp(prefix="vas-baresip-")
            for module in pathlib.Path("/usr/lib/baresip/modules").glob("*.so"):
                os.symlink(module, pathlib.Path(cls.modules) / module.name)
            subprocess.run(
                [
                    "gcc",
                    "-DHAVE_STDBOOL_H",
                    "-DHAVE_INET6",
                    "-shared",
                    "-fPIC",
                    "-O1",
                    "-I/usr/include/re",
                    "-o",
                    f"{cls.modules}/xhdr.so",
                    HERE / "baresip/xhdr.c",
                ],
                check=True,
            )
        return cls.modules

    def start(self, dial=None, headers=(), seconds=60):
        commands = [f"/xhdr {name}={value}" for name, value in headers] + ([f"/dial {dial}"] if dial else [])
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            [
                "baresip",
                "-f",
                self.folder,
                "-s",
                "-t",
                str(seconds),
                *[part for command in commands for part in ("-e", command)],
            ],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=die_with_parent,
        )
        if not dial:
            wait_until(lambda: b"baresip is ready" in (self.folder / "log").read_bytes(), 10, "baresip's start")
        return self

    def command(self, name, params=""):
        message = json.dumps({"command": name, "params": params, "token": "1"})
        with socket.create_connection(("127.0.0.1", self.control), timeout=5) as control:
            control.sendall(f"{len(message)}:{message},".encode())
            time.sleep(0.2)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.log.close()

    def log_text(self):
        return (self.folder / "log").read_text(errors="replace")

    def heard(self):
        """The recording of what came in."""
        return max((self.folder / "rec").glob("*-dec.wav"), key=lambda path: path.stat().st_size)
