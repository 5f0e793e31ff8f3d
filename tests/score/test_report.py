"""What `make score` leaves behind: a table, JSON, and one HTML file that needs nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sandbox.conversations import measures, network, report
from sandbox.conversations.__main__ import main
from sandbox.conversations.judge import judge
from sandbox.conversations.load import load_all
from sandbox.conversations.play import Played
from sandbox.plan import load as load_network
from tests.score.made import ADA, BOOK, Story, charger, connector, scenario

ABOUT = {"seconds": 12.5, "clock_speed": 10.0, "parallel": 4}


def played(tmp_path: Path) -> list[Played]:
    case = scenario(tmp_path)
    story = Story(charger(connector(1, token=ADA, power_w=7200), connector(2))).driver(0, "<b>7001</b> & co")
    story.bot(1, "I've stopped your session.").call(2, "Reset", type="Hard")
    history = story.end(20)
    return [Played(case, history, judge(case, history, BOOK))]


def test_the_page_needs_nothing_else_and_shows_what_was_wrong(tmp_path: Path) -> None:
    page = report.page(played(tmp_path), ABOUT)
    assert not re.search(r"(src|href)=|@import|url\(", page)
    assert "&lt;b&gt;7001&lt;/b&gt; &amp; co" in page
    assert "neighbour-safe-reset" in page
    assert "false claim" in page
    assert page.count("<svg") == 2


def test_json_and_table_carry_the_measures(tmp_path: Path) -> None:
    verdicts = [each.verdict for each in played(tmp_path)]
    kept = json.loads(json.dumps(measures.as_json(verdicts, ABOUT)))
    assert kept["measures"][-1]["problem"] == "all"
    assert kept["measures"][-1]["unsafe"] >= 1
    assert kept["scenarios"][0]["false_claims"][0]["claim"] == "stopped"
    assert "unsafe" in measures.table(verdicts).splitlines()[0]


def test_the_network_of_the_shipped_scenarios_is_one_the_sandbox_takes(tmp_path: Path) -> None:
    scenarios = load_all()
    network.write(scenarios, network.cast(scenarios), tmp_path / "network")
    plan = load_network(tmp_path / "network")
    assert len(plan.chargers) == sum(len(each.chargers) for each in scenarios)
    last4 = [row["id"][-4:] for row in plan.tokens]
    assert len(last4) == len(set(last4)), "tokens are told apart by their last four characters"
    phones = [row["phone"] for row in plan.drivers]
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", each) for each in phones)
    assert len(set(phones)) == len(phones)


def test_there_are_only_so_many_fictitious_numbers() -> None:
    with pytest.raises(network.TooManyDrivers):
        network.phone(1000)


def test_list_names_the_scenarios_that_a_pattern_picks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--only", "refused/*"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown
    assert all(line.startswith("refused/") for line in shown)


def test_a_pattern_that_picks_nothing_could_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--only", "nothing-like-it"]) == 2
    assert "no scenario matches" in capsys.readouterr().err


def test_a_bad_scenario_could_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "one.yml").write_text("shows: x\n")
    assert main(["--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("score: made/one.yml:1: file: chargers, drivers, expect is missing")
