"""Build the wheel and the sdist, and try the wheel where users do: `make check-client`.

Each environment is new and has nothing of this repository: the oldest Python, beside packages that bring a
`proto` and the schemas of others, and every protobuf that the copy of the contract is to run with.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
UV = str(Path(sys.executable).with_name("uv"))
PYRIGHT = "pyright@1.1.414"
BESIDE = ("google-cloud-pubsub", "proto-plus")
PROTOBUFS = ("protobuf==4.21.12", "protobuf>=5,<6", "protobuf>=6,<7", "protobuf>=7,<8")


def run(*command: str, cwd: Path | None = None) -> None:
    """Run a command with no way to this repository's modules. Raises: SystemExit if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    print("$", *command, flush=True)
    if subprocess.run(command, cwd=cwd, env=environment, check=False).returncode:
        raise SystemExit(f"failed: {' '.join(command)}")


def try_wheel(folder: Path, wheel: Path, name: str, *packages: str, python: str = sys.executable) -> None:
    """Install the wheel beside these packages, and publish with it."""
    environment = folder / name
    run(UV, "venv", "--quiet", "--python", python, str(environment))
    interpreter = str(environment / "bin" / "python")
    run(UV, "pip", "install", "--quiet", "--python", interpreter, str(wheel), *packages)
    run(interpreter, str(HERE / "tests" / "smoke.py"), *packages, cwd=folder)
    run(str(environment / "bin" / "tocsin"), "--version", cwd=folder)


def oldest_python() -> str:
    """Return Python 3.9 where it is installed and starts (a shim of pyenv may not), else this one."""
    installed = sorted(map(str, Path.home().glob(".pyenv/versions/3.9.*/bin/python")))
    candidates = [*installed, *filter(None, [shutil.which("python3.9")])]
    return next((python for python in candidates if _starts(python)), sys.executable)


def _starts(python: str) -> bool:
    return subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        run(UV, "build", "--quiet", "--out-dir", made, str(HERE))
        (wheel,) = folder.glob("tocsin_client-*.whl")
        assert len(list(folder.glob("tocsin_client-*.tar.gz"))) == 1
        try_wheel(folder, wheel, "alone", python=oldest_python())
        try_wheel(folder, wheel, "beside", *BESIDE, "redis")
        for number, protobuf in enumerate(PROTOBUFS):
            try_wheel(folder, wheel, f"protobuf{number}", protobuf, "redis>=5,<8")
        run("npx", "--yes", PYRIGHT, "--pythonpath", sys.executable, "--project", str(HERE), cwd=folder)


if __name__ == "__main__":
    main()
