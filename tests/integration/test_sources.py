"""Chapters taken in from folders, archives and libraries, with real decoder processes."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageDraw

from mangavid import yamlfile
from mangavid.errors import BadArchive, BadImage, BadInput, BadSidecar, SourceNotFound
from mangavid.ports import Fetched, Found, RawPage
from mangavid.sources import intake
from mangavid.sources.local import ChapterSource, LibrarySource
from tests.drawn import chapter, encoded, pack, png, small_page

COMIC = b"""<ComicInfo><Series>Moon</Series><Number>012</Number><Title>Night</Title><Writer>An</Writer>
<LanguageISO>vi</LanguageISO><Manga>YesAndRightToLeft</Manga></ComicInfo>"""


def found(*paths: Path) -> list[Found]:
    return list(ChapterSource(paths, yamlfile.plain).find())


def fetch(path: Path) -> Fetched:
    source = ChapterSource([path], yamlfile.plain)
    (one,) = source.find()
    return source.fetch(one)


def taken(*pages: bytes) -> intake.Taken:
    return intake.take_in("the chapter", [intake.Offered(f"{i}", lambda d=d: d) for i, d in enumerate(pages)])  # type: ignore[misc]


def one(data: bytes) -> RawPage:
    (page,) = taken(data).pages
    return page


def pixels(page: RawPage) -> Image.Image:
    image = Image.open(io.BytesIO(page.data))
    image.load()
    return image


def names(fetched: Fetched) -> list[str]:
    return [page.name for page in fetched.pages]


# --- folders and archives -------------------------------------------------------------------------------------------


def folder(path: Path, *pages: str) -> Path:
    path.mkdir(parents=True)
    for name in pages:
        (path / name).write_bytes(png(small_page()))
    return path


def test_a_folder_and_an_archive_of_it_give_the_same_pages(tmp_path: Path) -> None:
    shuffled = ["page10.png", "Page1.png", "page0.png", "page2.png"]
    in_folder = fetch(folder(tmp_path / "a", *shuffled))
    in_archive = fetch(pack(tmp_path / "b.cbz", [(name, png(small_page())) for name in shuffled]))
    assert names(in_folder) == names(in_archive) == ["page0.png", "Page1.png", "page2.png", "page10.png"]
    assert [p.data for p in in_folder.pages] == [p.data for p in in_archive.pages]


def test_archives_with_folders_are_read_folder_by_folder(tmp_path: Path) -> None:
    members = [(f"ch/{n}/{m}.png", png(small_page())) for n in (10, 2) for m in (2, 1)]
    assert names(fetch(pack(tmp_path / "a.cbz", members))) == ["ch/2/1.png", "ch/2/2.png", "ch/10/1.png", "ch/10/2.png"]


def test_what_is_no_page_is_passed_over_in_silence(tmp_path: Path) -> None:
    extra = [("__MACOSX/._1.png", b"x"), (".hidden.png", b"x"), ("Thumbs.db", b"x"), ("credits.txt", b"x")]
    fetched = fetch(chapter(tmp_path / "a.cbz", 2, extra))
    assert (names(fetched), fetched.skipped) == (["1.png", "2.png"], ())


def test_comic_info_tells_title_credits_and_direction(tmp_path: Path) -> None:
    path = chapter(tmp_path / "x y.cbz", 1, [("ComicInfo.xml", COMIC)])
    (chapter_,) = found(path)
    assert (chapter_.series, chapter_.number, chapter_.title, chapter_.language) == ("Moon", "12", "Night", "vi")
    fetched = fetch(path)
    assert fetched.direction == "rtl"
    assert fetched.credits.authors == ("An",)


def test_the_group_in_a_files_name_is_credited_unless_comic_info_credits_one(tmp_path: Path) -> None:
    credited = fetch(chapter(tmp_path / "[Nhóm Trăng] Moon 3.cbz", 1)).credits
    assert (credited.groups, credited.source) == (("Nhóm Trăng",), "")
    info = COMIC.replace(b"<Writer>", b"<ScanInformation>Night Scans</ScanInformation><Writer>")
    assert fetch(chapter(tmp_path / "[A B] Moon.cbz", 1, [("ComicInfo.xml", info)])).credits.groups == ("Night Scans",)


def test_a_files_name_is_no_title_where_comic_info_names_the_series(tmp_path: Path) -> None:
    info = COMIC.replace(b"<Title>Night</Title>", b"")
    (one_,) = found(chapter(tmp_path / "wt.cbz", 1, [("ComicInfo.xml", info)]))
    assert (one_.series, one_.number, one_.title) == ("Moon", "12", "Moon")


def test_a_broken_comic_info_is_left_aside_with_a_note(tmp_path: Path) -> None:
    fetched = fetch(chapter(tmp_path / "Moon 3.cbz", 1, [("ComicInfo.xml", b"<ComicInfo>")]))
    assert fetched.found.number == "3"
    assert fetched.direction is None
    assert fetched.skipped == ()
    assert fetched.notes[0].startswith("ComicInfo.xml: left aside: ")


def test_pages_that_comic_info_marks_as_deleted_are_left_out(tmp_path: Path) -> None:
    info = b'<ComicInfo><Pages><Page Image="1" Type="Deleted"/></Pages></ComicInfo>'
    fetched = fetch(chapter(tmp_path / "a.cbz", 3, [("ComicInfo.xml", info)]))
    assert names(fetched) == ["1.png", "3.png"]
    assert fetched.skipped == ("2.png: marked as deleted in ComicInfo.xml",)


def test_comic_info_makes_two_files_one_chapter_and_names_make_them_two(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
    same = [chapter(tmp_path / p / f"{p}.cbz", 1, [("ComicInfo.xml", COMIC)]) for p in ("a", "b")]
    other = [chapter(tmp_path / p / "ch 1.cbz", 1) for p in ("a", "b")]
    identities = [one_.identity for one_ in found(*same, *other)]
    assert identities[0] == identities[1]
    assert len(set(identities)) == 3


def test_an_archive_and_a_folder_of_the_same_name_are_two_chapters_unless_comic_info_says_otherwise(
    tmp_path: Path,
) -> None:
    archive = chapter(tmp_path / "same.cbz", 1)
    directory = folder(tmp_path / "same", "1.png")
    assert len({one_.identity for one_ in found(archive, directory)}) == 2
    chapter(tmp_path / "same.cbz", 1, [("ComicInfo.xml", COMIC)])
    (directory / "ComicInfo.xml").write_bytes(COMIC)
    assert len({one_.identity for one_ in found(archive, directory)}) == 1


def test_a_relative_path_and_a_link_find_the_chapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chapter(tmp_path / "a.cbz", 1)
    (tmp_path / "b.cbz").symlink_to("a.cbz")
    monkeypatch.chdir(tmp_path)
    assert found(Path("a.cbz"))[0].ref == str(tmp_path / "a.cbz")
    assert names(fetch(Path("b.cbz"))) == ["1.png"]


def test_a_misspelt_name_is_answered_with_the_right_one(tmp_path: Path) -> None:
    chapter(tmp_path / "Chapter 12.cbz", 1)
    for wrong in ("chapter12.cbz", "Chapter 12", "Chapter 13.cbz"):
        with pytest.raises(SourceNotFound, match=r"did you mean .*Chapter 12\.cbz\?"):
            found(tmp_path / wrong)
    with pytest.raises(SourceNotFound, match=r"does not exist$"):
        found(tmp_path / "something else")


def test_the_first_wrong_name_stops_all_before_any_is_given_out(tmp_path: Path) -> None:
    good = chapter(tmp_path / "a.cbz", 1)
    with pytest.raises(SourceNotFound):
        next(ChapterSource([good, tmp_path / "none.cbz"], yamlfile.plain).find())


@pytest.mark.parametrize("name", ["a.cbr", "a.rar", "a.7z", "a.cb7", "a.pdf", "a.epub"])
def test_other_kinds_of_archive_are_answered_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"whatever")
    with pytest.raises(BadInput) as caught:
        found(tmp_path / name)
    assert "unpack" in caught.value.hint


def test_a_library_named_as_a_chapter_is_answered_with_one_of_its_chapters(tmp_path: Path) -> None:
    folder(tmp_path / "lib" / "ch 1", "1.png")
    with pytest.raises(BadInput) as caught:
        fetch(tmp_path / "lib")
    assert "ch 1" in caught.value.hint


def test_a_page_named_as_a_chapter_is_answered_with_its_folder(tmp_path: Path) -> None:
    folder(tmp_path / "ch", "1.png")
    with pytest.raises(BadInput) as caught:
        found(tmp_path / "ch" / "1.png")
    assert str(tmp_path / "ch") in caught.value.hint


def test_the_version_changes_with_pages_comic_info_and_narration_and_with_nothing_else(tmp_path: Path) -> None:
    directory = folder(tmp_path / "a", "1.png", "2.png")
    archive = chapter(tmp_path / "b.cbz", 1)

    def versions() -> list[str]:
        return [one_.version for one_ in found(directory, archive)]

    seen = [versions()]
    assert all(seen[0])
    (directory / "read me.txt").write_text("x")
    (tmp_path / "c.narration.yaml").write_bytes(b"x")
    assert versions() == seen[0]
    for file in (directory / "ComicInfo.xml", directory / "narration.yaml", tmp_path / "a.narration.json"):
        file.write_bytes(b"x")
        seen.append(versions())
    os.utime(directory / "1.png", ns=(1, 1))
    seen.append(versions())
    (directory / "2.png").rename(directory / "3.png")
    seen.append(versions())
    assert len({version for version, _ in seen}) == len(seen)
    assert len({version for _, version in seen}) == 1
    (tmp_path / "b.narration.yml").write_bytes(b"x")
    beside = versions()[1]
    os.utime(archive, ns=(1, 1))
    assert len({seen[0][1], beside, versions()[1]}) == 3


# --- libraries ------------------------------------------------------------------------------------------------------


def test_a_library_gives_its_chapters_in_natural_order(tmp_path: Path) -> None:
    folder(tmp_path / "Bee" / "ch 10", "1.png")
    folder(tmp_path / "Bee" / "ch 9", "1.png")
    chapter(tmp_path / "Bee" / "ch 8.cbz", 1)
    folder(tmp_path / "ant", "1.png")
    chapter(tmp_path / "ant" / "extra.zip", 1)
    folder(tmp_path / ".hidden", "1.png")
    (tmp_path / "notes.txt").write_text("x")
    source = LibrarySource(tmp_path, yamlfile.plain)
    chapters = list(source.find())
    refs = [Path(one_.ref).relative_to(tmp_path).as_posix() for one_ in chapters]
    assert refs == ["ant", "ant/extra.zip", "Bee/ch 8.cbz", "Bee/ch 9", "Bee/ch 10"]
    assert [names(source.fetch(one_)) for one_ in chapters] == [["1.png"]] * 5


def test_a_chapter_is_the_same_whether_named_or_found_in_the_library(tmp_path: Path) -> None:
    path = chapter(tmp_path / "a.cbz", 1)
    assert list(LibrarySource(tmp_path, yamlfile.plain).find()) == found(path)


def test_one_broken_chapter_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "1.cbz").write_bytes(b"broken")
    chapter(tmp_path / "2.cbz", 1)
    source = LibrarySource(tmp_path, yamlfile.plain)
    broken, good = source.find()
    with pytest.raises(BadArchive):
        source.fetch(broken)
    assert names(source.fetch(good)) == ["1.png"]


def test_loops_of_links_in_a_library_end(tmp_path: Path) -> None:
    folder(tmp_path / "a", "1.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    assert len(list(LibrarySource(tmp_path, yamlfile.plain).find())) == 1


def test_a_library_that_is_missing_or_a_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="library"):
        next(LibrarySource(tmp_path / "none", yamlfile.plain).find())
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="not a folder"):
        next(LibrarySource(tmp_path / "file", yamlfile.plain).find())


def test_a_library_fetches_nothing_outside_itself(tmp_path: Path) -> None:
    outside = chapter(tmp_path / "a.cbz", 1)
    (tmp_path / "lib").mkdir()
    (other,) = found(outside)
    with pytest.raises(BadInput, match="outside"):
        LibrarySource(tmp_path / "lib", yamlfile.plain).fetch(other)


# --- sidecars -------------------------------------------------------------------------------------------------------

YAML = b"pages: {1: beside}"
JSON = json.dumps({"pages": {"1": "inside"}}).encode()


def text(path: Path) -> str | None:
    sidecar = fetch(path).sidecar
    return sidecar.narration[0].text if sidecar else None


def test_sidecars_are_found_inside_and_beside_and_beside_wins(tmp_path: Path) -> None:
    archive = chapter(tmp_path / "a.cbz", 1, [("narration.json", JSON)])
    directory = folder(tmp_path / "b", "1.png")
    assert text(archive) == "inside"
    assert text(directory) is None
    (directory / "narration.yml").write_bytes(YAML.replace(b"beside", b"within"))
    assert text(directory) == "within"
    for name in ("a.narration.yaml", "b.narration.yaml"):
        (tmp_path / name).write_bytes(YAML)
    assert text(archive) == text(directory) == "beside"


def test_a_narration_under_a_wrong_name_is_noted_with_the_right_one(tmp_path: Path) -> None:
    directory = folder(tmp_path / "a", "1.png")
    archive = chapter(tmp_path / "b.cbz", 1, [("Narrations.yml", YAML)])
    for name in ("a/naration.yaml", "a/narration.yaml.txt", "a/read me.txt", "b.naration.json", "ab.naration.json"):
        (tmp_path / name).write_bytes(YAML)
    assert fetch(directory).notes == (
        "naration.yaml is not read; a narration is called narration.yaml",
        "narration.yaml.txt is not read; a narration is called narration.yaml",
    )
    assert fetch(archive).notes == (
        "Narrations.yml is not read; a narration is called narration.yaml",
        "b.naration.json is not read; a narration beside b.cbz is called b.narration.yaml",
    )
    (directory / "narration.yaml").write_bytes(YAML)
    assert fetch(directory).notes == ()


def test_a_narration_that_names_no_archive_beside_it_is_noted(tmp_path: Path) -> None:
    archive = chapter(tmp_path / "b.cbz", 1)
    (tmp_path / "narration.yaml").write_bytes(YAML)
    assert fetch(archive).notes == ("narration.yaml is not read; a narration beside b.cbz is called b.narration.yaml",)
    (tmp_path / "1.png").write_bytes(png(small_page()))
    assert fetch(archive).notes == ()


def test_two_sidecars_in_one_place_are_refused(tmp_path: Path) -> None:
    path = chapter(tmp_path / "a.cbz", 1)
    for ext in ("yaml", "json"):
        (tmp_path / f"a.narration.{ext}").write_bytes(JSON)
    with pytest.raises(BadSidecar, match="more than one"):
        fetch(path)


def test_a_wrong_sidecar_is_refused_before_any_page_is_decoded(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.cbz", [("1.png", b"broken"), ("narration.json", b"{}")])
    with pytest.raises(BadSidecar):
        fetch(path)


def test_the_narration_keeps_to_its_pages_when_one_is_broken(tmp_path: Path) -> None:
    pages = json.dumps({"pages": {"1": "one", "2": "two", "3": "three"}}).encode()
    members = [("1.png", png(small_page())), ("2.png", b"broken"), ("3.png", png(small_page()))]
    fetched = fetch(pack(tmp_path / "a.cbz", [*members, ("narration.json", pages)]))
    assert fetched.sidecar is not None
    assert [(n.page, n.text) for n in fetched.sidecar.narration] == [(1, "one"), (2, "three")]


# --- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "ext"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_plain_pages_keep_their_own_bytes(kind: str, ext: str, mode: str) -> None:
    if (kind, mode) == ("WEBP", "L"):
        mode = "RGB"  # WebP has no grey
    data = encoded(small_page().convert(mode), kind)
    page = one(data)
    assert (page.data, page.ext, page.width, page.height) == (data, ext, 120, 170)


def assert_close(image: Image.Image, size: tuple[int, int], at: tuple[int, int], value: object, slack: int = 6) -> None:
    assert image.size == size
    assert image.mode in ("L", "RGB")
    got = image.getpixel(at)
    pairs = zip(got, value, strict=True) if isinstance(got, tuple) and isinstance(value, tuple) else [(got, value)]
    assert all(abs(a - b) <= slack for a, b in pairs), (got, value)  # type: ignore[operator]


def test_cmyk_becomes_rgb() -> None:
    image = Image.new("RGB", (100, 100), (200, 40, 60))
    assert_close(pixels(one(encoded(image.convert("CMYK"), "JPEG"))), (100, 100), (50, 50), (200, 40, 60), 12)


def test_16_bit_grey_keeps_its_shades() -> None:
    page = one(png(Image.new("I;16", (64, 64), 40_000)))
    assert_close(pixels(page), (64, 64), (5, 5), 156, 1)


def test_16_bit_colour_becomes_8_bit() -> None:
    raw = b"".join(b"\0" + struct.pack(">HHH", 0xC800, 0x2800, 0x3C00) * 32 for _ in range(32))
    head = struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    page = one(data)
    assert page.data[24] == 8
    assert_close(pixels(page), (32, 32), (5, 5), (200, 40, 60), 1)


def test_what_is_transparent_becomes_white() -> None:
    for mode, ink in (("RGBA", (10, 20, 30, 255)), ("LA", (10, 255))):
        image = Image.new(mode, (60, 60))
        ImageDraw.Draw(image).rectangle((0, 0, 29, 59), fill=ink)  # type: ignore[arg-type]
        result = pixels(one(png(image))).convert("RGB")
        assert_close(result, (60, 60), (45, 30), (255, 255, 255), 0)
        assert result.getpixel((10, 30)) == (ink[:3] if mode == "RGBA" else (10, 10, 10))


def test_a_palette_with_transparency_becomes_white_there() -> None:
    image = Image.new("P", (60, 60), 0)
    image.putpalette([0, 0, 0, 200, 30, 30] + [0] * 762)
    ImageDraw.Draw(image).rectangle((0, 0, 29, 59), fill=1)
    result = pixels(one(encoded(image, "PNG", transparency=0)))
    assert result.getpixel((45, 30)) == (255, 255, 255)
    assert result.getpixel((10, 30)) == (200, 30, 30)


def test_a_grey_palette_becomes_grey() -> None:
    assert pixels(one(png(small_page().convert("P")))).mode == "L"
    assert pixels(one(png(small_page().convert("1")))).mode == "L"


def test_a_page_lying_on_its_side_is_turned_upright() -> None:
    image = Image.new("RGB", (200, 100), "white")
    ImageDraw.Draw(image).rectangle((0, 0, 40, 40), fill="black")
    exif = Image.Exif()
    exif[0x0112] = 6
    page = one(encoded(image, "JPEG", exif=exif.tobytes()))
    assert (page.width, page.height) == (100, 200)
    assert not pixels(page).getexif()
    result = pixels(page).convert("RGB")
    assert_close(result, (100, 200), (80, 20), (0, 0, 0))
    assert_close(result, (100, 200), (20, 20), (255, 255, 255))


def wide_gamut() -> bytes:
    """A profile of sRGB's kind with its red and blue columns changed over: colours change visibly through it."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(profile[p : p + 4]): p for p in range(132, 132 + 12 * struct.unpack(">I", profile[128:132])[0], 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    profile[red + 4 : red + 8], profile[blue + 4 : blue + 8] = profile[blue + 4 : blue + 8], profile[red + 4 : red + 8]
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")).replace(b"sRGB b", b"swap b")


def test_colours_follow_the_pages_own_profile() -> None:
    image = Image.new("RGB", (40, 40), (220, 30, 30))
    assert_close(pixels(one(encoded(image, "PNG", icc_profile=wide_gamut()))), (40, 40), (9, 9), (30, 30, 220), 4)


def test_an_srgb_profile_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(small_page().convert("RGB"), "JPEG", icc_profile=srgb)
    assert one(data).data == data


def test_of_an_animation_the_first_frame_is_the_page() -> None:
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        page = one(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
        assert page.ext == "png"
        assert_close(pixels(page).convert("RGB"), (50, 50), (9, 9), (255, 0, 0), 8)
        assert getattr(pixels(page), "n_frames", 1) == 1


def test_avif_and_gif_become_png() -> None:
    for kind in ("AVIF", "GIF"):
        page = one(encoded(small_page(), kind))
        assert (page.ext, page.width, page.height) == ("png", 120, 170)


def test_a_jpeg_that_is_cut_short_is_never_half_a_page() -> None:
    noise = Image.frombytes("RGB", (300, 300), random.Random(2).randbytes(300 * 300 * 3))
    whole = encoded(noise, "JPEG", quality=80)
    for sixteenth in range(1, 16):
        result = taken(png(small_page()), whole[: len(whole) * sixteenth // 16])
        assert result.kept == (True, False), sixteenth


def test_strips_as_tall_as_the_limit_are_taken() -> None:
    page = one(png(Image.new("L", (100, 65_500), 200)))
    assert (page.width, page.height) == (100, 65_500)


def test_order_is_kept_however_long_each_page_takes() -> None:
    sizes = [(1500, 2000) if n % 3 == 0 else (40, 50 + n) for n in range(20)]
    result = taken(*(png(Image.new("L", size, 99).convert("1" if n % 2 else "L")) for n, size in enumerate(sizes)))
    assert [(p.width, p.height) for p in result.pages] == sizes


def test_one_bad_page_is_left_out_and_named_and_two_of_ten_are_too_many() -> None:
    good = [png(small_page(n)) for n in range(8)]
    result = taken(*good, b"<html>", good[0])
    assert result.skipped == ("8: is a web page, not an image (a download that failed?)",)
    assert len(result.pages) == 9
    with pytest.raises(BadImage, match=r"too many of its 10 pages.*8: is a web page"):
        taken(*good, b"<html>", b"")


def test_five_of_a_hundred_bad_pages_are_left_out_and_six_are_too_many() -> None:
    good = png(small_page())
    assert len(taken(*[good] * 95, *[b""] * 5).skipped) == 5
    with pytest.raises(BadImage):
        taken(*[good] * 94, *[b""] * 6)


# --- the decoder's process ------------------------------------------------------------------------------------------


def test_the_decoder_has_no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret-for-this-test")
    with intake._Decoder() as decoder:
        decoder.decode(png(small_page()))
        assert decoder._child is not None
        environment = Path(f"/proc/{decoder._child.pid}/environ")
        if environment.exists():
            assert b"s3cret" not in environment.read_bytes()


def test_a_decoder_that_dies_costs_its_page_and_no_other() -> None:
    with intake._Decoder() as decoder:
        decoder.decode(png(small_page()))
        assert decoder._child is not None
        os.kill(decoder._child.pid, signal.SIGXCPU)
        decoder._child.wait()
        with pytest.raises(intake.Unusable, match="processor time"):
            decoder.decode(png(small_page()))
        verdict, _ = decoder.decode(png(small_page()))
        assert verdict["width"] == 120
        assert decoder.crashes == 1


def test_the_decoder_runs_within_limits() -> None:
    with intake._Decoder() as decoder:
        decoder.decode(png(small_page()))
        assert decoder._child is not None
        limits = Path(f"/proc/{decoder._child.pid}/limits")
        if limits.exists():
            said = {line[:26].strip(): line[26:].split()[0] for line in limits.read_text().splitlines()[1:]}
            assert said["Max address space"] == str(2 * 1024**3)
            assert said["Max file size"] == "0"
            assert said["Max cpu time"] != "unlimited"


def test_a_canvas_over_the_limit_is_refused_by_its_header() -> None:
    with pytest.raises(BadImage, match="16,000 x 16,000"):
        taken(webp_of(16_000, 16_000))


def webp_of(width: int, height: int) -> bytes:
    canvas = struct.pack("<I", 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + b"VP8L" + struct.pack("<I", 8) + bytes(8)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_archives_that_store_without_packing_are_read_too(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.cbz", [("1.png", png(small_page()))], zipfile.ZIP_STORED)
    assert names(fetch(path)) == ["1.png"]
