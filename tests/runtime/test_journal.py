"""The journal keeps what it was given, through kills, cancels, company and damage."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from array import array
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from dpipe.runtime.database import Database
from dpipe.runtime.errors import UsageError
from dpipe.runtime.journal import SYNC_SECONDS, Journal, Recorded
from dpipe.runtime.models.protocol import Reply, Usage
from dpipe.runtime.stored import FORMAT, pack, prepare, unpack

KEY, OTHER = b"k" * 16, b"o" * 16
REPLY = Reply("an answer", usage=Usage(10, 20))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def opened(path: Path, run: str = "run", program: str = "qa.dpipe") -> Journal:
    journal = Journal.open(path, program=program)
    journal.begin_run(run)
    return journal


def recording(journal: Journal, *attempts: int, key: bytes = KEY, **facts: Any) -> None:
    """Record attempts one after the other, without the writing task."""

    async def record() -> None:
        for attempt in attempts:
            await journal.record(key, attempt, **{"outcome": "ok", "reply": REPLY} | facts)

    trio.run(record)


def served(journal: Journal, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work while the journal's writing task runs."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.serve)
            await trio.testing.wait_all_tasks_blocked()
            await work()
            journal.stop()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.02))


def attempts(chain: list[Recorded]) -> list[int]:
    return [entry.attempt for entry in chain]


# -- entries -------------------------------------------------------------------------------------


def test_an_entry_comes_back_whole(path: Path) -> None:
    with opened(path) as journal:
        reply = Reply("text", "length", "no", "because", Usage(3, 4))
        recording(
            journal, 0, reply=reply, outcome="truncated", message="cut", max_tokens=9, model="m"
        )
    with Journal.open(path, program="other.dpipe") as journal:
        [entry] = journal.recall(KEY)
    assert entry.at > 1.7e9
    assert entry == Recorded(0, 1, "truncated", "cut", reply, 9, entry.at, "m")


def test_a_turn_without_a_reply_is_an_entry(path: Path) -> None:
    with opened(path) as journal:
        recording(journal, 0, outcome="unavailable", message="timed out", reply=None)
        assert journal.recall(KEY)[0].reply is None


def test_an_unknown_key_has_no_attempts(path: Path) -> None:
    with opened(path) as journal:
        assert journal.recall(OTHER) == []


def test_attempts_come_in_their_order(path: Path) -> None:
    with opened(path) as journal:
        recording(journal, 0, 1, 2)
        recording(journal, 0, key=OTHER)
        assert attempts(journal.recall(KEY)) == [0, 1, 2]


def test_asking_anew_replaces_the_whole_chain(path: Path) -> None:
    with opened(path) as journal:
        recording(journal, 0, 1, 2)
        recording(journal, 0, reply=Reply("new"))
        [entry] = journal.recall(KEY)
    assert entry.reply == Reply("new")


def test_an_attempt_made_again_replaces_the_later_ones(path: Path) -> None:
    with opened(path) as journal:
        recording(journal, 0, 1, 2)
        recording(journal, 1)
        assert attempts(journal.recall(KEY)) == [0, 1]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_waiting_and_written_entries_follow_one_rule(made: list[int]) -> None:
    expected: list[int] = []
    for attempt in made:
        expected = [*(old for old in expected if old < attempt), attempt]

    with TemporaryDirectory() as folder, opened(Path(folder) / "journal.sqlite") as journal:

        async def work() -> None:
            for attempt in made:
                with cancelled():
                    await journal.record(KEY, attempt, outcome="ok")
            assert attempts(journal.recall(KEY)) == expected

        served(journal, work)
        assert attempts(journal.recall(KEY)) == expected


def test_entries_that_wait_for_the_file_are_recalled(path: Path) -> None:
    with opened(path) as journal, held(path) as let_go:

        async def work() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(record_ok, journal, KEY)
                nursery.start_soon(journal.record_vectors, {OTHER: b"abcd"})
                await trio.testing.wait_all_tasks_blocked()
                assert stored_keys(path) == set()
                assert attempts(journal.recall(KEY)) == [0]
                assert journal.recall_vectors([OTHER]) == {OTHER: b"abcd"}
                let_go()

        served(journal, work)
        assert stored_keys(path) == {KEY}


@given(
    st.text(st.characters(exclude_categories=[]))
    | st.text(st.characters(exclude_categories=[]), max_size=40).map(lambda text: text * 30)
)
def test_every_text_survives(text: str) -> None:
    reply = Reply(text, reasoning=text)
    assert unpack(pack(text, reply)) == (text, reply)


def test_long_replies_take_less_room_than_their_text() -> None:
    assert len(pack("", Reply("the same again " * 100))) < 200


def test_vectors_come_back_by_their_keys(path: Path) -> None:
    vectors = {os.urandom(16): array("f", [n, 0.5]).tobytes() for n in range(1200)}
    with opened(path) as journal:
        trio.run(journal.record_vectors, vectors)
        trio.run(journal.record_vectors, dict(list(vectors.items())[:2]))
    with opened(path) as journal:
        assert journal.recall_vectors([*vectors, OTHER]) == vectors


# -- kills, cancels, power cuts ------------------------------------------------------------------

WRITER = """
import os, sys, trio
from pathlib import Path
from dpipe.runtime.journal import Journal
from dpipe.runtime.models.protocol import Reply

journal = Journal.open(Path(sys.argv[1]), program=sys.argv[2])
journal.begin_run(sys.argv[2])
limit = int(sys.argv[3])

async def work(first):
    for number in range(first, limit, 20):
        key = f"{sys.argv[2]}{number:013}".encode()
        await journal.record(key, 0, outcome="ok", reply=Reply(str(number)))
        os.write(1, key + b"\\n")

async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.serve)
        async with trio.open_nursery() as workers:
            for first in range(20):
                workers.start_soon(work, first)
        journal.stop()
    journal.end_run()
    journal.close()

trio.run(main)
"""


def writer(path: Path, name: str, limit: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_what_was_acknowledged_survives_sigkill(path: Path) -> None:
    with writer(path, "abc", 10_000_000) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(500)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read().splitlines(keepends=True)
    keys = [line.strip() for line in told if line.endswith(b"\n")]
    assert process.returncode == -signal.SIGKILL
    with Journal.open(path, program="abc") as journal:
        for key in keys:
            [entry] = journal.recall(key)
            assert entry.reply == Reply(str(int(key[3:])))
        assert not journal.ended(1)


def test_programs_share_a_journal_from_its_first_moment(path: Path) -> None:
    names = ("abc", "def", "ghi")
    processes = [writer(path, name, 400) for name in names]
    told = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert [len(keys) for keys in told] == [400, 400, 400]
    with Journal.open(path, program="abc") as journal:
        assert all(journal.recall(key) for keys in told for key in keys)
        assert all(journal.ended(run) for run in (1, 2, 3))


def test_a_journal_that_another_program_makes_meanwhile_is_none_of_a_stranger(path: Path) -> None:
    class Slow(Database):
        """Between its first look at the file and its second another program is there."""

        looks = 0

        def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
            found = super().rows(query, values)
            if "application_id" in query or "sqlite_schema" in query:
                Slow.looks += 1
                if Slow.looks == 1:
                    Journal.open(path, program="other").close()
            return found

    with closing(Slow(path)) as database:
        prepare(database)
    assert stored_keys(path) == set()


def test_another_program_sees_an_entry_at_once(path: Path) -> None:
    with opened(path) as one, opened(path) as other:
        recording(one, 0)
        assert attempts(other.recall(KEY)) == [0]


def test_a_reply_is_kept_though_its_bringer_is_cancelled(path: Path) -> None:
    with opened(path) as journal:

        async def work() -> None:
            with cancelled():
                await record_ok(journal, KEY)

        served(journal, work)
    assert stored_keys(path) == {KEY}


def test_a_reply_is_kept_though_the_whole_run_is_cancelled(path: Path) -> None:
    async def main() -> None:
        with opened(path) as journal:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(journal.serve)
                await trio.testing.wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
                await record_ok(journal, KEY)

    trio.run(main)
    assert stored_keys(path) == {KEY}


def test_a_reply_that_comes_after_the_writing_task_is_kept(path: Path) -> None:
    async def main() -> None:
        with opened(path) as journal:
            with cancelled():
                await journal.serve()
            await record_ok(journal, KEY)

    trio.run(main)
    assert stored_keys(path) == {KEY}


def test_a_writing_task_that_is_stopped_before_it_began_ends(path: Path) -> None:
    with opened(path) as journal:
        journal.stop()
        trio.run(journal.serve)
        recording(journal, 0)
    assert stored_keys(path) == {KEY}


def test_a_power_cut_costs_a_second_at_most(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "as-on-disk.sqlite"
    with opened(path) as journal:

        async def work() -> None:
            await record_ok(journal, KEY)
            await trio.sleep(SYNC_SECONDS + 0.1)
            shutil.copy(path, copy)  # without the log: what has reached the file itself

        served(journal, work)
    with Journal.open(copy, program="p") as journal:
        assert attempts(journal.recall(KEY)) == [0]


def test_an_idle_journal_wakes_nobody(path: Path) -> None:
    with opened(path) as journal:

        async def work() -> None:
            await record_ok(journal, KEY)
            await trio.sleep(10)
            before = trio.lowlevel.current_statistics().seconds_to_next_deadline
            assert before > 1e6

        served(journal, work)


# -- trouble with the file -----------------------------------------------------------------------


def test_a_full_disk_is_told_to_all_who_wait_and_harms_nothing(path: Path) -> None:
    told: list[str] = []

    async def record(key: bytes) -> None:
        try:
            await journal.record(key, 0, outcome="ok", reply=Reply(os.urandom(9000).hex()))
        except UsageError as error:
            told.append(error.message)

    async def work() -> None:
        await record_ok(journal, KEY)
        [(pages,)] = journal._writer.rows("PRAGMA page_count")
        journal._writer.rows(f"PRAGMA max_page_count = {pages}")
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(record, os.urandom(16))

    with opened(path) as journal:
        with pytest.RaisesGroup(pytest.RaisesExc(UsageError, match="disk is full")):
            served(journal, work)
        journal._writer.rows("PRAGMA max_page_count = 100000")
        trio.run(record_ok, journal, OTHER)
    assert told == [f"the disk is full: `{path}` cannot be written"] * 5
    assert stored_keys(path) == {KEY, OTHER}


def test_a_full_disk_at_the_end_is_told(path: Path) -> None:
    async def main() -> None:
        journal._writer.rows("PRAGMA max_page_count = 1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.serve)
            await trio.testing.wait_all_tasks_blocked()
            with cancelled():
                await journal.record(KEY, 0, outcome="ok", reply=Reply(os.urandom(9000).hex()))
            nursery.cancel_scope.cancel()

    journal = opened(path)
    with pytest.RaisesGroup(pytest.RaisesExc(UsageError, match="disk is full")):
        trio.run(main)
    journal.close()


def refusal(path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        Journal.open(path, program="p")
    return caught.value


def test_a_file_that_is_no_database_is_refused_and_kept(path: Path) -> None:
    path.write_text("not a database, certainly not one " * 40)
    assert "is damaged" in refusal(path).message
    assert path.read_text().startswith("not a database")


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    sqlite3.connect(path).execute("CREATE TABLE theirs (x)").connection.close()
    assert refusal(path).message == f"`{path}` is not a journal of dpipe"


def test_a_newer_format_is_refused(path: Path) -> None:
    opened(path).close()
    sqlite3.connect(path).execute(f"PRAGMA user_version = {FORMAT + 1}").connection.close()
    assert f"has format {FORMAT + 1}" in refusal(path).message


def test_a_file_that_was_cut_off_is_refused(path: Path) -> None:
    with opened(path) as journal:
        for _ in range(50):
            recording(journal, 0, key=os.urandom(16), reply=Reply(os.urandom(900).hex()))
    os.truncate(path, path.stat().st_size // 2)
    assert "is damaged" in refusal(path).message


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE attempts SET texts = x'00'",
        "UPDATE attempts SET texts = substr(texts, 1, 30)",
        f"UPDATE attempts SET key = x'{OTHER.hex()}'",
        "UPDATE vectors SET vector = zeroblob(length(vector))",
        f"UPDATE vectors SET key = x'{OTHER.hex()}'",
    ],
)
def test_what_was_changed_is_refused(path: Path, change: str) -> None:
    with opened(path) as journal:
        recording(journal, 0)
        trio.run(journal.record_vectors, {KEY: b"abcd"})
        journal._writer.rows(change)
        with pytest.raises(UsageError, match="is damaged: an answer cannot be read"):
            recall_all(journal)


def recall_all(journal: Journal) -> None:
    for key in (KEY, OTHER):
        journal.recall(key)
    journal.recall_vectors([KEY, OTHER])


def test_bytes_changed_on_disk_give_no_wrong_answer(path: Path) -> None:
    answers = {os.urandom(16): Reply(os.urandom(200).hex()) for _ in range(300)}

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            for key, reply in answers.items():
                nursery.start_soon(partial(journal.record, key, 0, outcome="ok", reply=reply))

    with opened(path) as journal:
        served(journal, work)
    whole = path.read_bytes()
    for place in range(5000, len(whole), len(whole) // 40):
        path.write_bytes(whole[:place] + bytes(64) + whole[place + 64 :])
        assert wrong_answers(path, answers) == []


def wrong_answers(path: Path, answers: dict[bytes, Reply]) -> list[Recorded]:
    """What is recalled and was not recorded; what is refused or missing is not wrong."""
    wrong: list[Recorded] = []
    with suppress(UsageError), Journal.open(path, program="p") as journal:
        for key, reply in answers.items():
            with suppress(UsageError):
                wrong += [entry for entry in journal.recall(key) if entry.reply != reply]
    return wrong


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "journal.sqlite"
    assert refusal(path).message.startswith(f"`{path}` cannot be read or written")


# -- runs ----------------------------------------------------------------------------------------


def test_a_run_is_not_ended_until_it_says_so(path: Path) -> None:
    with opened(path) as journal:
        assert journal.run == 1
        assert not journal.ended(1)
        journal.end_run()
        assert journal.ended(1)


def test_a_run_that_was_cut_off_is_not_ended_for_the_next(path: Path) -> None:
    opened(path).close()
    with opened(path) as journal:
        assert journal.run == 2
        assert not journal.ended(1)


def test_a_run_that_ends_ends_the_cut_off_ones_of_its_program(path: Path) -> None:
    opened(path).close()
    opened(path, program="other.dpipe").close()
    with opened(path) as journal:
        journal.end_run()
    with opened(path) as journal:
        assert [journal.ended(run) for run in (1, 2, 3, 4)] == [True, False, True, False]


def test_what_others_do_meanwhile_changes_no_answer(path: Path) -> None:
    opened(path, program="other.dpipe").close()
    with opened(path) as journal, opened(path, program="other.dpipe") as other:
        other.end_run()
        assert not journal.ended(1)
        assert not journal.ended(3)


# -- helpers -------------------------------------------------------------------------------------


async def record_ok(journal: Journal, key: bytes) -> None:
    await journal.record(key, 0, outcome="ok", reply=REPLY)


def stored_keys(path: Path) -> set[bytes]:
    """What a reader of the file itself finds."""
    with closing(sqlite3.connect(path)) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM attempts")}


@contextmanager
def cancelled() -> Iterator[None]:
    with trio.CancelScope() as scope:
        scope.cancel()
        yield


@contextmanager
def held(path: Path) -> Iterator[Callable[[], None]]:
    """Hold the file against writers until the given function is called."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield lambda: connection.execute("COMMIT") and None


# -- where the journal should be -----------------------------------------------------------------


def test_a_folder_in_its_place_is_told(path: Path) -> None:
    path.mkdir()
    assert refusal(path).message.startswith(f"`{path}` cannot be read or written")
    assert path.is_dir()


def test_an_empty_file_is_a_new_journal(path: Path) -> None:
    path.touch()
    with opened(path) as journal:
        recording(journal, 0)
    assert stored_keys(path) == {KEY}


def test_a_log_without_its_journal_harms_no_new_one(path: Path) -> None:
    elsewhere = path.with_name("other.sqlite")
    with opened(elsewhere) as journal:
        recording(journal, 0, key=OTHER)
        shutil.copy(f"{elsewhere}-wal", f"{path}-wal")
    with opened(path) as journal:
        recording(journal, 0)
    assert stored_keys(path) == {KEY}


def test_a_journal_that_cannot_be_written_is_told_and_kept(path: Path) -> None:
    with opened(path) as journal:
        recording(journal, 0)
    with Journal.open(path, program="p") as journal:
        journal._writer.rows("PRAGMA query_only = ON")
        with pytest.raises(UsageError, match="cannot be read or written"):
            journal.begin_run("r")
        journal._writer.rows("PRAGMA query_only = OFF")
    assert stored_keys(path) == {KEY}


def test_what_a_power_cut_left_damaged_in_the_log_is_dropped(path: Path) -> None:
    with opened(path) as journal:
        recording(journal, 0)
        journal._writer.sync()
        recording(journal, 0, key=OTHER, reply=Reply(os.urandom(9000).hex()))
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{path}.copy{end}")
    with Path(f"{path}.copy-wal").open("r+b") as log:
        log.seek(32 + 24 + 100)  # in the first page that came after the sync
        log.write(b"\xff" * 50)
    with Journal.open(Path(f"{path}.copy"), program="p") as journal:
        assert attempts(journal.recall(KEY)) == [0]
        assert journal.recall(OTHER) == []


# -- what a run used -----------------------------------------------------------------------------


def used(path: Path) -> dict[str, set[bytes]]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT program, keys FROM uses ORDER BY program")
        return {
            program: {keys[at : at + 16] for at in range(0, len(keys), 16)}
            for program, keys in rows
        }


def test_a_run_notes_what_it_recalled_and_recorded(path: Path) -> None:
    with opened(path) as journal:
        recording(journal, 0, 1)
        trio.run(journal.record_vectors, {b"v" * 16: b"abcd"})
        journal.end_run()
    with opened(path, program="b") as journal:
        journal.recall(KEY)
        journal.recall(OTHER)
        journal.recall_vectors([b"v" * 16])
        journal.end_run()
    assert used(path) == {"qa.dpipe": {KEY, b"v" * 16}, "b": {KEY, b"v" * 16}}


def test_a_whole_run_replaces_what_was_noted_and_a_stopped_one_adds_to_it(path: Path) -> None:
    for keys, whole in [([KEY], True), ([OTHER], False), ([b"n" * 16], None)]:
        with opened(path) as journal:
            for key in keys:
                recording(journal, 0, key=key)
            if whole is not None:
                journal.end_run(whole=whole)
    assert used(path) == {"qa.dpipe": {KEY, OTHER, b"n" * 16}}
    with opened(path) as journal:
        journal.recall(OTHER)
        journal.end_run()
    assert used(path) == {"qa.dpipe": {OTHER}}
