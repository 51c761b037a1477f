"""The image of the filter: what Istio's agent and Envoy Gateway unpack, an OCI layout in a folder.

    image.py PLUGIN.wasm VERSION --oras ORAS --into FOLDER

Both look for `plugin.wasm` in the last layer of a plain OCI image (the "compat" variant of solo-io/wasm's specification, read by
istio's pkg/wasm/imagefetcher.go). Nothing in it knows when, where or by whom it was built: the same .wasm is the same digest.
"""

import argparse
import gzip
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

LONG_AGO = "1970-01-01T00:00:00Z"


def tar_of(plugin):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo("plugin.wasm")
        entry.size, entry.mode = len(plugin), 0o644
        archive.addfile(entry, io.BytesIO(plugin))
    return packed.getvalue()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("plugin", type=pathlib.Path)
    parser.add_argument("version")
    parser.add_argument("--oras", type=pathlib.Path, required=True)
    parser.add_argument("--into", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    layer = tar_of(arguments.plugin.read_bytes())
    config = {
        "created": LONG_AGO,
        "architecture": "wasm",
        "os": "wasi",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    annotations = {
        # Left to itself, oras writes the time.
        "created": LONG_AGO,
        "title": "nexus-ai-gateway",
        "version": arguments.version,
        "licenses": "Apache-2.0",
    }
    shutil.rmtree(arguments.into, ignore_errors=True)
    arguments.into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        parts = pathlib.Path(folder)
        (parts / "plugin.tar.gz").write_bytes(gzip.compress(layer, 9, mtime=0))
        (parts / "config.json").write_text(json.dumps(config, separators=(",", ":")))
        command = [arguments.oras.resolve(), "push", "--oci-layout", f"{arguments.into.resolve()}:{arguments.version}", "--no-tty"]
        command += ["--image-spec", "v1.0", "--config", "config.json:application/vnd.oci.image.config.v1+json"]
        for name, value in annotations.items():
            command += ["--annotation", f"org.opencontainers.image.{name}={value}"]
        command += ["plugin.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip"]
        subprocess.run(command, cwd=parts, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
