"""Boots a build of the emulator board in Espressif's QEMU and holds one conversation with it.

    python firmware/tools/emulate.py firmware/build_emulator [arguments for emulator_session.py]

Starts the local service, makes a flash image of the build, starts QEMU, and leaves the judging to
emulator_session.py, whose exit code it takes over. `qemu-system-xtensa` is looked for in PATH and
where ESP-IDF installs it ($IDF_TOOLS_PATH, ~/.espressif, /opt/esp). The machine is the one that was
measured: octal PSRAM, one Ethernet card, the console on TCP, where it waits for its reader.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JUDGE = Path(__file__).with_name("emulator_session.py")
HOST_AS_SEEN_BY_THE_CHIP = "10.0.2.2"

sys.path.insert(0, str(ROOT))

from app.core import idf_build
from app.core.faults import Fault


def flash_image(folder: Path) -> bytes:
    """The whole flash with the build in it, settings blank. Raises Fault or OSError."""
    files = (idf_build.FLASHER_ARGS, idf_build.DESCRIPTION, idf_build.SDKCONFIG)
    plan = idf_build.plan(*((folder / name).read_bytes() for name in files))
    flash = bytearray(b"\xff" * plan.flash_bytes)
    for _, offset, file in plan.parts:
        data = (folder / file).read_bytes()
        flash[offset : offset + len(data)] = data
    return bytes(flash)


def find_qemu() -> str:
    """QEMU's program; empty when it is not on this machine."""
    if found := shutil.which("qemu-system-xtensa"):
        return found
    homes = (os.environ.get("IDF_TOOLS_PATH"), Path.home() / ".espressif", "/opt/esp")
    for home in homes:
        if home:
            pattern = "tools/qemu-xtensa/*/qemu/bin/qemu-system-xtensa"
            if programs := sorted(Path(home).glob(pattern)):
                return str(programs[-1])
    return ""


def free_port() -> int:
    """A TCP port of the loopback that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def machine(qemu: str, flash: Path, console: int) -> list[str]:
    """QEMU's command line."""
    return [
        *(qemu, "-display", "none", "-monitor", "none", "-machine", "esp32s3", "-m", "8M"),
        *("-global", "driver=ssi_psram,property=is_octal,value=true"),
        *("-drive", f"file={flash},if=mtd,format=raw", "-nic", "user,model=open_eth"),
        *("-global", "driver=timer.esp32s3.timg,property=wdt_disable,value=true"),
        *("-serial", f"tcp:127.0.0.1:{console},server=on,wait=on"),
    ]


def started(stack: ExitStack, command: list[str], **more: object) -> subprocess.Popen[str]:
    """A process that ends, at the latest, with the stack."""
    process = subprocess.Popen(command, text=True, cwd=ROOT, **more)  # type: ignore[call-overload]  # noqa: S603  ours

    def end() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)
    return process  # type: ignore[no-any-return]


def service_port(service: subprocess.Popen[str], log: Path, within_s: float = 30) -> int:
    """The port of the service, from the line with which it begins. Raises RuntimeError."""
    deadline = time.monotonic() + within_s
    while service.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"^base_url http://[^:/]+:(\d+)/", log.read_text(), re.M):
            return int(found[1])
        time.sleep(0.1)
    raise RuntimeError(f"the service did not start: {log.read_text()[-2000:]}")


def main() -> int:
    """The command; returns its exit code."""
    if len(sys.argv) < 2:
        print((__doc__ or "").split("\n\n")[1], file=sys.stderr)
        return 2
    qemu = find_qemu()
    if not qemu:
        print("qemu-system-xtensa is missing: idf_tools.py install qemu-xtensa", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        flash = folder / "flash.bin"
        try:
            flash.write_bytes(flash_image(Path(sys.argv[1])))
        except (Fault, OSError) as why:
            detail = why.detail if isinstance(why, Fault) else ""
            print(why, detail, file=sys.stderr)
            return 1
        log = folder / "service.log"
        command = [sys.executable, "-m", "app", "service", "--advertise", HOST_AS_SEEN_BY_THE_CHIP]
        output = stack.enter_context(log.open("w"))
        service = started(stack, command, stdout=output, stderr=subprocess.STDOUT)
        base_url = f"http://{HOST_AS_SEEN_BY_THE_CHIP}:{service_port(service, log)}/v1"
        console = free_port()
        started(stack, machine(qemu, flash, console))
        address = f"socket://127.0.0.1:{console}"
        judge = [sys.executable, str(JUDGE), address, "--base-url", base_url, *sys.argv[2:]]
        code = subprocess.run(judge, cwd=ROOT, check=False).returncode  # noqa: S603  ours
        print(f"---- what the service said\n{log.read_text()}", flush=True)
        return code


if __name__ == "__main__":
    sys.exit(main())
