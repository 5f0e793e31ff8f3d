"""The training data under trainers' hands: every byte elsewhere stays, nobody's work is lost, a broken file is told and left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.trainer.corpus.corpus import Change, Corpus, UnknownIntent
from bot.trainer.corpus.marked import NotAnExample, Span, clean_text, read_marks, write_marks
from bot.trainer.corpus.nlufile import BrokenFile, NotEditable, NotHere, read_nlu
from bot.trainer.safefile import ChangedMeanwhile, write

DOMAIN = "intents: [greet, thanks, goodbye, payment_failed: {use_entities: []}, EXTERNAL_x, nlu_fallback]\nentities: [charger_id]\n"
PLAIN = """\
version: "3.1"
# Greetings.   Trailing blanks and a comment that must stay.
nlu:
  - intent: greet   # first
    examples: |
      - hi
      - hello there  \n\
      - "quoted: yes" # no comment
      -   wide

  # between two intents
  - intent: thanks
    examples: |
      - thx
      - merci [1042](charger_id)
"""


def folder_with(tmp_path: Path, **files: str | bytes) -> Corpus:
    (tmp_path / "domain").mkdir(exist_ok=True)
    (tmp_path / "domain" / "core.yml").write_text(DOMAIN)
    for name, content in files.items():
        path = tmp_path / "data" / "nlu" / "en" / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Corpus(tmp_path)


def lines_that_differ(before: bytes, after: bytes) -> tuple[list[bytes], list[bytes]]:
    """Lines that are gone and lines that are new, when everything at both ends that is equal is left out."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return old, new


def test_an_added_example_is_one_new_line_and_nothing_else(tmp_path: Path) -> None:
    corpus = folder_with(tmp_path, talk=PLAIN)
    corpus.add("en", "greet", ["good morning"])
    after = (tmp_path / "data/nlu/en/talk.yml").read_bytes()
    assert lines_that_differ(PLAIN.encode(), after) == ([], [b"      - good morning\n"])


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.rstrip("\n"),
        PLAIN.replace("examples: |", "examples: |-"),
        PLAIN.replace("examples: |", "examples: |2"),
        PLAIN.replace("examples: |", "examples: |  # why these"),
        PLAIN + "\n\n# the end\n",
        PLAIN + "...\n",
        "---\n" + PLAIN,
        PLAIN.replace("  - intent", "- intent").replace("    examples", "  examples"),
        PLAIN.replace("      - hi\n", "      # said often\n      - hi\n\n"),
    ],
    ids=[
        "plain",
        "crlf",
        "bom",
        "no-end",
        "strip",
        "indent",
        "comment",
        "tail",
        "end-mark",
        "start-mark",
        "flat",
        "odd",
    ],
)
def test_every_edit_changes_its_own_line_only_and_can_be_undone_to_the_byte(tmp_path: Path, content: str) -> None:
    corpus = folder_with(tmp_path, talk=content)
    path = tmp_path / "data/nlu/en/talk.yml"
    before = path.read_bytes()
    done: list[Change] = []
    steps = [
        lambda: corpus.add("en", "thanks", ["ta [2042](charger_id)"]),
        lambda: [corpus.reword("en/talk.yml", "greet", "hi", "hiya")],
        lambda: [corpus.remove("en/talk.yml", "greet", "wide")],
        lambda: corpus.relabel("en/talk.yml", "greet", "hello there", "thanks"),
        lambda: corpus.add("en", "goodbye", ["bye"]),
    ]
    for step in steps:
        done += step()
    texts = {(row.intent, row.line) for row in corpus.rows()}
    assert texts == {
        *(("greet", "hiya"), ("greet", '"quoted: yes" # no comment'), ("thanks", "thx"), ("goodbye", "bye")),
        *(("thanks", "merci [1042](charger_id)"), ("thanks", "ta [2042](charger_id)"), ("thanks", "hello there")),
    }
    gone, new = lines_that_differ(before, path.read_bytes())
    kept = [line for line in before.splitlines() if line not in {b"".join(gone)}]
    assert [line for line in kept if b"#" in line and line in path.read_bytes().splitlines()] == [
        line for line in kept if b"#" in line
    ]
    assert len(new) <= len(gone) + 3
    corpus.undo(done)
    assert path.read_bytes() == before
    assert corpus.files() == ["en/talk.yml"]


TEXTS = st.text(
    st.sampled_from([*"abcdeé ñ'\"#:|>-[](){}&*!%@`,?/\\\t\n\r\u2028\x85\u200b😀"]) | st.characters(codec="utf-8"),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from([PLAIN, PLAIN.replace("\n", "\r\n"), PLAIN.rstrip("\n"), "\ufeff" + PLAIN]),
    edits=st.lists(
        st.tuples(st.sampled_from(["add", "remove", "reword", "move"]), st.integers(0, 9), TEXTS), max_size=6
    ),
)
def test_any_edits_change_only_what_they_say_and_undo_leaves_no_trace(
    tmp_path: Path, content: str, edits: list[tuple[str, int, str]]
) -> None:
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    corpus = folder_with(tmp_path, talk=content)
    path = tmp_path / "data/nlu/en/talk.yml"
    before = path.read_bytes()
    done: list[Change] = []
    for what, which, text in edits:
        at_first, rows = path.read_bytes(), corpus.rows()
        row = rows[which % len(rows)]
        other = "thanks" if row.intent == "greet" else "greet"
        try:
            line = clean_text(text) if what in {"add", "reword"} else row.line
            match what:
                case "add":
                    made = corpus.add("en", row.intent, [line])
                case "remove":
                    made = [corpus.remove(row.file, row.intent, row.line)]
                case "reword":
                    made = [corpus.reword(row.file, row.intent, row.line, line)]
                case _:
                    made = corpus.relabel(row.file, row.intent, row.line, other)
        except (NotAnExample, NotEditable):
            assert path.read_bytes() == at_first
            continue
        done += made
        expected = [(one.intent, one.line) for one in rows]
        for change in made:
            if change.what == "added":
                last = max(place for place, (intent, _) in enumerate(expected) if intent == change.intent)
                expected.insert(last + 1, (change.intent, change.line))
            elif change.what == "removed":
                expected.remove((change.intent, change.line))
            else:
                expected[expected.index((change.intent, change.line))] = (change.intent, change.new or "")
        assert [(one.intent, one.line) for one in corpus.rows()] == expected
        old, now = at_first.splitlines(keepends=True), path.read_bytes().splitlines(keepends=True)
        changed = sum(1 for change in made) + 1  # one line each; the last line of a file without an end gets one
        assert len(set(old) ^ set(now)) <= 2 * changed
    corpus.undo(done)
    assert path.read_bytes() == before


def test_two_trainers_at_once_lose_nothing(tmp_path: Path) -> None:
    folder_with(tmp_path, talk=PLAIN)

    def trainer(name: int) -> None:
        mine = Corpus(tmp_path)  # each as a process of its own would have it
        for number in range(15):
            mine.add("en", "greet", [f"hello {name} {number}"])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(trainer, range(4)))
    lines = {row.line for row in Corpus(tmp_path).rows()}
    assert {f"hello {name} {number}" for name in range(4) for number in range(15)} <= lines


def test_two_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    folder_with(tmp_path, talk=PLAIN)
    code = (
        "import sys; from pathlib import Path; from bot.trainer.corpus.corpus import Corpus\n"
        "for n in range(10): Corpus(Path(sys.argv[1])).add('en', 'thanks', [f'ta {sys.argv[2]} {n}'])"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "ab"]
    assert [process.wait(60) for process in both] == [0, 0]
    lines = {row.line for row in Corpus(tmp_path).rows()}
    assert {f"ta {name} {number}" for name in "ab" for number in range(10)} <= lines


def test_what_an_editor_saved_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "one.yml"
    path.write_bytes(b"as it was")
    path.write_bytes(b"somebody's edit")
    with pytest.raises(ChangedMeanwhile):
        write(path, b"as it was", b"ours")
    with pytest.raises(ChangedMeanwhile):
        write(path, None, b"ours")
    assert path.read_bytes() == b"somebody's edit"
    assert os.listdir(tmp_path) == ["one.yml"]


def test_an_example_that_somebody_else_changed_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    corpus = folder_with(tmp_path, talk=PLAIN)
    Corpus(tmp_path).reword("en/talk.yml", "greet", "hi", "hiya")
    now = (tmp_path / "data/nlu/en/talk.yml").read_bytes()
    for step in (
        lambda: corpus.remove("en/talk.yml", "greet", "hi"),
        lambda: corpus.reword("en/talk.yml", "greet", "hi", "hey"),
        lambda: corpus.relabel("en/talk.yml", "greet", "hi", "thanks"),
        lambda: corpus.remove("en/gone.yml", "greet", "hi"),
        lambda: corpus.remove("../../domain/core.yml", "greet", "hi"),
        lambda: corpus.remove(str(tmp_path / "data/nlu/en/talk.yml"), "greet", "hi"),
    ):
        with pytest.raises(NotHere):
            step()
    assert (tmp_path / "data/nlu/en/talk.yml").read_bytes() == now


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (PLAIN + "  - intent: goodbye\n    examples: [\n", 18, "flow"),
        (PLAIN.replace("  - intent: thanks", "\t- intent: thanks"), 12, "tab|token|mapping|start"),
        (PLAIN.replace("nlu:\n", "nlu: yes please\n", 1), 4, ""),
        ("nlu:\n  - greet\n", 2, "must say what it is"),
        ("nlu:\n  - intent: greet\n", 2, "no examples"),
        ("nlu:\n  - intent: greet\n    intent: bye\n    examples: |\n      - a\n", 3, "duplicate"),
        (PLAIN.encode().replace(b"merci", b"\xe9merci"), 15, "UTF-8"),
        ("- just\n- a list\n", 1, "mapping"),
        (PLAIN.replace("- thx", "- th\x07x"), 14, ""),
    ],
)
def test_a_broken_file_is_told_with_line_and_reason_and_never_written(
    tmp_path: Path, content: str | bytes, line: int, reason: str
) -> None:
    corpus = folder_with(tmp_path, broken=content, good=PLAIN.replace("thx", "thank you"))
    before = (tmp_path / "data/nlu/en/broken.yml").read_bytes()
    (told,) = corpus.broken()
    assert told.file == "en/broken.yml"
    assert told.line == line
    assert told.reason
    import re

    assert re.search(reason, told.reason), told.reason
    corpus.add("en", "greet", ["still works"])  # into the other file
    with pytest.raises(BrokenFile):
        corpus.remove("en/broken.yml", "thanks", "thx")
    assert (tmp_path / "data/nlu/en/broken.yml").read_bytes() == before


def test_the_last_example_of_an_intent_stays(tmp_path: Path) -> None:
    corpus = folder_with(tmp_path, talk="nlu:\n- intent: greet\n  examples: |\n    - hi\n")
    with pytest.raises(NotEditable, match="last example"):
        corpus.relabel("en/talk.yml", "greet", "hi", "thanks")
    assert [(row.intent, row.line) for row in corpus.rows()] == [("greet", "hi")]


def test_examples_as_a_list_are_read_and_left_to_people(tmp_path: Path) -> None:
    listed = (
        "nlu:\n- intent: greet\n  examples:\n  - text: |\n      hi\n    metadata: {sentiment: good}\n  - text: hello\n"
    )
    corpus = folder_with(tmp_path, talk=listed)
    assert [row.line for row in corpus.rows()] == ["hi", "hello"]
    with pytest.raises(NotEditable, match="only a person"):
        corpus.remove("en/talk.yml", "greet", "hi")
    (change,) = corpus.add("en", "greet", ["hey"])  # into a file of the desk's own
    assert change.file == "en/from_the_desk.yml"
    assert (tmp_path / "data/nlu/en/talk.yml").read_text() == listed


def test_only_known_intents_and_languages_are_added_to(tmp_path: Path) -> None:
    corpus = folder_with(tmp_path, talk=PLAIN)
    for intent in ("made_up", "EXTERNAL_x", "nlu_fallback"):
        with pytest.raises(UnknownIntent):
            corpus.add("en", intent, ["hi"])
    with pytest.raises(NotEditable):
        corpus.add("xx", "greet", ["hi"])
    assert corpus.add("en", "greet", ["hi"]) == []  # there already


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.lists(st.tuples(st.integers(0, 40), st.integers(1, 8)), max_size=3))
def test_marks_are_read_as_they_were_written(text: str, places: list[tuple[int, int]]) -> None:
    try:
        clean = clean_text(text)
        spans = [Span(start, min(len(clean), start + length), "charger_id") for start, length in sorted(places)]
        line = write_marks(clean, spans)
    except NotAnExample:
        return
    assert read_marks(line).text == clean
    assert list(read_marks(line).spans) == spans
    assert len(line.splitlines()) == 1


def test_rasas_own_reader_and_ours_agree_on_the_real_data() -> None:
    """Every example of the product's own data is where the desk says, and the files come back byte for byte."""
    root = Path(__file__).parents[2]
    corpus = Corpus(root)
    assert corpus.broken() == []
    rows = corpus.rows()
    assert len(rows) > 5000
    for file in corpus.files():
        content = (corpus.root / file).read_bytes()
        assert read_nlu(content).content == content
        lines = content.decode().split("\n")
        assert all(row.line in lines[row.number - 1] for row in rows if row.file == file)
        assert all(block.editable for block in read_nlu(content).blocks)


def test_each_change_is_a_commit_on_a_branch_and_what_is_checked_out_stays(tmp_path: Path) -> None:
    from bot.trainer import branch

    corpus = folder_with(tmp_path, talk=PLAIN)

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    assert branch.commit(tmp_path, "trainers-desk", ["data/nlu"], "x", "ada") is None  # no repository
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "first")
    (tmp_path / "notes.txt").write_text("staged by somebody")
    git("add", "notes.txt")
    head, status = git("rev-parse", "HEAD"), git("status", "--porcelain")
    for number, trainer in enumerate(["ada", "ben"]):
        corpus.add("en", "greet", [f"hello {number}"])
        branch.commit(tmp_path, "trainers-desk", ["data/nlu", "domain/responses"], f"Added hello {number}", trainer)
    assert git("log", "--format=%an %s", "trainers-desk") == "ben Added hello 1\nada Added hello 0\nt first"
    assert git("rev-parse", "HEAD") == head
    assert git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert status in git("status", "--porcelain")
    assert git("diff", "--stat", "main", "trainers-desk").endswith("2 insertions(+)")
    assert (tmp_path / "data/nlu/en/talk.yml").read_text() == git("show", "trainers-desk:data/nlu/en/talk.yml") + "\n"
