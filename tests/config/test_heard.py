"""Alarms that a call raises are told on its error stream."""

import json
from pathlib import Path

from releo_da.config.heard import Heard


def record(state: str, sensor: str) -> str:
    about = {"since": "2020-05-01T10:50:00", "figure": 0.1, "what": "moved"}
    words = {"alarm": "biased", "sensor": sensor, "channel": "B04", "done": "d", "advice": "a"}
    return json.dumps({"kind": "alarm", "state": state, "time": "t", **words, **about}) + "\n"


def test_new_alarms_are_told_once_and_those_of_before_or_cleared_are_not(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(record("raised", "before"), encoding="utf-8")
    heard = Heard(tmp_path)
    assert heard.raised() == []
    with log.open("a", encoding="utf-8") as file:
        file.write(record("raised", "a") + record("raised", "b") + record("cleared", "b"))
        file.write('{"kind": "alarm", "sta')
    (told,) = heard.raised()
    assert told.startswith("releo-da: ALARM biased a B04, since 2020-05-01T10:50:00: moved.")
    assert heard.raised() == []


def test_a_log_that_was_moved_away_is_heard_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(record("raised", "before") * 3, encoding="utf-8")
    heard = Heard(tmp_path)
    log.rename(tmp_path / "log.1")
    log.write_text(record("raised", "a"), encoding="utf-8")
    assert len(heard.raised()) == 1
    assert heard.raised() == []


def test_an_alarm_of_several_tiles_is_one_line(tmp_path: Path) -> None:
    heard = Heard(tmp_path / "run")  # not there yet
    for name in ("r0_c0", "r0_c8"):
        folder = tmp_path / "run" / "tiles" / name
        folder.mkdir(parents=True)
        (folder / "log.jsonl").write_text(record("raised", "a"), encoding="utf-8")
    (told,) = heard.raised()
    assert told.endswith("(tiles: 2)")
