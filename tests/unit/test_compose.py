"""docker-compose.yml and the images, as far as they can be proved without a container engine.

The commands, scripts and configuration files that they name are run here for real where this machine has the program.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from delineate.cli.main import app
from delineate.demo.processes import free_port
from delineate.http import routes_health
from delineate.settings import load_settings

REPOSITORY = Path(__file__).parents[2]
COMPOSE = REPOSITORY / "docker-compose.yml"
DOCKERFILE = REPOSITORY / "docker" / "Dockerfile"
PATIENCE_S = 20.0
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
DEBIAN_PROGRAMS = {"Orthanc": "orthanc"}
"""Programs of Debian's packages, which the tests and the demo run as well."""
SECRETS = (
    "ORTHANC_PASSWORD",
    "REDIS_PASSWORD",
    "DELINEATE_USER_TOKEN",
    "DELINEATE_HOOK_TOKEN",
    "DELINEATE_METRICS_TOKEN",
)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what ``make env`` writes."""
    file = tmp_path_factory.mktemp("env") / ".env"
    subprocess.run([REPOSITORY / "docker" / "make-env", file], check=True, capture_output=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def filled_in(value: str, environment: dict[str, str]) -> str:
    """Interpolate as compose does: ``${NAME}``, ``${NAME:-default}``, ``${NAME:?message}``, ``$$``."""

    def one(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        name, operator, rest = found[1], found[2], found[3]
        given = environment.get(name, "")
        if operator == ":-":
            return given or rest
        assert given, f"{name} has no value: {rest}"
        return given

    return re.sub(r"\$\$|\$\{([A-Z_]+)(:-|:\?)?([^}]*)\}", one, value)


def environment_of(service: str, environment: dict[str, str]) -> dict[str, str]:
    return {name: filled_in(str(value), environment) for name, value in SERVICES[service]["environment"].items()}


def command_line(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_compose_file_follows_the_compose_specification() -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    checked = command_line(str(program), "--builtin-schema", "vendor.compose-spec", str(COMPOSE))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_dockerfile_has_no_fault_that_a_linter_finds() -> None:
    program = Path(sys.executable).with_name("hadolint")
    checked = command_line(str(program), "--failure-threshold", "warning", str(DOCKERFILE))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_part_restarts_has_an_init_and_its_own_target() -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE.read_text(), re.MULTILINE))
    for name, service in SERVICES.items():
        assert service["init"] is True, name
        assert service["restart"] == "unless-stopped", name
        assert service["build"]["target"] in targets, name
        assert REPOSITORY / service["build"]["dockerfile"] == DOCKERFILE


def test_images_are_pinned() -> None:
    text = DOCKERFILE.read_text()
    pins = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE))
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.MULTILINE))
    for base in re.findall(r"^FROM (\S+) AS", text, re.MULTILINE):
        assert base in stages or pins[base[2:-1]]
    assert all(re.search(r":\d+\.\d+", image) for image in pins.values())
    assert all(re.search(r":\d+\.\d+$", service["image"]) for service in SERVICES.values())
    assert "PIP_CONSTRAINT" in text


@pytest.mark.parametrize("service", ["orthanc", "redis", "service-cpu", "service-gpu", "gateway"])
def test_nothing_starts_before_what_it_needs_is_healthy(service: str) -> None:
    assert "healthcheck" in SERVICES[service]
    for needed, how in SERVICES[service].get("depends_on", {}).items():
        assert how["condition"] == "service_healthy"
        assert "healthcheck" in SERVICES[needed]


def test_secrets_have_no_default_and_come_from_one_script(environment: dict[str, str]) -> None:
    text = COMPOSE.read_text()
    for name in SECRETS:
        uses = re.findall(r"(?<!\$)\$\{" + name + r"(.*?)\}", text)
        assert uses
        assert all(use.startswith(":?") for use in uses), f"{name} has a default"
        assert len(environment[name]) >= 32
    assert len({environment[name] for name in SECRETS}) == len(SECRETS)
    named = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))
    assert named == set(environment), "what is in .env is used, and what is used is in .env"


def test_an_environment_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("ORTHANC_PASSWORD=mine\n")
    subprocess.run([REPOSITORY / "docker" / "make-env", file], check=True, capture_output=True)
    assert file.read_text() == "ORTHANC_PASSWORD=mine\n"


@pytest.mark.parametrize("service", list(SERVICES))
def test_every_command_exists(service: str) -> None:
    command = SERVICES[service]["command"]
    match command[0]:
        case "delineate":
            assert command[1] in get_command(app).commands  # type: ignore[attr-defined]
        case program if program in DEBIAN_PROGRAMS:
            assert shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"), program
            assert DEBIAN_PROGRAMS[program] in (REPOSITORY / "Makefile").read_text()
        case script:
            assert os.access(REPOSITORY / script, os.X_OK), script
    for argument in command[1:]:
        if argument.startswith("/opt/delineate/"):
            assert (REPOSITORY / argument.removeprefix("/opt/delineate/")).is_file()
    if service != "worker":  # which has the service's image
        assert f"CMD {json.dumps(command)}" in DOCKERFILE.read_text()


def test_every_file_that_an_image_copies_exists_and_is_in_the_context() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    kept = [line[1:] for line in ignored if line.startswith("!")]
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.read_text(), re.MULTILINE):
        for source in sources.split():
            assert (REPOSITORY / source).exists(), source
            assert any(Path(source).is_relative_to(keep) or Path(source).match(keep) for keep in kept), source


@pytest.mark.parametrize("service", ["service-cpu", "service-gpu", "worker"])
def test_the_service_takes_its_settings(
    service: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environment_of(service, environment)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(given)
    assert settings.archive_password is not None
    assert settings.redis_url is not None
    if service != "worker":
        assert [name for name, _ in settings.tokens.items()] == ["Local^User", "Preload^Hook"]
        assert settings.preload_here is False
    assert (settings.machine, settings.cache_dir) == ("compose", Path("/var/cache/delineate"))


def test_both_profiles_run_the_same_parts() -> None:
    for profile, device in (("cpu", "cpu"), ("gpu", "cuda")):
        running = {name: one for name, one in SERVICES.items() if profile in one.get("profiles", [profile])}
        assert set(running) == {"orthanc", "redis", f"service-{profile}", "worker", "gateway"}
        assert running[f"service-{profile}"]["environment"]["DELINEATE_DEVICE"] == device
        assert running[f"service-{profile}"]["networks"]["inside"]["aliases"] == ["service"]


def test_only_the_gateway_is_published_and_on_this_machine_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["gateway"]
    assert all(port.startswith("127.0.0.1:") for port in published["gateway"])


def test_health_checks_ask_what_is_there() -> None:
    paths = [route.path for route in routes_health.router.routes]  # type: ignore[attr-defined]
    for service in ("service-cpu", "service-gpu"):
        check = SERVICES[service]["healthcheck"]["test"]
        assert check[:2] == ["CMD", "curl"]
        assert check[-1].removeprefix("http://127.0.0.1:8100/delineate") in paths
    installed = DOCKERFILE.read_text()
    assert "install --yes --no-install-recommends ca-certificates curl" in installed


def test_every_variable_of_orthanc_s_configuration_is_given(environment: dict[str, str]) -> None:
    needed = re.findall(r"\$\{([A-Z_]+)\}", (REPOSITORY / "orthanc" / "orthanc.json").read_text())
    assert set(needed) <= set(environment_of("orthanc", environment))


def test_nginx_takes_the_configuration_that_the_gateway_s_script_makes(
    environment: dict[str, str], tmp_path: Path
) -> None:
    given = environment_of("gateway", environment)
    names = {"SERVICE_SERVERS": "server 127.0.0.1:9 max_fails=0;", "ARCHIVE_ADDRESS": "127.0.0.1:9"}
    prefix, stock = tmp_path / "gateway", tmp_path / "viewer"
    stock.mkdir()
    places = {"GATEWAY_PREFIX": str(prefix), "OHIF_ROOT": str(stock), "EXTENSION_ROOT": str(stock)}
    checked = subprocess.run(
        [REPOSITORY / "docker" / "start-gateway", "--test"],
        env={"PATH": os.environ["PATH"], **given, **names, **places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    made = (prefix / "nginx.conf").read_text()
    assert stat.S_IMODE((prefix / "nginx.conf").stat().st_mode) == 0o600
    assert not re.search(r"\$\{[A-Z_]+\}", re.sub(r"#.*", "", made))
    assert f'Authorization "Bearer {environment["DELINEATE_USER_TOKEN"]}"' in made
    archive = base64.b64encode(f"delineate:{environment['ORTHANC_PASSWORD']}".encode()).decode()
    assert f"Basic {archive}" in made


def test_redis_starts_by_its_script_and_its_health_check_needs_the_password(
    environment: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    given = environment_of("redis", environment)
    check = SERVICES["redis"]["healthcheck"]["test"][1].replace("$$", "$").replace("redis-cli", f"redis-cli -p {port}")
    variables = {"PATH": os.environ["PATH"], **given, "REDIS_PORT": str(port), "REDIS_BIND": "127.0.0.1"}
    process = subprocess.Popen(
        [REPOSITORY / "docker" / "start-redis"],
        env=variables | {"REDIS_DIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while subprocess.run(["sh", "-c", check], env=variables, capture_output=True, check=False).returncode:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        without = subprocess.run(
            ["sh", "-c", check], env=variables | {"REDIS_PASSWORD": "wrong"}, capture_output=True, check=False
        )
        assert without.returncode != 0
        assert list(tmp_path.glob("appendonly*")), "the configuration that we ship is in force"
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"PING\r\n")
            assert b"NOAUTH" in connection.recv(100)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
