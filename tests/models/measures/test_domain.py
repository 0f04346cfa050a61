"""A model's domain: what was learned lies inside, what is unlike outside, and a still feature blows nothing up."""

import numpy as np
import pytest

from models.measures.domain import (
    PICTURES_TURNED_AWAY,
    Domain,
    check_enough,
    cross_fitted,
    fit_domain,
    spread_of,
    turned_away_by_others,
)


def readings(seed: int, women: int = 300, *, width: int = 40, shift: float = 0.0, still: int = 3):
    """Readings of women with three studies of four views; `still` features hardly move at all."""
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(0).normal(size=(12, width))
    own = random.normal(size=(women, 1, 1, 12))
    latent = own + 0.5 * random.normal(size=(women, 3, 4, 12))
    vectors = latent @ mix + 0.2 * random.normal(size=(women, 3, 4, width)) + shift
    vectors[..., :still] = 1.0 + 1e-7 * random.normal(size=(women, 3, 4, still))
    whose = np.repeat([f"w{i}" for i in range(women)], 12)
    studies = np.tile(np.repeat(["a", "b", "c"], 4), women)
    return vectors.reshape(-1, width).astype(np.float32), whose, studies


@pytest.fixture(scope="module")
def domain() -> Domain:
    return fit_domain(*readings(1), [40.0, 74.0, np.nan], "made women")


def worst_by_study(domain: Domain, vectors, whose, studies) -> np.ndarray:
    far = domain.distances(vectors)
    keys = np.array([f"{w}{s}" for w, s in zip(whose, studies, strict=True)])
    return np.array([far[keys == key].max() for key in np.unique(keys)])


def test_at_most_three_studies_of_a_hundred_of_the_same_kind_are_turned_away(domain):
    shares = [(worst_by_study(domain, *readings(seed)) > domain.limit).mean() for seed in range(2, 5)]
    assert np.mean(shares) <= 0.03


def test_what_is_unlike_lies_outside(domain):
    assert (worst_by_study(domain, *readings(2, shift=6.0)) > domain.limit).mean() > 0.95


def test_what_was_learned_lies_about_0_with_a_deviation_of_1_along_each_axis():
    vectors, whose, _ = readings(2)
    along = spread_of(vectors, whose, "made women").along(vectors, 3)
    assert along.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-4)
    assert along.std(axis=0) == pytest.approx(np.ones(3), rel=1e-4)


def test_of_an_axis_that_there_is_not_nothing_is_said():
    one = np.arange(80, dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)
    along = spread_of(one, [str(n) for n in range(80)], "one direction").along(one, 3)
    assert np.isfinite(along[:, 0]).all()
    assert np.isnan(along[:, 1:]).all()


def test_a_last_bit_in_a_feature_that_never_moves_is_not_another_world(domain):
    vectors, _, _ = readings(3)
    moved = vectors.copy()
    moved[:, :3] += 1e-4
    np.testing.assert_allclose(domain.distances(moved), domain.distances(vectors), rtol=0.01)


def test_it_is_the_same_after_it_was_kept(domain, tmp_path):
    domain.save(tmp_path / "domain.npz")
    again = Domain.load(tmp_path / "domain.npz")
    vectors, _, _ = readings(4)
    np.testing.assert_allclose(again.distances(vectors), domain.distances(vectors), rtol=1e-6)
    assert (again.limit, again.ages, again.fitted_on, again.women) == (
        pytest.approx(domain.limit),
        (37.0, 77.0),
        "made women",
        300,
    )


def test_a_damaged_file_and_another_encoders_readings_are_refused(domain, tmp_path):
    path = tmp_path / "domain.npz"
    domain.save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="no whole domain file"):
        Domain.load(path)
    with pytest.raises(ValueError, match="another encoder"):
        domain.distances(np.zeros((2, 7), np.float32))


def test_too_few_studies_set_no_limit():
    vectors, whose, studies = readings(1, women=20)
    with pytest.raises(ValueError, match="too few"):
        fit_domain(vectors, whose, studies, [50.0], "few")


def pictures(seed: int, women: int = 56, *, width: int = 300, shift: float = 0.0):
    """Two pictures a woman, fewer than they have features; some features hardly move, one never does."""
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(0).normal(size=(10, width))
    latent = random.normal(size=(women, 1, 10)) + 0.5 * random.normal(size=(women, 2, 10))
    vectors = latent @ mix + 0.3 * random.normal(size=(women, 2, width)) + shift
    vectors[..., :2] = 1.0 + 1e-7 * random.normal(size=(women, 2, 2))
    vectors[..., 2] = 4.0
    return vectors.reshape(-1, width).astype(np.float32), [f"w{i}" for i in range(women) for _ in range(2)]


def of_pictures(seed: int = 1) -> Domain:
    vectors, women = pictures(seed)
    return spread_of(vectors, women, "made pictures").limited(
        cross_fitted(vectors, women), PICTURES_TURNED_AWAY
    )


def test_at_most_three_pictures_of_a_hundred_of_the_same_kind_are_turned_away_though_few_were_learned():
    shares = []
    for seed in range(6):
        domain = of_pictures(seed)
        shares.append((domain.distances(pictures(100 + seed, 400)[0]) > domain.limit).mean())
    assert np.mean(shares) <= 0.03
    vectors, women = pictures(1)
    assert turned_away_by_others(cross_fitted(vectors, women), women).mean() <= 0.03


def test_pictures_unlike_are_turned_away_and_features_that_never_move_blow_nothing_up():
    domain = of_pictures()
    assert (domain.distances(pictures(2, shift=4.0)[0]) > domain.limit).all()
    vectors, _ = pictures(3)
    moved = vectors.copy()
    moved[:, :3] += 1e-4
    assert np.isfinite(domain.distances(moved)).all()
    np.testing.assert_allclose(domain.distances(moved), domain.distances(vectors), rtol=0.01)
    everything_still = spread_of(np.ones((40, 5), np.float32), ["w"] * 40, "still")
    assert np.isfinite(everything_still.distances(np.ones((1, 5), np.float32))).all()


def test_neither_order_nor_company_changes_how_far_a_picture_lies_out():
    vectors, women = pictures(1)
    order = np.random.default_rng(0).permutation(len(vectors))
    shuffled = [women[i] for i in order]
    np.testing.assert_allclose(
        cross_fitted(vectors[order], shuffled), cross_fitted(vectors, women)[order], rtol=1e-4
    )
    domain = of_pictures()
    together = domain.distances(vectors)
    alone = [domain.distances(one[None])[0] for one in vectors[:20]]
    np.testing.assert_allclose(alone, together[:20], rtol=1e-6)


def test_a_picture_that_is_no_number_is_not_within(tmp_path):
    domain = of_pictures()
    broken = np.full((1, 300), np.nan, np.float32)
    assert not (domain.distances(broken) <= domain.limit).any()


@pytest.mark.parametrize(
    "women", [["w"] * 50, [f"w{i}" for i in range(20)]], ids=["one woman", "20 pictures"]
)
def test_too_few_pictures_are_said_so(women):
    with pytest.raises(ValueError, match="too few to say which pictures"):
        check_enough(women)


def test_collections_like_the_one_learned_from_widen_the_limit_and_are_known_to_be_from_elsewhere(tmp_path):
    random = np.random.default_rng(0)
    vectors = random.normal(0, 1, (200, 20)).astype(np.float32)
    women = [f"w{i // 2}" for i in range(200)]
    own = spread_of(vectors, women, "films").limited(cross_fitted(vectors, women), 0.01)
    alike = own.distances(random.normal(0, 1.6, (60, 20)).astype(np.float32))
    wide = own.widened([alike])
    assert (alike > own.limit).mean() > 0.5
    assert (alike > wide.limit).mean() <= 0.05
    assert (own.distances(random.normal(0, 4, (60, 20)).astype(np.float32)) > wide.limit).all()
    wide.save(tmp_path / "domain.npz")
    again = Domain.load(tmp_path / "domain.npz")
    assert (again.limit, again.usual) == (wide.limit, own.limit)
    assert again.is_from_elsewhere((own.limit + wide.limit) / 2)
    assert not again.is_from_elsewhere(own.limit / 2)
    assert not again.is_from_elsewhere(wide.limit * 2)
    # Collections that lie within already leave it as it is.
    assert own.widened([np.zeros(30)]).usual is None
