"""Write the client's copy of the wire contract: `make client-proto`.

It has a package name of its own, so that it can stand in one process with the service's copy, and it is made
by the protoc of `OLDEST`, whose code runs with protobuf 4 to 7: the runtime takes older code, never newer.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent.parent / "proto" / "tocsin" / "v1" / "user_events.proto"
OLDEST = ("grpcio-tools==1.50.0", "setuptools<81")
PACKAGE, OWN_PACKAGE = "package tocsin.v1;", "package tocsin.client.v1;"
NAME = "tocsin/wire/user_events.proto"


def main() -> int:
    """Generate; returns the exit status of protoc."""
    schema = SCHEMA.read_text()
    if PACKAGE not in schema:
        raise SystemExit(f"{SCHEMA} has no line {PACKAGE!r}")
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder, NAME)
        own.parent.mkdir(parents=True)
        own.write_text(schema.replace(PACKAGE, OWN_PACKAGE))
        uv = Path(sys.executable).with_name("uv")
        packages = [part for name in OLDEST for part in ("--with", name)]
        protoc = ["python", "-m", "grpc_tools.protoc", "-I", folder]
        out = [f"--python_out={HERE / 'src'}", f"--pyi_out={HERE / 'src'}"]
        command = [str(uv), "run", "--quiet", "--no-project", "--isolated", "--python", sys.executable]
        return subprocess.run([*command, *packages, *protoc, *out, NAME], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
