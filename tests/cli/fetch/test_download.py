"""Downloads from a site that breaks off, changes, lies, redirects and is slow: resumed, checked, refused."""

from __future__ import annotations

import gzip
import tomllib
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from nbrelapse.errors import InputError
from nbrelapse.readers import FetchedStudy, PublicStudy, _download, fetch_study

NAME = "table.txt.gz"


def take(study: PublicStudy, folder: Path, **how: Any) -> FetchedStudy:
    return fetch_study(study, folder, accept_terms=True, **how)


def ranges(site: Any) -> list[str | None]:
    return [headers.get("Range") for _, headers in site.requests]


def test_a_file_comes_whole_and_is_not_asked_for_again(site: Any, content: bytes, tmp_path: Path) -> None:
    found = take(site.study(), tmp_path)
    assert (tmp_path / NAME).read_bytes() == content
    assert found.files == {NAME: sha256(content).hexdigest()}
    assert found.fetched == [NAME]
    record = tomllib.loads((tmp_path / "fetched.toml").read_text())
    assert record["files"][NAME]["bytes"] == len(content)
    assert record["files"][NAME]["etag"] == '"v1"'
    assert record["terms"]["titles"] == ["Open terms"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fetched.toml", NAME]
    assert site.requests[0][1]["Accept-Encoding"] == "identity"
    again = fetch_study(site.study(), tmp_path, accept_terms=False)
    assert (again.fetched, again.files, len(site.requests)) == ([], found.files, 1)


def test_a_broken_connection_goes_on_where_it_stopped(site: Any, content: bytes, tmp_path: Path) -> None:
    site.faults["/table.txt.gz"] = [("break", 100_000), ("break", 50_000)]
    take(site.study(), tmp_path)
    assert (tmp_path / NAME).read_bytes() == content
    assert ranges(site) == [None, "bytes=100000-", "bytes=150000-"]
    assert site.requests[1][1]["If-Range"] == '"v1"'
    assert site.sent == len(content)


@pytest.mark.parametrize("block", [1, 7, 18])
def test_an_interruption_leaves_a_part_and_the_next_call_goes_on(
    site: Any, content: bytes, tmp_path: Path, block: int
) -> None:
    blocks = 0

    def interrupt(*_: Any) -> None:
        nonlocal blocks
        blocks += 1
        if blocks == block:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(site.study(), tmp_path, progress=interrupt)
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"fetched.toml", f"{NAME}.part", f"{NAME}.part.json"}
    there = (tmp_path / f"{NAME}.part").stat().st_size
    assert 0 < there < len(content)
    take(site.study(), tmp_path)
    assert ranges(site) == [None, f"bytes={there}-"]
    assert (tmp_path / NAME).read_bytes() == content


def half(site: Any, tmp_path: Path) -> None:
    """Leave a part of the first version."""
    site.faults["/table.txt.gz"] = [("break", 100_000), *[("status", (404, {}))]]
    with suppress(InputError):
        take(site.study(), tmp_path)
    assert (tmp_path / f"{NAME}.part").stat().st_size == 100_000
    site.requests.clear()


@pytest.mark.parametrize("fault", ["", "careless", "no ranges"])
def test_a_changed_file_starts_anew(site: Any, content: bytes, tmp_path: Path, fault: str) -> None:
    half(site, tmp_path)
    other = gzip.compress(bytes(1000), mtime=0) + content
    site.files["/table.txt.gz"], site.etags["/table.txt.gz"] = other, '"v2"'
    site.faults["/table.txt.gz"] = [(fault, None)]
    take(site.study(), tmp_path)
    assert (tmp_path / NAME).read_bytes() == other
    assert ranges(site)[0] == "bytes=100000-"


def test_another_range_than_the_one_asked_for_is_not_taken(site: Any, content: bytes, tmp_path: Path) -> None:
    half(site, tmp_path)
    site.faults["/table.txt.gz"] = [("elsewhere", 500)]
    take(site.study(), tmp_path)
    assert ranges(site) == ["bytes=100000-", None]
    assert (tmp_path / NAME).read_bytes() == content


def test_a_range_that_ends_early_is_not_the_end(site: Any, content: bytes, tmp_path: Path) -> None:
    half(site, tmp_path)
    site.faults["/table.txt.gz"] = [("short", 50_000)]
    take(site.study(), tmp_path)
    assert ranges(site) == ["bytes=100000-", "bytes=150000-"]
    assert (tmp_path / NAME).read_bytes() == content


def test_breaks_with_progress_between_them_are_no_reason_to_give_up(site: Any, content: bytes, tmp_path: Path) -> None:
    site.faults["/table.txt.gz"] = [("break", 20_000)] * (_download.TRIES + 3)
    take(site.study(), tmp_path)
    assert len(site.requests) == _download.TRIES + 4
    assert (tmp_path / NAME).read_bytes() == content


def test_a_part_of_another_address_is_not_gone_on_with(site: Any, content: bytes, tmp_path: Path) -> None:
    half(site, tmp_path)
    other = gzip.compress(bytes(1000), mtime=0) + content
    site.files["/newer/table.txt.gz"] = other
    take(site.study("/newer/table.txt.gz"), tmp_path)
    assert ranges(site) == [None]
    assert (tmp_path / NAME).read_bytes() == other


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_without_a_mark_that_can_be_relied_on_it_starts_anew(
    site: Any, content: bytes, tmp_path: Path, etag: str | None
) -> None:
    site.etags["/table.txt.gz"] = etag
    half(site, tmp_path)
    take(site.study(), tmp_path)
    assert ranges(site) == [None]
    assert (tmp_path / NAME).read_bytes() == content


def test_the_date_is_the_mark_where_there_is_no_strong_one(site: Any, content: bytes, tmp_path: Path) -> None:
    site.etags["/table.txt.gz"], site.modified = 'W/"v1"', "Sat, 28 Nov 2026 18:00:00 GMT"
    half(site, tmp_path)
    take(site.study(), tmp_path)
    assert ranges(site) == ["bytes=100000-"]
    assert site.requests[0][1]["If-Range"] == site.modified
    assert (tmp_path / NAME).read_bytes() == content


def test_a_part_that_is_whole_needs_no_byte_more(site: Any, content: bytes, tmp_path: Path) -> None:
    half(site, tmp_path)
    (tmp_path / f"{NAME}.part").write_bytes(content)
    sent = site.sent
    take(site.study(), tmp_path)
    assert site.sent == sent
    assert (tmp_path / NAME).read_bytes() == content


def test_a_part_longer_than_the_file_starts_anew(site: Any, content: bytes, tmp_path: Path) -> None:
    half(site, tmp_path)
    (tmp_path / f"{NAME}.part").write_bytes(content + b"more")
    take(site.study(), tmp_path)
    assert (tmp_path / NAME).read_bytes() == content


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_answer_that_may_pass_is_asked_again(site: Any, content: bytes, tmp_path: Path, status: int) -> None:
    site.faults["/table.txt.gz"] = [("status", (status, {"Retry-After": "3600"}))] * 2
    take(site.study(), tmp_path)
    assert len(site.requests) == 3
    assert (tmp_path / NAME).read_bytes() == content


def test_patience_ends(site: Any, tmp_path: Path) -> None:
    site.faults["/table.txt.gz"] = [("status", (500, {}))] * 20
    with pytest.raises(InputError, match=r"127\.0\.0\.1 answers 500 Internal Server Error") as refused:
        take(site.study(), tmp_path)
    assert len(site.requests) == _download.TRIES
    assert refused.value.file == site.address()
    assert str(tmp_path) in str(refused.value.fix)


def test_what_is_not_there_is_asked_for_once(site: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="answers 404 Not Found"):
        take(site.study("/gone.txt.gz"), tmp_path)
    assert len(site.requests) == 1


def test_a_length_that_is_too_long_is_never_whole(site: Any, content: bytes, tmp_path: Path) -> None:
    site.faults["/table.txt.gz"] = [("length", len(content) + 10), ("status", (404, {}))]
    with pytest.raises(InputError, match="404"):
        take(site.study(), tmp_path)
    assert not (tmp_path / NAME).exists()


def test_a_length_that_is_too_short_is_a_damaged_file(site: Any, content: bytes, tmp_path: Path) -> None:
    site.faults["/table.txt.gz"] = [("length", len(content) - 10)]
    with pytest.raises(InputError, match="cut off or damaged"):
        take(site.study(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["fetched.toml"]
    take(site.study(), tmp_path)
    assert (tmp_path / NAME).read_bytes() == content


def test_a_page_in_place_of_the_file_is_refused(site: Any, tmp_path: Path) -> None:
    site.files["/table.txt.gz"] = b"<html>please log in</html>"
    with pytest.raises(InputError, match="no gzip file"):
        take(site.study(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["fetched.toml"]


def test_more_than_the_limit_is_refused_before_a_byte_is_kept(site: Any, tmp_path: Path) -> None:
    site.files["/table.txt.gz"] = bytes(3_000_000)
    with pytest.raises(InputError, match="sends more than it should"):
        take(site.study(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["fetched.toml"]


def test_a_server_without_a_length_is_stopped_at_the_limit(site: Any, tmp_path: Path) -> None:
    site.faults["/table.txt.gz"] = [("endless", None)]
    with pytest.raises(InputError, match="sends more than it should"):
        take(site.study(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["fetched.toml"]


def test_a_server_that_hangs_is_asked_again(
    site: Any, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_download, "READ_SECONDS", 0.1)
    site.faults["/table.txt.gz"] = [("slow", 0.4)]
    take(site.study(), tmp_path)
    assert len(site.requests) == 2
    assert (tmp_path / NAME).read_bytes() == content


def test_a_redirect_on_this_machine_is_followed(site: Any, content: bytes, tmp_path: Path) -> None:
    site.faults["/moved.txt.gz"] = [("redirect", "/table.txt.gz")]
    take(site.study("/moved.txt.gz"), tmp_path)
    assert (tmp_path / "moved.txt.gz").read_bytes() == content


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("http://example.org/table.txt.gz", "not HTTPS"),
        ("ftp://example.org/table.txt.gz", "not HTTPS"),
        ("file:///etc/passwd", "not HTTPS"),
        ("http://[", "an address that is none"),
        ("/moved.txt.gz", "without end"),
    ],
)
def test_a_redirect_elsewhere_is_refused(site: Any, tmp_path: Path, target: str, problem: str) -> None:
    site.faults["/moved.txt.gz"] = [("redirect", target)] * 20
    with pytest.raises(InputError, match=problem):
        take(site.study("/moved.txt.gz"), tmp_path)


def test_http_of_another_machine_is_refused_without_asking(site: Any, tmp_path: Path) -> None:
    file = site.study().files[0].model_copy(update={"address": "http://192.0.2.1/table.txt.gz"})
    with pytest.raises(InputError, match="not HTTPS"):
        take(site.study().model_copy(update={"files": [file]}), tmp_path)


def test_the_proxy_of_the_environment_is_asked_and_its_password_not_told(
    site: Any, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = site.study().files[0].model_copy(update={"address": "http://127.0.0.2:9/table.txt.gz"})
    study = site.study().model_copy(update={"files": [file]})
    site.files["http://127.0.0.2:9/table.txt.gz"] = content
    monkeypatch.setenv("http_proxy", site.address("").replace("http://", "http://user:secret@"))
    take(study, tmp_path / "by proxy")
    assert site.requests[0][0] == "http://127.0.0.2:9/table.txt.gz"
    monkeypatch.setenv("http_proxy", "http://user:secret@127.0.0.1:1")
    with pytest.raises(InputError, match="proxy gives no connection") as refused:
        take(study, tmp_path / "no proxy")
    assert "secret" not in str(refused.value)


def test_a_disk_without_room_is_said_before(
    site: Any, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = _download.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(_download.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(InputError, match=f"{len(content):,} bytes are needed, 1,000 are free"):
        take(site.study(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["fetched.toml"]


def test_one_command_at_a_time_in_a_folder(site: Any, tmp_path: Path) -> None:
    def nested(*_: Any) -> None:
        with pytest.raises(InputError, match="another command fetches into this folder"):
            take(site.study(), tmp_path)

    take(site.study(), tmp_path, progress=nested)


@pytest.fixture
def fetched(site: Any, tmp_path: Path) -> Callable[[], FetchedStudy]:
    take(site.study(), tmp_path)
    return lambda: take(site.study(), tmp_path)


def test_a_file_that_changed_on_the_disk_is_refused(fetched: Callable[[], FetchedStudy], tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"other")
    with pytest.raises(InputError, match="no longer what was fetched"):
        fetched()


def test_a_file_that_changed_at_its_source_is_refused(
    fetched: Callable[[], FetchedStudy], site: Any, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / NAME).unlink()
    assert fetched().fetched == [NAME]
    (tmp_path / NAME).unlink()
    site.files["/table.txt.gz"] = content + content
    with pytest.raises(InputError, match="now serves another file than at the first download") as refused:
        fetched()
    assert str(tmp_path / "fetched.toml") in str(refused.value.fix)
    assert [file.name for file in tmp_path.iterdir()] == ["fetched.toml"]


def test_a_file_fetched_by_hand_is_taken(site: Any, content: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(content)
    found = take(site.study(), tmp_path)
    assert (found.fetched, site.requests) == ([], [])
    assert "was there already" in found.notes[0]
    (tmp_path / NAME).write_bytes(content + b"x")
    with pytest.raises(InputError, match="no longer what was fetched"):
        take(site.study(), tmp_path)
