"""Certificates of the tests' own authority, made with the openssl program."""
import pathlib
import subprocess


def run(*command):
    subprocess.run([str(each) for each in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        run(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            2,
            "-subj",
            "/CN=tests",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-keyout",
            self.key,
            "-out",
            self.certificate,
        )

    def issue(self, name, *subjects):
        """(certificate, key) for subjects such as DNS:sip.example
        or IP:127.0.0.1; written in one go, as a renewal is."""
        certificate, key, request = (self.folder / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text("subjectAltName=" + ",".join(subjects) + "\n")
        run(
            "openssl",
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            f"/CN={name}",
            "-keyout",
            key,
            "-out",
            request,
        )
        run(
            "openssl",
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            self.certificate,
            "-CAkey",
            self.key,
            "-CAcreateserial",
            "-days",
            2,
            "-extfile",
            extensions,
            "-out",
            certificate,
        )
        key.chmod(0o644)  # for the user that a server becomes which root started
        return certificate, key
