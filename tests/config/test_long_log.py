"""Of the long log of a service its end is read, and of the rest the last start."""

import json
from pathlib import Path

from releo_da.config.finished import finished, last_line, records
from releo_da.config.last_call import last_call
from releo_da.config.report_notes import reading_notes


def test_the_end_of_a_log_and_its_last_start(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    begun = [{"kind": "started", "command": "cycle", "written": f"2020-01-0{k}"} for k in (1, 2)]
    lines = [json.dumps(one) for one in (*begun, *({"kind": "late", "k": k} for k in range(99)))]
    path.write_text("\n".join(lines) + "\n{", encoding="utf-8")
    found = records(path, 200)
    assert [one["kind"] for one in found[:2]] == ["cut", "started"] and found[1] == begun[1]
    late = [one["k"] for one in found if one["kind"] == "late"]
    assert late == list(range(99 - len(late), 99)) and 5 < len(late) < 10
    assert found[-1] == {"kind": "unreadable", "count": 1}
    assert found[0]["bytes"] + 200 > path.stat().st_size - 30
    assert records(path)[1] == begun[1] and records(path)[0] == begun[0]
    notes = reading_notes(found)
    assert any("older lines were not read" in one for one in notes)
    assert last_call(tmp_path)["started"] == "2020-01-02"
    for name, text in (("scores.json", "{}"), ("config.yaml", ""), ("ledger.sqlite", "")):
        (tmp_path / name).write_text(text)
    assert finished(tmp_path).made == begun[1]


def test_the_last_line_that_begins_so(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"")
    assert last_line(path, b"a") is None
    path.write_bytes(b"a1\nb\na2\nb a3\nb")
    assert last_line(path, b"a") == b"a2\n" and last_line(path, b"b") == b"b"
    assert last_line(path, b"a1") == b"a1\n" and last_line(path, b"c") is None


def test_what_looks_suspicious_is_told_once_of_each_kind() -> None:
    found = [("repeated", "a equals b"), ("repeated", "c equals d"), ("angles", "sun of 0")]
    log = [{"kind": "suspicious", "what": what, "message": said} for what, said in found]
    assert reading_notes(log) == [
        "Looks suspicious and was taken as it is: a equals b (and 1 more of this kind: log.jsonl)",
        "Looks suspicious and was taken as it is: sun of 0",
    ]
