"""Changes of the configuration on disk: told once, when they stand still, and only if something else is written there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.config import Settings, load_settings
from syncd.daemon.files import FileWatch
from syncd.installed import connector_types
from tests.world import World

EVERY = 5.0


class Disk:
    """A configuration and the watch over it; time passes by whole looks."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.world = World(folder, extra_settings=extra)
        self.now = 0.0
        self.watch = FileWatch(folder / "syncd.yaml", self.settings(), self.now)

    def settings(self) -> Settings:
        return load_settings(self.world.folder / "syncd.yaml", {}, connector_types())

    def looks(self, count: int = 1) -> list[bool]:
        found = []
        for _ in range(count):
            self.now += EVERY
            found.append(self.watch.look(self.now))
        return found

    def append(self, name: str, text: str = "# more\n") -> None:
        with (self.world.folder / name).open("a", encoding="utf-8") as file:
            file.write(text)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.mark.parametrize("name", ["syncd.yaml", "mappings/csv.yaml", "mappings/policy.yaml", "mappings/brand_new.yaml"])
def test_a_change_is_told_once_after_it_stood_still_for_one_look(disk: Disk, name: str) -> None:
    assert disk.looks(2) == [False, False]
    disk.append(name)
    assert disk.looks(4) == [False, True, False, False]


def test_it_looks_only_when_its_time_has_come(disk: Disk) -> None:
    disk.append("syncd.yaml")
    assert [disk.watch.look(at) for at in (4.9, 5.0, 6.0, 9.9, 10.0)] == [False, False, False, False, True]


def test_a_file_that_is_still_being_written_is_left_alone(disk: Disk) -> None:
    for _ in range(3):
        disk.append("mappings/policy.yaml")
        assert disk.looks() == [False]
    assert disk.looks(2) == [True, False]


def test_a_touched_file_is_no_change(disk: Disk) -> None:
    os.utime(disk.world.folder / "syncd.yaml", (1, 1))
    disk.world.write("mappings/csv.yaml", (disk.world.folder / "mappings/csv.yaml").read_text(encoding="utf-8"))
    assert disk.looks(3) == [False] * 3


def test_what_was_refused_is_not_told_again_and_going_back_to_what_runs_is_no_change(disk: Disk) -> None:
    before = (disk.world.folder / "mappings/policy.yaml").read_text(encoding="utf-8")
    disk.append("mappings/policy.yaml", "nonsense: 1\n")
    assert disk.looks(2) == [False, True]
    disk.watch.note_begun()  # and refused
    assert disk.looks(3) == [False] * 3
    disk.world.write("mappings/policy.yaml", before)
    assert disk.looks(3) == [False] * 3
    disk.append("mappings/policy.yaml", "other: 1\n")
    assert disk.looks(2) == [False, True]


def test_what_was_loaded_by_a_signal_is_not_loaded_again(disk: Disk) -> None:
    disk.append("syncd.yaml")
    disk.watch.note_begun()
    disk.watch.note_taken()
    assert disk.looks(3) == [False] * 3


def test_what_changes_while_it_is_loaded_is_told(disk: Disk) -> None:
    disk.append("syncd.yaml")
    disk.watch.note_begun()
    disk.append("syncd.yaml")
    disk.watch.note_taken()
    assert disk.looks(2) == [False, True]


def test_a_file_that_is_gone_is_a_change_and_its_return_is_none(disk: Disk) -> None:
    path = disk.world.folder / "mappings/policy.yaml"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    assert disk.looks() == [False]
    path.write_text(text, encoding="utf-8")
    assert disk.looks(3) == [False] * 3
    path.unlink()
    assert disk.looks(2) == [False, True]


def test_without_a_time_only_the_signal_counts(tmp_path: Path) -> None:
    disk = Disk(tmp_path, extra="reload: {watch_seconds: null}\n")
    disk.append("syncd.yaml")
    assert disk.looks(3) == [False] * 3


def test_settings_that_were_refused_do_not_end_the_watch(disk: Disk) -> None:
    disk.append("syncd.yaml", "reload: {watch_seconds: null}\n")
    assert disk.looks(2) == [False, True]
    disk.watch.follow(disk.settings())
    disk.watch.note_begun()
    disk.append("mappings/csv.yaml")
    assert disk.looks(2) == [False, True], "nobody has taken them"
    disk.watch.note_begun()
    disk.watch.note_taken()
    disk.append("mappings/csv.yaml")
    assert disk.looks(2) == [False, False]


def test_a_policy_of_another_name_is_watched_from_the_load_on(disk: Disk) -> None:
    text = (disk.world.folder / "syncd.yaml").read_text(encoding="utf-8")
    disk.world.write("standards.yml", "version: 1\n")
    disk.world.write("syncd.yaml", text.replace("policy: mappings/policy.yaml", "policy: standards.yml"))
    assert disk.looks(2) == [False, True]
    disk.watch.follow(disk.settings())
    disk.watch.note_begun()
    disk.watch.note_taken()
    disk.append("standards.yml")
    assert disk.looks(2) == [False, True]


def test_a_config_map_is_followed_through_its_links(tmp_path: Path) -> None:
    """Kubernetes keeps each version in a folder of its own and swaps a link to it; old folders go."""
    world = World(tmp_path / "first")
    link = tmp_path / "data"
    link.symlink_to("first")
    config = link / "syncd.yaml"
    read: Callable[[], Settings] = lambda: load_settings(config, {}, connector_types())  # noqa: E731 - twice the same
    watch = FileWatch(config, read(), 0.0)
    World(tmp_path / "second")
    swap(link, "second")
    empty(world.folder)
    assert [watch.look(at) for at in (5.0, 10.0)] == [False, False], "the same in another place"
    World(tmp_path / "third", policy="version: 1\nname: other\n")
    swap(link, "third")
    empty(tmp_path / "second")
    assert [watch.look(at) for at in (15.0, 20.0)] == [False, True]
    watch.follow(read())
    watch.note_begun()
    watch.note_taken()
    assert [watch.look(at) for at in (25.0, 30.0)] == [False, False]


def empty(folder: Path) -> None:
    """The version before is gone."""
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def swap(link: Path, target: str) -> None:
    """Let a link lead elsewhere, in one step."""
    new = link.with_name("new")
    new.symlink_to(target)
    new.rename(link)


def test_a_pipe_in_place_of_a_file_is_told_and_not_waited_for(disk: Disk) -> None:
    path = disk.world.folder / "mappings/policy.yaml"
    path.unlink()
    os.mkfifo(path)
    assert disk.looks(3) == [False, True, False]
