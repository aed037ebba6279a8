"""The container image as an OCI layout in one tar: a base image, and one layer with wheels on it (OCI image spec 1.1).

    image.py BASE WHEELS WHEEL OUT REVISION

BASE is an OCI layout of one platform (`crane pull --format=oci`), pinned by its digest in ``base-image``; it has Python
where the official images have it. WHEELS is a folder of what the lock names, WHEEL is ours. Nothing is installed or
run: wheels are unpacked (PEP 427). Times are SOURCE_DATE_EPOCH, so the same input gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from pathlib import Path

SITE = "usr/local/lib/python3.13/site-packages"
PROGRAM = "usr/local/bin/maestro"
START = b"#!/usr/local/bin/python3 -P\nimport sys\nfrom maestro.cli import main\nsys.exit(main())\n"
LAYER = {
    "application/vnd.oci.image.manifest.v1+json": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.distribution.manifest.v2+json": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])


def unpacked(wheel: Path) -> dict[str, bytes]:
    """What a wheel puts into the image; programs, headers and data of others are left out."""
    files = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            parts = entry.filename.split("/")
            if parts[0].endswith(".data"):
                parts = parts[2:] if parts[1] in ("purelib", "platlib") else []
            if not parts or entry.is_dir():
                continue
            if ".." in parts or "" in parts:
                raise SystemExit(f"{wheel.name}: {entry.filename} leads out of the wheel")
            files["/".join((SITE, *parts))] = archive.read(entry)
    return files


def tar(files: dict[str, bytes]) -> bytes:
    """Files, and the folders above them, sorted."""
    folders = {str(above) for name in files for above in Path(name).parents} - {"."}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(folders | files.keys()):
            entry = tarfile.TarInfo(name)
            entry.mtime = EPOCH
            entry.mode = 0o755 if name in folders or name == PROGRAM else 0o644
            entry.type = tarfile.DIRTYPE if name in folders else tarfile.REGTYPE
            entry.size = len(files.get(name, b""))
            archive.addfile(entry, io.BytesIO(files.get(name, b"")))
    return out.getvalue()


def described(blobs: dict[str, bytes], data: bytes, kind: str) -> dict[str, object]:
    """Lay a blob down, and describe it."""
    digest = hashlib.sha256(data).hexdigest()
    blobs[f"blobs/sha256/{digest}"] = data
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}


def main(base: Path, wheels: Path, wheel: Path, out: Path, revision: str) -> None:
    """Write the image."""

    def blob(descriptor: dict[str, str]) -> bytes:
        algorithm, _, name = descriptor["digest"].partition(":")
        data = (base / "blobs" / algorithm / name).read_bytes()
        if algorithm != "sha256" or hashlib.sha256(data).hexdigest() != name:
            raise SystemExit(f"the base image's {name} is not what its name says")
        return data

    [listed] = json.loads((base / "index.json").read_bytes())["manifests"]
    if listed["mediaType"] not in LAYER:
        raise SystemExit(f"the base image is a {listed['mediaType']}: pull one platform of it")
    manifest = json.loads(blob(listed))
    config = json.loads(blob(manifest["config"]))
    blobs = {f"blobs/sha256/{one['digest'][7:]}": blob(one) for one in manifest["layers"]}

    files = {PROGRAM: START}
    for one in (*sorted(wheels.glob("*.whl")), wheel):
        files |= unpacked(one)
    layer = tar(files)
    created = dt.datetime.fromtimestamp(EPOCH, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config["created"] = created
    config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(layer).hexdigest()}")
    config.setdefault("history", []).append({"created": created, "created_by": "tools/release/image.py"})
    settings = config.setdefault("config", {})
    settings |= {"Entrypoint": ["/" + PROGRAM], "Cmd": ["--help"], "WorkingDir": "/work", "User": "65532:65532"}

    packed = gzip.compress(layer, 9, mtime=0)
    manifest["layers"].append(described(blobs, packed, LAYER[listed["mediaType"]]))
    manifest["config"] = described(blobs, json.dumps(config, sort_keys=True).encode(), manifest["config"]["mediaType"])
    manifest["annotations"] = {
        "org.opencontainers.image.base.digest": listed["digest"],
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.revision": revision,
        "org.opencontainers.image.version": wheel.name.split("-")[1],
    }
    made = described(blobs, json.dumps(manifest, sort_keys=True).encode(), listed["mediaType"])
    index = {"schemaVersion": 2, "manifests": [made]}
    blobs["index.json"] = json.dumps(index, sort_keys=True).encode()
    blobs["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    out.write_bytes(tar(blobs))
    print(made["digest"])


if __name__ == "__main__":
    given_base, given_wheels, given_wheel, given_out = map(Path, sys.argv[1:5])
    main(given_base, given_wheels, given_wheel, given_out, sys.argv[5])
