"""What can be fetched, on what terms; archives that are what they say and others; what the command says and leaves."""

from __future__ import annotations

import io
import re
import shlex
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from nbrelapse.errors import InputError
from nbrelapse.readers import FetchedStudy, _archives, _download, fetch_study, public_studies

SAMPLES = """#Patient\tSample\tType
#Patient\tSample\tType
#STRING\tSTRING\tSTRING
#1\t1\t1
PATIENT_ID\tSAMPLE_ID\tSAMPLE_TYPE
P-1\tP-1-01\tPrimary
P-2\tP-2-01\tPrimary
"""
PATIENTS = """#Patient\tStatus\tMonths
#Patient\tStatus\tMonths
#STRING\tSTRING\tNUMBER
#1\t1\t1
PATIENT_ID\tOS_STATUS\tOS_MONTHS
P-1\t1:DECEASED\t12
P-2\t0:LIVING\t40
"""
STUDY = {"nbl/data_clinical_sample.txt": SAMPLES, "nbl/data_clinical_patient.txt": PATIENTS}


def member(name: str, content: str = "", **about: Any) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info = tarfile.TarInfo(name)
    info.size = len(content.encode())
    for key, value in about.items():
        setattr(info, key, value)
    return info, io.BytesIO(content.encode())


def archive(*more: tuple[tarfile.TarInfo, io.BytesIO]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for info, content in [*(member(name, text) for name, text in STUDY.items()), *more]:
            tar.addfile(info, content)
    return file.getvalue()


@pytest.fixture
def take(site: Any, tmp_path: Path) -> Callable[..., FetchedStudy]:
    def fetch_archive(*more: tuple[tarfile.TarInfo, io.BytesIO], **about: Any) -> FetchedStudy:
        site.files["/nbl.tar.gz"] = archive(*more)
        study = site.study("/nbl.tar.gz", **{"reader": "cbioportal", **about})
        return fetch_study(study, tmp_path / "here", accept_terms=True)

    return fetch_archive


def test_an_archive_is_unpacked_into_a_folder_of_its_name(
    take: Callable[..., FetchedStudy], names: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    found = take()
    assert names(tmp_path / "here") == [
        "fetched.toml",
        "nbl",
        "nbl.tar.gz",
        "nbl/data_clinical_patient.txt",
        "nbl/data_clinical_sample.txt",
    ]
    assert (tmp_path / "here" / "nbl" / "data_clinical_sample.txt").read_text() == SAMPLES
    assert found.command == ["nbrelapse", "cohort", "import", "cbioportal", str(tmp_path / "here" / "nbl")]


def test_an_archive_that_was_not_unpacked_is_unpacked_without_the_site(
    take: Callable[..., FetchedStudy], site: Any, tmp_path: Path
) -> None:
    take()
    (tmp_path / "here" / "nbl").rename(tmp_path / "elsewhere")
    assert take().fetched == []
    assert len(site.requests) == 1
    assert (tmp_path / "here" / "nbl" / "data_clinical_patient.txt").read_text() == PATIENTS


@pytest.mark.parametrize("name", ["../outside.txt", "nbl/../../outside.txt"])
def test_an_archive_that_would_write_outside_is_refused(
    take: Callable[..., FetchedStudy], names: Callable[[Path], list[str]], tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match="would write outside its folder"):
        take(member(name, "x"))
    assert names(tmp_path) == ["here", "here/fetched.toml", "here/nbl.tar.gz"]


def test_an_absolute_path_stays_inside(take: Callable[..., FetchedStudy], tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    take(member(str(outside), "x"))
    assert not outside.exists()


def test_links_and_devices_are_left_out_and_counted(take: Callable[..., FetchedStudy], tmp_path: Path) -> None:
    found = take(
        member("nbl/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("nbl/hard", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        member("nbl/device", type=tarfile.CHRTYPE),
    )
    assert "nbl.tar.gz: 3 links or devices were left out" in found.notes
    assert len(list((tmp_path / "here" / "nbl").iterdir())) == 2


def test_what_unpacks_to_too_much_is_refused(
    take: Callable[..., FetchedStudy], site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_archives, "_MOST_UNPACKED", 1)
    with pytest.raises(InputError, match="unpacks to more than it may"):
        take(member("nbl/zeros.txt", "0" * 3_000_000))
    assert [file.name for file in (tmp_path / "here").iterdir()] == ["fetched.toml"]


def test_too_many_files_are_refused(take: Callable[..., FetchedStudy], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_archives, "_MOST_MEMBERS", 3)
    with pytest.raises(InputError, match="more than 3 files"):
        take(member("nbl/a"), member("nbl/b"))


def test_a_disk_without_room_to_unpack_keeps_the_archive(
    take: Callable[..., FetchedStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = _download.shutil.disk_usage(tmp_path)
    needed = len(SAMPLES) + len(PATIENTS) + 10_000
    monkeypatch.setattr(_download.shutil, "disk_usage", lambda _: usage._replace(free=5_000))
    with pytest.raises(InputError, match=f"{needed:,} bytes are needed, 5,000 are free"):
        take(member("nbl/zeros.txt", "0" * 10_000))
    assert (tmp_path / "here" / "nbl.tar.gz").exists()


def test_published_checksums_of_members_are_compared(take: Callable[..., FetchedStudy]) -> None:
    published = {
        "data_clinical_sample.txt": sha256(SAMPLES.encode()).hexdigest(),
        "data_clinical_patient.txt": "0" * 64,
    }
    said = take(members=published).notes[-1]
    assert said == (
        "1 of 2 files have the checksum that the source published; newer, older or not there: data_clinical_patient.txt"
    )


def test_the_printed_command_imports_what_was_fetched(
    site: Any, offered: Callable[..., Any], nbrelapse: Callable[..., Any], empty: Path
) -> None:
    site.files["/nbl.tar.gz"] = archive()
    offered("/nbl.tar.gz", reader="cbioportal")
    answer = nbrelapse("cohort", "fetch", "here", "--accept-terms")
    assert answer.code == 0, answer.err
    assert "Terms: Open terms\nhttps://example.org/terms\nCite what you use." in answer.err
    assert answer.out.startswith("downloads/here: fetched: nbl.tar.gz\n")
    command = answer.out.splitlines()[-1]
    assert command == "next: nbrelapse cohort import cbioportal downloads/here/nbl --out cohorts/here"
    imported = nbrelapse(*shlex.split(command)[2:])
    assert imported.code == 0, imported.err
    again = nbrelapse("cohort", "fetch", "here", "--json")
    assert again.code == 0, again.err
    assert again.document["fetched"] == []
    assert again.document["files"] == {"nbl.tar.gz": sha256(site.files["/nbl.tar.gz"]).hexdigest()}
    assert "terms accepted for downloads/here on 20" in again.err
    assert "nothing was downloaded" in nbrelapse("cohort", "fetch", "here").out


def test_expression_is_named_to_the_import(site: Any, tmp_path: Path, content: bytes) -> None:
    study = site.study("/a.txt.gz", "/b.txt.gz", "/table.txt.gz")
    files = [*study.files[:2], study.files[2].model_copy(update={"role": "expression"})]
    site.files |= {"/a.txt.gz": content, "/b.txt.gz": content}
    found = fetch_study(study.model_copy(update={"files": files}), tmp_path, accept_terms=True)
    series = [str(tmp_path / name) for name in ("a.txt.gz", "b.txt.gz")]
    assert found.command[3:] == ["geo", *series, "--expression", str(tmp_path / "table.txt.gz")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_accepted_terms_nothing_is_asked_for(
    site: Any, offered: Callable[..., Any], nbrelapse: Callable[..., Any], empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered()
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    nbrelapse("cohort", "fetch", "here").assert_refused("the terms of use are not accepted", "--accept-terms")
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    declined = nbrelapse("cohort", "fetch", "here")
    assert (declined.code, declined.out) == (1, "")
    assert "nothing was fetched" in declined.err
    assert (site.requests, list(empty.iterdir())) == ([], [])
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert nbrelapse("cohort", "fetch", "here").code == 0
    assert (empty / "downloads" / "here" / "table.txt.gz").exists()


def test_terms_that_changed_are_asked_for_again(site: Any, tmp_path: Path) -> None:
    study = site.study()
    fetch_study(study, tmp_path, accept_terms=True)
    terms = [study.terms[0].model_copy(update={"text": "Ask first."})]
    with pytest.raises(InputError, match="terms of use are not accepted"):
        fetch_study(study.model_copy(update={"terms": terms}), tmp_path, accept_terms=False)


def test_no_network_is_one_message(
    site: Any, offered: Callable[..., Any], nbrelapse: Callable[..., Any], empty: Path
) -> None:
    study = offered()
    site.server_close()
    answer = nbrelapse("cohort", "fetch", "here", "--accept-terms")
    answer.assert_refused("no connection to 127.0.0.1", study.files[0].address, "downloads/here", "by hand")


def test_an_unknown_study_is_named(nbrelapse: Callable[..., Any], empty: Path) -> None:
    nbrelapse("cohort", "fetch", "nbl-target-2018").assert_refused("seqc", "did you mean nbl_target_2018_pub")


def test_the_list_fits_80_columns_and_names_every_study(nbrelapse: Callable[..., Any], empty: Path) -> None:
    listed = nbrelapse("cohort", "fetch")
    assert listed.out == nbrelapse("cohort", "fetch", "--list").out
    assert max(map(len, listed.out.splitlines())) <= 80
    studies = public_studies()
    assert all(re.search(rf"^{name} ", listed.out, flags=re.M) for name in studies)
    document = nbrelapse("cohort", "fetch", "--json").document
    assert document["seqc"]["people"] == 498
    assert list(document) == list(studies)


def test_the_catalogue_says_for_each_study_where_it_is_and_on_what_terms() -> None:
    for name, study in public_studies().items():
        addresses = [file.address for file in study.files] + [study.page] + [terms.address for terms in study.terms]
        assert all(address.startswith("https://") for address in addresses), name
        assert study.terms and all(terms.text.strip() for terms in study.terms)
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in study.members.values())
        assert len({file.name for file in study.files}) == len(study.files)
        assert study.reader == "geo" or all(file.name == f"{name}.tar.gz" for file in study.files)
