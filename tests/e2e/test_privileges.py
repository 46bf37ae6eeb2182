"""What vas may do: as root it becomes another and gives up what it can; without
root it needs nothing; with the documented capabilities the kernel relays for an
ordinary user. Its threads are filtered, its files closed, its program hardened."""
import json
import os
import pathlib
import signal
import stat
import subprocess
import unittest

from harness import BIN, SLOW, E2eTest, Vas, server_folder, wait_until
from test_relay import RelayTest, Talk

NET_ADMIN = 1 << 12
SANITIZED = SLOW > 1
OWN_UID = 61060


def threads_of(process):
    """What the kernel says of each. ThreadSanitizer has one of its own, which no thread of the program can take
    capabilities from: its name is the program's, which otherwise the first thread alone has."""
    all_threads = []
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        fields = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if not (SANITIZED and fields["Name"] == "vas" and fields["Pid"] != str(process)):
            all_threads.append(fields)
    return all_threads


def capabilities(thread, which="CapEff"):
    return int(thread[which], 16)


@unittest.skipUnless(os.geteuid() == 0, "only root has something to give up")
class StartedByRoot(E2eTest):
    def test_it_becomes_another_user_and_keeps_one_capability_at_most(self):
        threads = threads_of(self.vas.process.pid)
        self.assertGreater(len(threads), 6)
        for thread in threads:
            with self.subTest(thread=thread["Name"]):
                self.assertEqual({int(each) for each in thread["Uid"].split()}, {OWN_UID})
                self.assertEqual({int(each) for each in thread["Gid"].split()}, {OWN_UID})
                self.assertEqual(thread["Groups"], "")
                self.assertEqual(thread["NoNewPrivs"], "1")
                self.assertEqual(thread["Seccomp"], "2")
                self.assertEqual(capabilities(thread) & ~NET_ADMIN, 0)
                self.assertEqual(capabilities(thread, "CapPrm"), capabilities(thread))
                self.assertEqual(capabilities(thread, "CapInh") | capabilities(thread, "CapAmb"), 0)

    def test_media_threads_have_no_capability(self):
        media = [each for each in threads_of(self.vas.process.pid) if each["Name"] == "vas-media"]
        self.assertTrue(media)
        self.assertEqual([capabilities(each) for each in media], [0] * len(media))

    def test_it_says_what_it_keeps(self):
        log = self.vas.log_text()
        self.assertRegex(log, rf"runs as .*uid {OWN_UID}")
        self.assertRegex(log, r"keeps of capabilities: .*CAP_NET_ADMIN.* to start, then (CAP_NET_ADMIN|none)\n")

    def test_it_leaves_no_core_of_its_keys(self):
        owner = os.stat(f"/proc/{self.vas.process.pid}/environ").st_uid
        self.assertEqual(owner, 0, "of a process that may be dumped it would be its own user's")

    def test_the_data_is_its_own_and_closed(self):
        data = self.folder / "data"
        self.assertEqual((data.stat().st_uid, stat.S_IMODE(data.stat().st_mode)), (OWN_UID, 0o700))
        for file in data.iterdir():
            with self.subTest(file=file.name):
                self.assertEqual((file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)), (OWN_UID, 0o600))


@unittest.skipUnless(os.geteuid() == 0, "only root may become another")
class UsersAsked(unittest.TestCase):
    def setUp(self):
        self.folder = server_folder()
        self.vas = Vas(self.folder)
        self.addCleanup(self.vas.stop)

    def refusal(self, *flags):
        self.vas.flags = list(flags)
        self.vas.launch()
        self.assertEqual(self.vas.process.wait(20 * SLOW), 1)
        text = self.vas.log_text()
        self.vas.process = None
        self.vas.log.close()
        return text

    def test_a_user_by_number(self):
        self.vas.flags = ["--user", "12345"]
        self.vas.start()
        self.assertEqual(threads_of(self.vas.process.pid)[0]["Uid"].split()[1], "12345")

    def test_root_and_users_that_are_not_there_are_refused(self):
        self.assertIn("must not be root", self.refusal("--user", "root"))
        self.assertIn("there is no user `nobody-here`", self.refusal("--user", "nobody-here"))

    def test_a_folder_that_it_cannot_reach_is_named_to_who_asked(self):
        self.folder.chmod(0o700)
        self.assertIn(f"cannot reach {self.folder}/data", self.refusal("--user", "12345"))

    def test_where_nobody_was_asked_for_it_stays_uid_0_without_being_root(self):
        self.folder.chmod(0o700)
        self.vas.start()
        for thread in threads_of(self.vas.process.pid):
            self.assertEqual(thread["Uid"].split()[1], "0")
            self.assertEqual(capabilities(thread) & ~NET_ADMIN, 0)
        self.assertIn("vas stays uid 0, without root's capabilities", self.vas.log_text())

    def test_a_folder_with_other_things_is_not_taken_over(self):
        (self.folder / "data").mkdir()
        (self.folder / "data/letters.txt").write_text("mine")
        self.assertIn("holds nothing of vas", self.refusal("--user", "12345"))
        self.assertEqual((self.folder / "data/letters.txt").stat().st_uid, 0)

    def test_links_in_its_folder_lead_nowhere(self):
        """Whoever was vas could have left them for root's next start."""
        (self.folder / "data").mkdir()
        (self.folder / "victim").write_text("root's")
        (self.folder / "data/records.jsonl").symlink_to(self.folder / "victim")
        os.link(self.folder / "victim", self.folder / "data/calls.journal")
        self.assertIn("cannot give", self.refusal("--user", "12345"))
        self.assertEqual((self.folder / "victim").stat().st_uid, 0)

    def test_without_the_kernels_relay_nothing_is_kept(self):
        self.vas.flags = ["--media-kernel", "off", "--media-send", "sockets"]
        self.vas.start()
        self.assertEqual({capabilities(each) for each in threads_of(self.vas.process.pid)}, {0})

    def test_a_low_port_is_bound_after_the_drop(self):
        self.vas.flags = ["--tls-listen", "127.0.0.1:443", *self.certificate()]
        self.vas.start()
        self.assertIn("SIP over TLS at 127.0.0.1:443", self.vas.log_text())
        self.assertNotEqual(threads_of(self.vas.process.pid)[0]["Uid"].split()[1], "0")

    def certificate(self):
        from tls_lab import Authority

        certificate, key = Authority(self.folder / "tls").issue("server", "IP:127.0.0.1")
        return "--tls-certificate", certificate, "--tls-key", key


class KernelRelayWithoutRoot(RelayTest):
    """The documented capabilities, and no other right of root's."""

    @classmethod
    def place_server(cls, vas):
        super().place_server(vas)
        cls.folder.chmod(0o711)
        os.chown(cls.folder, 65534, 65534)  # it makes its data folder itself
        kept = "+bpf,+perfmon,+net_admin,+net_raw"
        vas.wrapper = (
            *vas.wrapper,
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--pdeathsig",
            "KILL",
            "--inh-caps",
            kept,
            "--ambient-caps",
            kept,
            "--bounding-set",
            "-all," + kept,
        )

    def test_the_kernel_relays(self):
        near, near_to, far, far_to, _ = self.call()
        there, back = Talk(near, near_to, far, 400), Talk(far, far_to, near, 400)
        wait_until(lambda: self.kernel_legs() == 2, 10, "both directions in the kernel")
        for received in (there.end(), back.end()):
            self.assertEqual([packet[4] for packet in received], list(range(400)), "every payload once and in order")
        self.assertIn("plain calls in the kernel", self.vas.log_text())
        for thread in threads_of(self.vas.process.pid):
            self.assertEqual(thread["Uid"].split()[1], "65534")
            self.assertEqual(capabilities(thread) & ~NET_ADMIN, 0)
            self.assertEqual((thread["NoNewPrivs"], thread["Seccomp"]), ("1", "2"))


class WithoutAnyRight(E2eTest):
    """As nobody: everything works, in user space."""

    @classmethod
    def place_server(cls, vas):
        if os.geteuid() != 0:
            return
        cls.folder.chmod(0o711)
        os.chown(cls.folder, 65534, 65534)
        vas.wrapper = (
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--pdeathsig",
            "KILL",
            "--inh-caps",
            "-all",
            "--bounding-set",
            "-all",
        )

    def test_it_starts_and_says_what_is_missing(self):
        self.assertRegex(self.vas.log_text(), r"no kernel fast path: .*CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN")
        self.assertIn("keeps of capabilities: none to start, then none", self.vas.log_text())
        self.assertEqual(self.vas.request("GET", "/readyz")[0], 200)


class SecretsAtRest(E2eTest):
    """What lies on the disk says nothing without the key file."""

    profile = {"webhook-secret": "canary0webhook0secret"}

    @classmethod
    def edit_directory(cls, directory):
        directory["trunks"][0].update(username="vas", password="canary0trunk0password")

    def at_rest(self):
        return b"".join(file.read_bytes() for file in (self.folder / "data").iterdir())

    def start_again(self):
        self.vas.stop(signal.SIGKILL)
        self.vas.start()

    def test_tokens_and_secrets_are_sealed_and_come_back(self):
        waiting = self.vas.make_outgoing()["token"]
        far, calling = self.far_phone()
        near = self.scripted()
        near.invite(calling)
        far.receive()  # a call that is under way: its draft is in the journal
        for secret in (waiting, calling, "canary0webhook0secret", "canary0trunk0password"):
            self.assertNotIn(secret.encode(), self.at_rest())
        self.start_again()
        status, session = self.vas.session(waiting)
        self.assertEqual((status, session["token"]), (200, waiting))
        self.assertEqual(self.vas.record_of(calling)["termination_reason"], "node-failure")

    def test_secrets_are_taken_and_not_told(self):
        for path in ("/domains/3", "/tenants/1/domains/3", "/tenants/1/domains", "/domains/3/trunks"):
            answer = json.dumps(self.vas.request("GET", path))
            self.assertNotIn("canary0", answer)
        self.assertEqual(self.vas.request("PATCH", "/tenants/1/domains/3", {"profile": {"call-timeout": 21}})[0], 200)
        self.assertNotIn("webhook-secret", json.dumps(self.vas.request("GET", "/tenants/1/domains/3")))

    def test_a_lost_key_stops_the_start_and_costs_nothing(self):
        token = self.vas.make_outgoing()["token"]
        key = self.folder / "data/store.key"
        self.vas.stop()
        text = key.read_text()
        key.unlink()
        self.vas.launch()
        self.assertEqual(self.vas.process.wait(20 * SLOW), 1)
        self.assertIn("there is no key file", self.vas.log_text())
        self.assertFalse(key.exists())
        key.write_text(text)
        key.chmod(0o600)
        self.vas.stop()
        self.vas.start()
        self.assertEqual(self.vas.session(token)[0], 200)


class Hardening(unittest.TestCase):
    """The program as it was built."""

    @classmethod
    def setUpClass(cls):
        def read(*flags):
            return subprocess.run(
                ["readelf", "-W", *flags, BIN / "vas"], capture_output=True, text=True, check=True
            ).stdout

        cls.program = {
            "header": read("-h"),
            "segments": read("-l"),
            "dynamic": read("-d"),
            "notes": read("-n"),
            "symbols": read("--dyn-syms"),
        }

    def test_addresses_are_drawn_and_the_stack_is_no_code(self):
        self.assertRegex(self.program["header"], r"Type:\s+DYN")
        self.assertRegex(self.program["segments"], r"GNU_STACK.*\sRW\s")
        self.assertNotRegex(self.program["segments"], r"LOAD.*\sRWE\s")

    @unittest.skipIf(SANITIZED, "the sanitizers' builds are not for the network")
    def test_what_was_linked_is_read_only_before_main(self):
        self.assertIn("GNU_RELRO", self.program["segments"])
        self.assertRegex(self.program["dynamic"], r"BIND_NOW|FLAGS_1.*NOW")
        self.assertNotRegex(self.program["dynamic"], r"\((RPATH|RUNPATH|TEXTREL)\)")

    @unittest.skipIf(SANITIZED, "the sanitizers have checks of their own in their place")
    def test_stacks_and_buffers_are_checked(self):
        self.assertIn("__stack_chk_fail", self.program["symbols"])
        self.assertRegex(self.program["symbols"], r"__\w+_chk\b(?<!stack_chk)")

    @unittest.skipUnless(os.uname().machine == "x86_64", "of x86")
    def test_returns_are_checked_where_the_processor_can(self):
        self.assertIn("SHSTK", self.program["notes"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
