"""Decoding a labelled set, and finding pictures that are in it twice."""

import cv2
import numpy as np
import pytest

from core.sets.case_pixels import fingerprint, near_duplicates, prepare_cases, tissue_sides
from core.sets.cases import ImageCase, gather_cases
from models.classifier.preprocess import ImageInput
from models.store import DamagedCache

QUIET = lambda *_: None  # noqa: E731


def picture(seed, shape=(120, 140)):
    random = np.random.default_rng(seed)
    image = cv2.GaussianBlur(random.normal(0, 1, shape).astype(np.float32), (0, 0), 5)
    return np.round(255 * (image - image.min()) / np.ptp(image)).astype(np.uint8)


def cases_of(folder, images):
    folder.mkdir(exist_ok=True)
    cases = []
    for name, pixels in images.items():
        path = folder / name
        cv2.imwrite(str(path), pixels)
        cases.append(ImageCase(path, name, "x", str(path)))
    return cases


def pairs(tmp_path, images):
    cases = cases_of(tmp_path / "images", images)
    done = prepare_cases(cases, ImageInput((96, 96)), tmp_path / "cache", QUIET)
    return [
        (cases[i].path.name, cases[j].path.name) for i, j, _ in near_duplicates(done.sketches, done.readable)
    ]


def test_a_copy_is_found_in_another_size_format_brightness_or_mirrored(tmp_path):
    one = picture(1)
    found = pairs(
        tmp_path,
        {
            "a.png": one,
            "b.jpg": one,
            "c.png": cv2.resize(one, (300, 257)),
            "d.png": (one * 0.8 + 20).astype(np.uint8),
            "e.png": np.ascontiguousarray(one[:, ::-1]),
            "other.png": picture(2),
        },
    )
    assert {other for first, other in found if first == "a.png"} == {"b.jpg", "c.png", "d.png", "e.png"}
    assert not any("other.png" in pair for pair in found)


def test_different_pictures_are_not_taken_for_one(tmp_path):
    assert pairs(tmp_path, {f"{i}.png": picture(i) for i in range(20)}) == []


def test_boxes_of_normal_tissue_are_as_large_as_lesions(tmp_path):
    lesions = [ImageCase(tmp_path / "l.png", "l", "benign", "", (0, 0, side, 9)) for side in (20, 60, 200)]
    normal = [ImageCase(tmp_path / f"{i}.png", "n", "normal", "", anywhere=True) for i in range(60)]
    sides = tissue_sides(lesions + normal)[3:]
    assert {side: sides.count(side) > 8 for side in set(sides)} == {20: True, 60: True, 200: True}
    assert sides == tissue_sides(lesions + normal)[3:]


@pytest.mark.slow
def test_different_women_are_not_taken_for_one_on_real_films(shared_data, tmp_path):
    cases = gather_cases([shared_data / "mini_mias"], "finding").cases[:80]
    done = prepare_cases(cases, ImageInput((224, 224)), tmp_path, QUIET)
    found = near_duplicates(done.sketches, done.readable)
    assert [pair for pair in found if cases[pair[0]].group != cases[pair[1]].group] == []


def test_fingerprints_differ_in_few_bits_for_like_and_many_for_unlike():
    sketches = np.stack([cv2.resize(picture(i), (32, 32)) for i in (1, 1, 2)]).astype(np.float32)
    sketches[1] += np.random.default_rng(0).normal(0, 2, (32, 32))
    one, like, other = fingerprint(sketches)
    assert np.bitwise_count(one ^ like) <= 4
    assert np.bitwise_count(one ^ other) >= 16


def test_damaged_images_are_left_out_and_sizes_and_modes_may_mix(tmp_path):
    cases = cases_of(
        tmp_path / "images",
        {
            "grey.png": picture(1),
            "colour.png": np.dstack([picture(2, (60, 200))] * 3),
            "deep.png": picture(3, (300, 100)).astype(np.uint16) * 200,
            "bad.png": picture(4),
        },
    )
    cases[3].path.write_bytes(cases[3].path.read_bytes()[:500])
    done = prepare_cases(cases, ImageInput((64, 64)), tmp_path / "cache", QUIET)
    assert done.readable.tolist() == [True, True, True, False]
    assert done.left_out[3]
    assert done.sizes[:3] == [(120, 140), (60, 200), (300, 100)]
    assert all(done.pixels[i].std() > 20 for i in range(3))


def test_a_box_outside_is_left_out_with_a_sentence(tmp_path):
    (case,) = cases_of(tmp_path / "images", {"a.png": picture(1)})
    outside = ImageCase(case.path, "a", "x", "m.csv, line 2", box=(100.0, 10.0, 150.0, 50.0))
    done = prepare_cases([outside], ImageInput((64, 64), "box"), tmp_path / "cache", QUIET)
    assert "lies outside the image, which is 140 wide and 120 high" in done.left_out[0]


def test_reading_is_not_repeated(tmp_path):
    cases = cases_of(tmp_path / "images", {"a.png": picture(1), "b.png": picture(2)})
    first = prepare_cases(cases, ImageInput((64, 64)), tmp_path / "cache", QUIET)
    told = []
    again = prepare_cases(cases, ImageInput((64, 64)), tmp_path / "cache", lambda *a: told.append(a))
    assert not told
    np.testing.assert_array_equal(first.pixels, again.pixels)


@pytest.fixture
def prepared(tmp_path):
    images = {f"{i}.png": picture(i) for i in range(3)}
    cases = cases_of(tmp_path / "images", images)
    cases[1].path.write_bytes(b"no image")
    done = prepare_cases(cases, ImageInput((96, 96)), tmp_path / "cache", QUIET)
    return cases, tmp_path / "cache", done


def same(one, other):
    np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(one.sketches, other.sketches)
    assert (one.sizes, one.left_out, one.transforms) == (other.sizes, other.left_out, other.transforms)


@pytest.mark.parametrize("cut", [1, 2, 40, 1500])
def test_a_run_that_was_killed_while_it_wrote_a_record_goes_on(prepared, cut):
    cases, cache, done = prepared
    (listing,) = cache.glob("*.jsonl")
    whole = listing.read_bytes()
    listing.write_bytes(whole[:-cut])
    same(prepare_cases(cases, ImageInput((96, 96)), cache, QUIET), done)
    assert listing.read_bytes() == whole


def test_records_without_their_pixels_are_made_anew(prepared):
    cases, cache, done = prepared
    before = np.array(done.pixels)
    next(cache.glob("*.u8")).unlink()
    again = prepare_cases(cases, ImageInput((96, 96)), cache, QUIET)
    np.testing.assert_array_equal(again.pixels, before)
    assert len(next(cache.glob("*.jsonl")).read_text("utf-8").splitlines()) == 3


def test_damage_that_no_kill_leaves_is_refused_with_the_name_of_the_file(prepared):
    cases, cache, _ = prepared
    pixels = next(cache.glob("*.u8"))
    pixels.write_bytes(pixels.read_bytes()[:-7])
    with pytest.raises(DamagedCache, match=pixels.name):
        prepare_cases(cases, ImageInput((96, 96)), cache, QUIET)
    (listing,) = cache.glob("*.jsonl")
    listing.write_bytes(listing.read_bytes()[5:])
    with pytest.raises(DamagedCache, match=listing.name):
        prepare_cases(cases, ImageInput((96, 96)), cache, QUIET)
