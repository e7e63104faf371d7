"""The real chain, build (buildah) → save → scp → skopeo-copy, onto a node that is this machine by way of an own sshd."""

import hashlib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lib.workspace import ended

TOOLS = ["buildah", "skopeo", "sshd", "ssh", "scp", "ssh-keygen", "busybox", "mount", "unshare"]
# Debian keeps daemons in sbin, which a user's PATH lacks.
os.environ["PATH"] += ":/usr/sbin:/sbin"
REFERENCE = "docker.io/library/soak:1"
# The longest that a run may take on a busy machine; one that takes longer hangs.
HANGS = 300


def missing():
    """Why the chain cannot run here; nothing when it can."""
    if os.geteuid() != 0:
        return "needs root: it mounts, and lets root in over ssh"
    absent = [tool for tool in TOOLS if not shutil.which(tool)]
    return f"needs {', '.join(absent)} (tests/lab/lab install)" if absent else ""


def apart():
    """Goes on in a mount namespace with a /var/tmp of its own: what is found there is of these runs, and mounts end with it."""
    if os.environ.get("SOAK_APART") != str(os.getpid()):
        os.environ["SOAK_APART"] = str(os.getpid())
        os.execvp("unshare", ["unshare", "--mount", "--", sys.executable, *sys.argv])
    quiet("mount", "-t", "tmpfs", "tmpfs", "/var/tmp")


def quiet(*command, **more):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, **more)


class Node:
    """An sshd on loopback, with keys and folders of its own."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "files").mkdir(parents=True)
        for key in ("hostkey", "id"):
            quiet("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key)
        Path("/run/sshd").mkdir(exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/hostkey\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/id.pub\nAuthenticationMethods publickey\nUsePAM no\nStrictModes no\n"
            f"PermitRootLogin prohibit-password\nUseDNS no\nMaxStartups 200\nSubsystem sftp internal-sftp\n"
        )
        kind, key = (folder / "hostkey.pub").read_text().split()[:2]
        (folder / "known_hosts").write_text(f"soak {kind} {key}\n")
        (folder / "ssh_config").write_text(
            f"Host soak\n  HostName 127.0.0.1\n  Port {self.port}\n  User root\n  HostKeyAlias soak\n  IdentityFile {folder}/id\n"
            f"  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n  GlobalKnownHostsFile /dev/null\n"
            "  StrictHostKeyChecking yes\n  BatchMode yes\n"
        )
        command = [shutil.which("sshd"), "-D", "-e", "-f", str(folder / "sshd_config")]
        log = (folder / "sshd.log").open("w")
        self.sshd = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"sshd does not listen: {(folder / 'sshd.log').read_text()}")

    def toml(self):
        at = self.folder
        return (
            f'[nodes.soak]\nhost = "soak"\nssh-config = "{at}/ssh_config"\ndir = "{at}/files"\n'
            f'storage = {{ driver = "overlay", root = "{at}/root", runroot = "{at}/run" }}\n'
        )

    def image_id(self):
        """The image's id, as the node's own storage has it: every layer of it read and compared."""
        out = self.folder / "out"
        source = f"containers-storage:[overlay@{self.folder}/root+{self.folder}/run]{REFERENCE}"
        said = subprocess.run(["skopeo", "inspect", "--raw", "--config", source], capture_output=True, check=True).stdout
        quiet("skopeo", "copy", "--quiet", source, f"oci:{out}")
        shutil.rmtree(out)
        return "sha256:" + hashlib.sha256(said).hexdigest()

    def stop(self):
        self.sshd.kill()
        self.sshd.wait()


class Chain:
    """A recipe, a node and a TMPDIR in one folder. The image has a busybox and `size` random bytes."""

    def __init__(self, program, size, chance):
        self.program, self.size, self.chance = program, size, chance
        self.top = Path(tempfile.mkdtemp(prefix="soak-chain-"))
        self.folder, self.temporary = self.top / "recipe", self.top / "tmp"
        for made in (self.folder, self.temporary):
            made.mkdir()
        self.node = Node(self.top / "node")

    def write(self, lines=0):
        """The recipe, and the sources. `lines` are printed by its first step."""
        architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
        context = self.folder / "context"
        context.mkdir(exist_ok=True)
        shutil.copy(shutil.which("busybox"), context / "busybox")
        (context / "Dockerfile").write_text("FROM scratch\nCOPY busybox /bin/busybox\nCOPY data /data\nRUN [\"/bin/busybox\", \"touch\", \"/ran\"]\n")
        self.change()
        retry = 'retry = { attempts = 3, delay = "10ms" }\n'
        (self.folder / "pipeline.toml").write_text(
            f'version = 1\n[pipeline]\nname = "soak"\nengine = "buildah"\n'
            f'[targets.here]\nplatform = "linux/{architecture}"\nnodes = ["soak"]\n{self.node.toml()}'
            f'[[step]]\nid = "context"\nuses = "run"\nargv = ["seq", "{lines}"]\noutputs = {{ context = "context" }}\n{retry}'
            f'[[step]]\nuses = "build"\ntag = "{REFERENCE}"\n{retry}'
            f'[[step]]\nuses = "save"\npath = "image.tar"\n{retry}'
            f'[[step]]\nuses = "scp"\n{retry}'
            f'[[step]]\nuses = "skopeo-copy"\ndest = "containers-storage:{REFERENCE}"\n{retry}'
        )

    def change(self):
        """Another image."""
        with (self.folder / "context/data").open("wb") as data:
            data.write(random.Random(self.chance.random()).randbytes(self.size))

    options = ()

    def start(self):
        return subprocess.Popen(
            [self.program, "run", *self.options],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "TMPDIR": str(self.temporary)},
        )

    def run(self):
        """A run to its end: exit code (None: it hung), and what it said."""
        return ended(self.start(), HANGS)

    def wrong(self):
        """What is not as it must be after a run that ended well."""
        archive, sent = self.folder / "image.tar", self.node.folder / "files/image.tar"
        sums = [hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None for path in (archive, sent)]
        if sums[0] is None or sums[0] != sums[1]:
            yield f"the archive has {sums[0]}, the node {sums[1]}"
        built = subprocess.run(
            ["skopeo", "inspect", "--raw", "--config", f"docker-archive:{archive}"], capture_output=True
        ).stdout
        wanted = "sha256:" + hashlib.sha256(built).hexdigest()
        try:
            if self.node.image_id() != wanted:
                yield f"the node's image is not {wanted}"
        except subprocess.CalledProcessError as error:
            yield f"the node has no whole image: {error.stderr}"

    def mounts(self):
        """What is mounted below the folder, the last first."""
        table = Path("/proc/self/mountinfo").read_text().splitlines()
        points = [line.split()[4] for line in table]
        return [point for point in reversed(points) if point.startswith(f"{self.top}/")]

    def remove(self):
        self.node.stop()
        for point in self.mounts():
            subprocess.run(["umount", "-l", point], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.top, ignore_errors=True)
