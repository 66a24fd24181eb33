"""Files on disk: whole or not at all, named by what is in them; known by what is in them, whatever they are called."""

import pytest

from bot.desk.attachment import kind_of
from bot.store.files import Files

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 60


def test_the_same_bytes_are_kept_once_and_found_by_their_digest(tmp_path):
    files = Files(tmp_path)
    first, again = files.keep(b"a photo", "one"), files.keep(b"a photo", "two")
    assert first == again
    assert files.path(first).read_bytes() == b"a photo"
    assert [each.name for each in tmp_path.rglob("*") if each.is_file()] == [first]


def test_what_breaks_off_leaves_nothing_behind(tmp_path):
    files = Files(tmp_path)
    with files.receive("one") as incoming:
        incoming.write(b"half a pho")
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64])
def test_a_name_that_is_no_digest_or_unknown_leads_nowhere(tmp_path, digest):
    assert Files(tmp_path).path(digest) is None


@pytest.mark.parametrize(
    ("start", "said", "kind"),
    [
        (JPEG, "", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 9, "text/html", "image/png"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "", "image/webp"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0", "", "image/heic"),
        (b"%PDF-1.7", "", "application/pdf"),
        (b"OggS\0\x02", "audio/ogg", "audio/ogg"),
        (b"\xff\xfb\x90\x64", "", "audio/mpeg"),
        (b"ID3\x04", "", "audio/mpeg"),
        (b"#!AMR\n", "", "audio/amr"),
        (b"\0\0\0\x18ftypM4A ", "", "audio/mp4"),
        (b"\0\0\0\x18ftypisom", "audio/mp4", "audio/mp4"),
        (b"\0\0\0\x18ftypisom", "video/mp4", "video/mp4"),
        (b"\0\0\0\x18ftyp3gp4", "", "video/3gpp"),
        (b"\0\0\0\x18ftypavif", "", None),
        (b"<svg xmlns=", "image/svg+xml", None),
        (b"<!doctype html><script>", "image/jpeg", None),
        (b"MZ\x90\0", "image/png", None),
        (b"", "image/png", None),
        (b"\xff", "", None),
    ],
)
def test_a_file_is_what_is_in_it(start, said, kind):
    assert kind_of(start, said) == kind
