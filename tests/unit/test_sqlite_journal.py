"""The embedded journal and result store."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from delineate.adapters.sqlite_journal import DataDirInUse, SqliteJournal
from delineate.domain.errors import ResultNotFound
from delineate.domain.result import Result
from delineate.domain.session import Entry

RESULT = Result(
    id="r1",
    session="s",
    user="u",
    state="encoding",
    stage="encoding",
    study_instance_uid="1.2",
    series_instance_uid="1.3",
    sop_instance_uid="1.4",
    created_at=1.5,
    coerced=("PatientName",),
)


def test_entries_come_back_in_order_after_a_restart(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    journal.append("b", [Entry("opened", 2.0, {"user": "ü"}), Entry("closed", 3.0, {}, b"\x00\xff")])
    journal.append("a", [Entry("opened", 1.0)])
    journal.append("b", [Entry("closed", 4.0)])
    journal.close()
    again = SqliteJournal(tmp_path)
    assert again.sessions() == ["a", "b"]
    assert again.read("b") == [
        Entry("opened", 2.0, {"user": "ü"}),
        Entry("closed", 3.0, {}, b"\x00\xff"),
        Entry("closed", 4.0),
    ]
    assert again.read("c") == []
    again.purge("b")
    assert again.sessions() == ["a"]
    again.close()


def test_a_second_process_is_kept_out_and_told_what_to_do(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    with pytest.raises(DataDirInUse, match="DELINEATE_DATA_DIR"):
        SqliteJournal(tmp_path)
    journal.close()
    SqliteJournal(tmp_path).close()


def test_an_append_that_fails_leaves_no_part_and_harms_no_other(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    journal.append("s", [Entry("opened", 1.0)])
    with pytest.raises(TypeError):
        journal.append("s", [Entry("good", 2.0), Entry("bad", 2.0, {"x": object()})])
    journal.append("s", [Entry("after", 3.0)])
    assert [e.kind for e in journal.read("s")] == ["opened", "after"]
    journal.close()


def test_appends_of_many_threads_all_arrive(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)

    def work(name: str) -> None:
        for n in range(20):
            journal.append(name, [Entry("step", float(n))])

    threads = [threading.Thread(target=work, args=(f"s{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all([e.at for e in journal.read(f"s{n}")] == [float(x) for x in range(20)] for n in range(8))
    journal.close()


def test_results_and_their_files_survive_a_restart(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path)
    journal.save(RESULT)
    journal.write_file("r1", "a.bin", b"abc")
    journal.close()
    again = SqliteJournal(tmp_path)
    assert again.load("r1") == RESULT
    assert again.unfinished() == [RESULT]
    assert again.read_file("r1", "a.bin") == b"abc"
    assert again.read_file("r1", "none") is None
    again.save(replace(RESULT, state="stored"))
    assert again.unfinished() == []
    again.purge_result("r1")
    with pytest.raises(ResultNotFound):
        again.load("r1")
    assert again.read_file("r1", "a.bin") is None
    again.close()


def test_the_data_folder_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    SqliteJournal(folder).close()
    assert folder.stat().st_mode & 0o077 == 0
