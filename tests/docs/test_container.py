"""deploy/docker: what can be said of an image without building it, and the health check as it really runs."""

from __future__ import annotations

import http.server
import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
COMPOSE = ROOT / "deploy" / "docker" / "compose.yaml"
HOW_TO = ROOT / "docs" / "how-to" / "ops" / "run-in-a-container.md"
DRAIN_SECONDS = 30


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) in order; continued lines are one."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [(word, re.sub(r"\s+", " ", rest).strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines())]


def arguments_of(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def final_stage() -> list[tuple[str, str]]:
    found = instructions()
    last = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    return found[last:]


def copied() -> list[str]:
    """What COPY takes out of the checkout."""
    sources: list[str] = []
    for rest in arguments_of("COPY"):
        words = rest.split()
        if not words[0].startswith("--from="):
            sources += words[:-1]
    return sources


def health_command() -> list[str]:
    rest = arguments_of("HEALTHCHECK")[0]
    return json.loads(rest.partition("CMD ")[2])  # type: ignore[no-any-return]


def test_bases_are_pinned_by_tag_and_name_no_registry() -> None:
    bases = [rest.split()[0] for rest in arguments_of("FROM")]
    assert set(bases) == {"python:3.13-slim"}
    images = [one["image"] for one in services(everything()).values()]
    assert all(":" in image and "/" not in image and not image.endswith(":latest") for image in images)


def test_everything_that_is_copied_exists_and_is_let_into_the_build() -> None:
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")]
    assert copied()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in let_in, source
    assert {one.split("/")[0] for one in copied()} == set(let_in)


def test_nothing_else_is_let_into_the_build() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {"**/*.db*", "**/__pycache__"} <= set(lines[1:])


def test_only_what_was_locked_is_installed() -> None:
    """Each `pip install` checks hashes, or takes our own wheel without anything else."""
    installs = [part for rest in arguments_of("RUN") for part in rest.split("&&") if " install " in part]
    assert len(installs) == 3
    for one in installs:
        words = shlex.split(one)
        assert "--require-hashes" in words or ("--no-deps" in words and words[-1].endswith(".whl")), one
        if "-r" in words:
            assert (ROOT / words[words.index("-r") + 1]).exists()


def test_what_builds_the_wheel_is_locked_like_the_rest() -> None:
    """Copy the lines of dev.txt into build.txt again after locking."""
    lines = (ROOT / "requirements" / "build.txt").read_text(encoding="utf-8").splitlines()
    locked = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line not in locked and not line.startswith("#")] == []
    assert any(line.startswith("hatchling==") for line in lines)


def test_nothing_is_fetched_or_unpacked_behind_the_back() -> None:
    assert arguments_of("ADD") == []
    assert not re.search(r"\b(curl|wget|apt-get|git clone)\b", " ".join(arguments_of("RUN")))


def test_it_runs_as_nobody_else_and_nothing_is_done_after_that() -> None:
    stage = final_stage()
    words = [word for word, _ in stage]
    assert words.count("USER") == 1
    user = next(rest for word, rest in stage if word == "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert {"RUN", "COPY"}.isdisjoint(words[words.index("USER") :])
    assert f"chown -R {user} /var/lib/syncd" in next(rest for word, rest in stage if word == "RUN")


def test_it_gets_signals_and_is_told_to_drain() -> None:
    assert json.loads(arguments_of("ENTRYPOINT")[0]) == ["syncd"]
    assert json.loads(arguments_of("CMD")[0]) == ["run"]
    assert arguments_of("STOPSIGNAL") == ["SIGTERM"]


def test_it_holds_no_secret() -> None:
    assert arguments_of("ARG") == []
    given = " ".join(arguments_of("ENV")).upper()
    assert not re.search(r"(SECRET|TOKEN|PASSWORD|_KEY)\w*=", given)


def test_it_writes_under_its_volume_only() -> None:
    (environment,) = [rest for word, rest in final_stage() if word == "ENV"]
    values = dict(pair.split("=", 1) for pair in environment.split())
    assert arguments_of("VOLUME") == ["/var/lib/syncd"]
    assert values["HOME"] == "/var/lib/syncd"
    assert values["TMPDIR"].startswith("/var/lib/syncd/")
    assert values["PYTHONDONTWRITEBYTECODE"] == "1"
    assert "compileall" in " ".join(arguments_of("RUN"))


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on a free port that answers `status` to /healthz, and 404 elsewhere."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def health(port: int) -> int:
    """The exit code of the health check with that port; a proxy of the environment leads nowhere."""
    program, *arguments = health_command()
    assert program == "python"
    assert ":8080/" in arguments[-1]
    arguments[-1] = arguments[-1].replace(":8080/", f":{port}/")
    env = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, check=False, timeout=30, env=env)
    return done.returncode


@pytest.mark.parametrize(("status", "is_healthy"), [(200, True), (503, False)])
def test_the_health_check_believes_the_answer(status: int, is_healthy: bool) -> None:
    with answering(status) as port:
        assert (health(port) == 0) is is_healthy


def test_the_health_check_fails_where_nobody_answers() -> None:
    with answering(200) as port:
        pass
    assert health(port) != 0


def services(document: dict[str, Any]) -> dict[str, Any]:
    return document["services"]  # type: ignore[no-any-return]


def parsed(text: str) -> dict[str, Any]:
    return YAML(typ="safe").load(text)  # type: ignore[no-any-return]


def everything() -> dict[str, Any]:
    """The file with what stands there as a comment: the variant with PostgreSQL."""
    lines = COMPOSE.read_text(encoding="utf-8").splitlines()
    return parsed("\n".join(re.sub(r"^( *)# (?=(  )*[\w-]+:( |$))", r"\1", line) for line in lines))


@pytest.fixture(params=["as it stands", "with PostgreSQL"])
def compose(request: pytest.FixtureRequest) -> dict[str, Any]:
    return parsed(COMPOSE.read_text(encoding="utf-8")) if request.param == "as it stands" else everything()


def test_compose_builds_this_image_and_asks_for_its_health_alike(compose: dict[str, Any]) -> None:
    syncd = services(compose)["syncd"]
    build = syncd["build"]
    assert (COMPOSE.parent / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).resolve() == DOCKERFILE
    assert syncd["healthcheck"]["test"] == ["CMD", *health_command()]
    assert syncd["user"] == arguments_of("USER")[0]


def test_compose_allows_no_more_than_it_needs(compose: dict[str, Any]) -> None:
    syncd = services(compose)["syncd"]
    assert syncd["read_only"] is True
    assert syncd["cap_drop"] == ["ALL"]
    assert syncd["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in syncd
    assert "cap_add" not in syncd
    assert [mount.split(":")[0] for mount in syncd["tmpfs"]] == ["/tmp"]
    writable = [mount for mount in syncd["volumes"] if not mount.endswith(":ro")]
    assert writable == ["state:/var/lib/syncd"]
    assert all(port.startswith("127.0.0.1:") for port in syncd["ports"])
    assert {"memory", "cpus", "pids"} <= set(syncd["deploy"]["resources"]["limits"])


def test_compose_waits_for_a_drain(compose: dict[str, Any]) -> None:
    assert int(services(compose)["syncd"]["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS


def test_compose_gives_secrets_as_files(compose: dict[str, Any]) -> None:
    for name, service in services(compose).items():
        assert set(service["secrets"]) <= set(compose["secrets"]), name
        for key, value in service.get("environment", {}).items():
            assert value.startswith("/run/secrets/") or not re.search("SECRET|TOKEN|PASSWORD|KEY|PASS", key), key
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/deploy/docker/secrets/", "/deploy/docker/etc/"} <= set(ignored)


def test_the_variant_with_postgresql_fits_together() -> None:
    document = everything()
    assert set(services(document)) == {"syncd", "postgres"}
    assert set(services(document)["syncd"]["depends_on"]) == {"postgres"}
    assert {"postgres_password", "pgpass"} <= set(document["secrets"])
    named = {volume.split(":")[0] for one in services(document).values() for volume in one["volumes"]}
    assert {name for name in named if not name.startswith((".", "/"))} == set(document["volumes"])


def test_the_how_to_names_what_the_files_need() -> None:
    text = HOW_TO.read_text(encoding="utf-8")
    for name in parsed(COMPOSE.read_text(encoding="utf-8"))["secrets"]:
        assert f"{{credential: {name}}}" in text
    assert "host: 0.0.0.0" in text
    assert "sqlite:////var/lib/syncd/syncd.db" in text
    assert arguments_of("USER")[0].split(":")[0] in text
