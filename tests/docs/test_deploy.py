"""deploy/systemd: the unit says what the program is, and allows it no more than it needs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from syncd.cli.commands import app
from syncd.errors import ConfigError, GuardError

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "syncd.service"
HOW_TO = ROOT / "docs" / "how-to" / "ops" / "run-as-a-service.md"
MAX_EXPOSURE = 2.0
DRAIN_SECONDS = 30
"""How long `syncd run` takes at most after SIGTERM (DESIGN 7)."""

Settings = dict[str, list[str]]


def sections(path: Path) -> dict[str, Settings]:
    """Section to key to values in order: keys may come several times, unlike in an ini file."""
    found: dict[str, Settings] = {}
    current: Settings = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            current = found.setdefault(match[1], {})
        elif line and not line.startswith(("#", ";")):
            key, equals, value = line.partition("=")
            assert equals, line
            current.setdefault(key, []).append(value)
    return found


@pytest.fixture
def service() -> Settings:
    return sections(UNIT)["Service"]


def seconds(value: str) -> int:
    """`45`, `30min`, `1h` in seconds."""
    found = re.fullmatch(r"(\d+)(s|min|h)?", value)
    assert found, value
    return int(found[1]) * {"": 1, "s": 1, "min": 60, "h": 3600}[found[2] or ""]


def test_it_starts_a_command_that_the_program_has(service: Settings) -> None:
    program, *arguments = shlex.split(service["ExecStart"][0])
    command = typer.main.get_command(app)
    assert Path(program).name == "syncd"
    options = {name for parameter in command.params for name in parameter.opts}
    assert arguments[0] in options
    assert arguments[1] == "/etc/syncd/syncd.yaml"
    assert arguments[2] in command.commands  # type: ignore[attr-defined]
    assert arguments[2:] == ["run"]


def test_the_program_speaks_for_itself(service: Settings) -> None:
    assert service["Type"] == ["notify"]
    assert service["NotifyAccess"] == ["main"]
    assert 0 < seconds(service["WatchdogSec"][0]) <= 300
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_a_drain_is_waited_for_and_told_to_the_supervisor_alone(service: Settings) -> None:
    assert service["KillMode"] == ["mixed"]
    assert seconds(service["TimeoutStopSec"][0]) > DRAIN_SECONDS


def test_what_only_a_person_can_mend_is_not_tried_again(service: Settings) -> None:
    codes = {int(code) for code in service["RestartPreventExitStatus"][0].split()}
    assert codes == {ConfigError.exit_code, GuardError.exit_code}
    assert service["Restart"] == ["on-failure"]
    assert "ExecStartPre" not in service  # RestartPreventExitStatus= would not see its exit code


def test_restarts_have_a_limit_that_can_be_reached(service: Settings) -> None:
    """With a limit that restarts are too slow for, a program that falls over at each start would go on for ever."""
    unit = sections(UNIT)["Unit"]
    burst, interval = int(unit["StartLimitBurst"][0]), seconds(unit["StartLimitIntervalSec"][0])
    assert burst * seconds(service["RestartSec"][0]) < interval / 2


HARDENING = {
    "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "", "PrivateUsers": "yes",
    "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "DevicePolicy": "closed",
    "ProtectProc": "invisible", "ProcSubset": "pid", "ProtectClock": "yes", "ProtectControlGroups": "yes", "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes", "ProtectKernelModules": "yes", "ProtectKernelTunables": "yes", "LockPersonality": "yes",
    "RemoveIPC": "yes", "RestrictNamespaces": "yes", "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes", "KeyringMode": "private",
    "MemoryDenyWriteExecute": "yes", "SystemCallArchitectures": "native", "SystemCallErrorNumber": "EPERM",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX", "UMask": "0077", "LimitCORE": "0", "StateDirectoryMode": "0700",
}  # fmt: skip


@pytest.mark.parametrize("key", HARDENING)
def test_it_is_allowed_no_more_than_it_needs(service: Settings, key: str) -> None:
    assert service[key] == [HARDENING[key]]


def test_only_calls_of_ordinary_services_are_let_through(service: Settings) -> None:
    assert service["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]


def test_the_only_place_to_write_is_the_state_directory(service: Settings) -> None:
    assert service["StateDirectory"] == service["ConfigurationDirectory"] == service["RuntimeDirectory"] == ["syncd"]
    assert "ReadWritePaths" not in service
    assert "sqlite:////var/lib/syncd/syncd.db" in HOW_TO.read_text(encoding="utf-8")


def test_memory_and_processes_have_a_limit(service: Settings) -> None:
    assert re.fullmatch(r"\d+[MG]", service["MemoryMax"][0])
    assert int(service["TasksMax"][0]) <= 1024


def test_no_secret_stands_in_the_unit(service: Settings) -> None:
    """Environment variables are seen by everybody who may ask systemd for the unit."""
    assert {"Environment", "EnvironmentFile", "PassEnvironment", "SetCredential"}.isdisjoint(service)
    examples = re.findall(r"^#LoadCredential=(\w+):(/\S+)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name, _ in examples] == [Path(path).name for _, path in examples]
    assert len(examples) >= 2
    told = HOW_TO.read_text(encoding="utf-8")
    assert all(f"{{credential: {name}}}" in told for name, _ in examples)


def test_its_user_is_made_by_sysusers(service: Settings) -> None:
    lines = (UNIT.parent / "syncd.sysusers.conf").read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("u ")]
    assert users == service["User"] == service["Group"]
    assert "DynamicUser" not in service


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, or skip with the reason."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine: syntax and exposure of the unit stay unchecked here")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    if int(re.match(r"\d+", version)[0]) < 250:  # type: ignore[index]
        pytest.skip(f"systemd-analyze {version} reads no unit files offline (250 does): exposure stays unchecked here")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    """Everything but the program itself, which is not installed under /opt on every machine."""
    copy = tmp_path / UNIT.name
    program = shlex.split(sections(UNIT)["Service"]["ExecStart"][0])[0]
    copy.write_text(UNIT.read_text(encoding="utf-8").replace(program, sys.executable), encoding="utf-8")
    done = analyze("verify", str(copy))
    told = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.stem in line or str(tmp_path) in line]
    assert told == []
    assert done.returncode == 0


def test_systemd_calls_its_exposure_low() -> None:
    done = analyze("security", "--offline=true", "--no-pager", f"--threshold={MAX_EXPOSURE * 10:.0f}", str(UNIT))
    found = re.search(r"Overall exposure level for syncd\.service: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MAX_EXPOSURE
    assert done.returncode == 0


UNDER_DENY_WRITE_EXECUTE = """
import ctypes, mmap, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0:  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN (Linux 6.3)
    sys.exit(77)
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    pass
else:
    sys.exit("memory that is writable and executable was given all the same")
import httptools, lxml.etree, msgspec, psycopg, pydantic_core, re2, sqlite3, uvloop
from cryptography.hazmat.primitives.asymmetric import rsa
rsa.generate_private_key(65537, 2048)
assert re2.fullmatch("a+", "aaa") and psycopg.pq.__impl__ == "binary"
async def resolve():
    import asyncio
    return await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
assert uvloop.run(resolve())
from syncd.cli import main
sys.exit(main(["--version"]))
"""


def test_everything_compiled_works_without_writable_code() -> None:
    """MemoryDenyWriteExecute= by the kernel's own switch: no dependency makes code at run time."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", UNDER_DENY_WRITE_EXECUTE], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode == 77:
        pytest.skip("this kernel has no PR_SET_MDWE (Linux 6.3 has it): MemoryDenyWriteExecute stays untried here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("syncd ")
