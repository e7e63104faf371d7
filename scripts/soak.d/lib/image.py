"""An image as a docker archive, made of random layers without an engine."""

import hashlib
import io
import json
import os
import tarfile


def tar(files):
    """The bytes of a tar file of these files, the same for the same files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def write(path, reference, layers):
    """Writes an image of these layers, each the content of one file; its id."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    packed = [tar([(f"data/{number}", content)]) for number, content in enumerate(layers)]
    ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in packed]
    config = json.dumps(
        {"architecture": architecture, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ids}}
    ).encode()
    digest = hashlib.sha256(config).hexdigest()
    names = [f"{number}.tar" for number in range(len(packed))]
    manifest = json.dumps([{"Config": f"{digest}.json", "RepoTags": [reference], "Layers": names}]).encode()
    path.write_bytes(tar([("manifest.json", manifest), (f"{digest}.json", config), *zip(names, packed)]))
    return "sha256:" + digest
