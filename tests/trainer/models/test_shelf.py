"""The shelf's rules: which model is live, what `make train` may change, what is never thrown away."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.trainer.models import sources
from bot.trainer.models.make import make
from bot.trainer.models.shelf import KEPT, MAKE_TRAIN, NothingBefore, Shelf, ShelfError, etag_of
from chargeline.processes import ROOT
from chargeline.settings import Settings

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def put(shelf: Shelf, name: str, age: float = 0.0, frame: str = "f1") -> None:
    shelf.folder.mkdir(exist_ok=True)
    shelf.file(name).write_bytes(name.encode())
    os.utime(shelf.file(name), (1000 - age, 1000 - age))
    shelf.note(name, frame=frame)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models")


def live(shelf: Shelf) -> str | None:
    found = shelf.live()
    return found.id if found else None


def test_the_newest_is_live_until_somebody_decides(shelf: Shelf) -> None:
    assert live(shelf) is None
    put(shelf, "old", age=10)
    put(shelf, "new")
    assert live(shelf) == "new"
    shelf.promote("old", "ada", "it was better", NOW)
    assert live(shelf) == "old"
    shelf.file("old").unlink()
    assert live(shelf) == "new"


def test_make_train_puts_its_model_live_where_no_trainer_has_decided(shelf: Shelf) -> None:
    put(shelf, "one", age=10)
    assert shelf.settle("one", "f1", NOW) is None
    put(shelf, "two")
    assert shelf.settle("two", "f1", NOW) is None
    assert live(shelf) == "two"
    assert [row.who for row in shelf.history()] == [MAKE_TRAIN, MAKE_TRAIN]
    assert shelf.settle("two", "f1", NOW) is None
    assert len(shelf.history()) == 2


def test_make_train_leaves_a_trainers_decision_alone(shelf: Shelf) -> None:
    put(shelf, "trained", age=10)
    shelf.promote("trained", "ada", "the best so far", NOW)
    put(shelf, "made")
    assert "trained stays live: ada decided so on 2026-11-27 12:00 (the best so far)" in str(
        shelf.settle("made", "f1", NOW)
    )
    assert live(shelf) == "trained"


def test_a_new_version_of_the_product_gets_a_model_that_fits_it(shelf: Shelf) -> None:
    put(shelf, "trained", age=10, frame="f1")
    shelf.promote("trained", "ada", "the best so far", NOW)
    put(shelf, "made", frame="f2")
    assert shelf.settle("made", "f2", NOW) is None
    assert live(shelf) == "made"
    assert "the product has changed" in shelf.history()[0].why
    assert shelf.roll_back("ada", "", NOW).model == "trained"


def test_once_trainers_work_a_candidate_is_not_live_for_being_the_newest(shelf: Shelf) -> None:
    put(shelf, "served", age=10)
    shelf.settle("served", "f1", NOW)
    shelf.pin("ada", NOW)
    put(shelf, "candidate")
    assert live(shelf) == "served"
    assert shelf.settle("candidate", "f1", NOW) is not None
    assert live(shelf) == "served"
    assert (shelf.history()[0].did, shelf.history()[0].who) == ("kept", "ada")
    shelf.pin("ben", NOW)
    assert shelf.history()[0].who == "ada"


def test_a_decision_against_a_model_that_is_live_no_more_is_refused(shelf: Shelf) -> None:
    for name in ("one", "two", "three"):
        put(shelf, name)
    shelf.promote("one", "ada", "first", NOW)
    shelf.promote("two", "ben", "second", NOW, expect="one")
    with pytest.raises(ShelfError, match="another model went live"):
        shelf.promote("three", "ada", "third", NOW, expect="one")
    assert live(shelf) == "two"


def test_old_models_go_but_never_the_live_one_or_those_to_roll_back_to(shelf: Shelf) -> None:
    put(shelf, "before", age=900)
    put(shelf, "live", age=800)
    shelf.promote("before", "ada", "first", NOW)
    shelf.promote("live", "ada", "second", NOW)
    for number in range(KEPT + 3):
        put(shelf, f"m{number}", age=number)
    put(shelf, "candidate", age=700)
    gone = shelf.clean_up(keep=["candidate"])
    assert gone == [f"m{number}" for number in range(KEPT, KEPT + 3)]
    assert {"before", "live", "candidate"} <= {one.id for one in shelf.models()}
    assert not (shelf.folder / f"m{KEPT}.json").exists()
    assert shelf.roll_back("ada", "", NOW).model == "before"
    with pytest.raises(NothingBefore):
        shelf.roll_back("ada", "", NOW)


def test_two_trainings_at_once_are_one_too_many(shelf: Shelf) -> None:
    with shelf.training(), pytest.raises(ShelfError, match="being trained already"), Shelf(shelf.folder).training():
        pass


def test_a_damaged_pointer_is_no_pointer(shelf: Shelf) -> None:
    put(shelf, "one")
    (shelf.folder / "live.json").write_text("{")
    assert live(shelf) == "one"


def test_the_etag_names_the_content(shelf: Shelf) -> None:
    put(shelf, "one")
    before = etag_of(shelf.file("one"))
    put(shelf, "one", age=5)
    assert etag_of(shelf.file("one")) == before
    shelf.file("one").write_bytes(b"trained anew")
    assert etag_of(shelf.file("one")) != before
    assert before.startswith('"one-')


def test_messages_and_wording_do_not_change_the_frame_and_all_else_does(tmp_path: Path) -> None:
    for name in ("data/nlu/en/a.yml", "data/rules/a.yml", "domain/domain.yml", "domain/responses/en.yml", "config.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    def both() -> tuple[str, str]:
        return sources.model_id(tmp_path), sources.frame_hash(tmp_path)

    for name, same_frame in (
        ("data/nlu/en/a.yml", True),
        ("domain/responses/en.yml", True),
        ("data/rules/a.yml", False),
        ("domain/domain.yml", False),
        ("config.yml", False),
    ):
        before = both()
        (tmp_path / name).write_text("changed")
        assert both()[0] != before[0], name
        assert (both()[1] == before[1]) == same_frame, name


async def test_make_run_trains_nothing_where_trainers_have_decided_on_a_model_that_fits(
    shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    put(shelf, "trained", frame=sources.frame_hash(ROOT))
    shelf.promote("trained", "ada", "the best so far", NOW)
    await make(Settings(models_dir=str(shelf.folder)), serve=True)
    assert capsys.readouterr().out == "train: trained is live, as ada decided on 2026-11-27\n"
    assert [one.id for one in shelf.models()] == ["trained"]
