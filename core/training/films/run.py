"""Training of a longitudinal model on real films and on lives in them: from manifests to a folder with weights and card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.files import private_folder, write_whole
from core.sets import Exams, Manifest, gather, histories_of
from core.training.domain import turned_away_of
from core.training.films.folds import JUDGED, FoldReader, Judges, recipes_of, train_judges
from core.training.films.gathered import FilmSet, Shown, gather_films
from core.training.films.measured import NO_GROWTH, OutOfFold, measure_lives, measure_real
from core.training.films.plan import FilmPlan, folds_of
from core.training.films.views import look_at
from core.training.longitudinal.heads import calibrate, with_spread
from core.training.reference import reference_women
from core.training.runs import TrainingError, keep_facts, kept_facts, same_plan, write_curves
from models.store import OnProgress

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    import keras

    from models.film import FilmHeads
    from models.longitudinal import Calibration, LongitudinalModel
    from models.measures import Domain
    from models.sequence import History
    from models.store import ModelCard

__all__ = ["train_on_films"]

WELL = "lives without cancer in real films, each read by what its pictures did not teach"


@dataclass(frozen=True)
class _Final:
    """What is kept: the networks, their calibration, what they were taught, and the women who calibrated them."""

    trunk: keras.Model
    heads: FilmHeads
    judges: Judges
    calibration: Calibration
    vectors: NDArray[np.float32]


def train_on_films(
    films: Sequence[Manifest],
    made: Sequence[Manifest],
    weights: str,
    out: Path,
    plan: FilmPlan,
    report: OnProgress,
    *,
    practice: Sequence[Manifest] = (),
    pairs: Sequence[Manifest] = (),
    against: Sequence[Manifest] = (),
    facts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Train a model on real films and on lives in them, measure it out of fold, and write it to `out`.

    Parameters
    ----------
    films
        Real films, with boxes around lesions in some.
    made
        Lives in the pictures of these women (`seed_data films`).
    weights
        Of the networks that look at films: as `models.film.starting_weights` takes them.
    out
        Folder for the model; its `work` holds views and vectors, by which a repeat is quick.
    plan
        Folds, members, seed.
    report
        Told of progress.
    practice
        Films of these women with lesions drawn in (`seed_data lesions`), which teach what a lesion is and nothing else.
    pairs
        Real women with several studies and no cancer, none of whom teaches.
    against
        Other pictures; the card says how many of them lie outside what the model knows.
    facts
        Overrides for the card (title, trained_on, licence, …).

    Returns
    -------
    dict
        As written to `metrics.json`.

    Raises
    ------
    TrainingError
        If there is too little to learn from, or `out` holds another run.
    """
    gathered = gather_films(films, made, practice)
    fold = folds_of(gathered.exams, gathered.whose, plan.folds, plan.seed)
    backbones = _backbones(weights)
    work = _work_folder(out, backbones, gathered, plan)
    from models.film import FILM_SHAPE, build_film_encoder, build_tail, build_trunk, channels_of, no_heads
    from models.longitudinal import LongitudinalModel

    views = look_at(gathered.exams, gathered.are(Shown.REAL), backbones, FILM_SHAPE, work, report)
    trunk = build_trunk(backbones)
    tail = build_tail(no_heads(channels_of(trunk)))
    reader = FoldReader(views, fold, ~gathered.are(Shown.PRACTICE), plan, work, tail, report)
    found = _judged(gathered, reader, plan, report)
    measured = measure_lives(found) | {"real_films": measure_real(found)}
    final = _kept(gathered, reader, plan, trunk, report)
    model = LongitudinalModel(
        _card(plan, gathered, reader, final, measured, facts or {}),
        build_film_encoder(trunk, final.heads),
        final.judges.ensembles["history"],
        final.calibration,
        domain_of_films(gathered, reader, final.vectors),
    )
    if pairs:
        measured["real_pairs"] = _of_pairs(model, final.judges, found, gather(pairs), work, report)
        model.card.metrics["real_pairs"] = measured["real_pairs"]
    give_facts_of_domain(model, against, work, report)
    model.save(out)
    write_whole(out / "metrics.json", json.dumps(measured, indent=1) + "\n")
    write_curves(out / "curves.csv", final.judges.curve)
    return measured


def _work_folder(out: Path, backbones: dict[str, keras.Model], gathered: FilmSet, plan: FilmPlan) -> Path:
    """Make `out` and return the folder in it for what a repeat goes on with; refuse one of another run."""
    work = out / "work"
    private_folder(out)
    private_folder(work)
    same_plan(
        work / "plan.json",
        {"weights": _stamp(backbones), "folds": plan.folds, "seed": plan.seed} | recipes_of(plan),
        [image.path for image in gathered.exams.images],
        [repr(woman) for woman in gathered.exams.women],
    )
    return work


def _backbones(weights: str) -> dict[str, keras.Model]:
    """Return the networks that look at films, rounded as they will be kept."""
    from models.film import rounded_backbones

    try:
        return rounded_backbones(weights)
    except (LookupError, ValueError) as error:
        raise TrainingError(f"{weights} cannot be used: {error}") from error


def _stamp(backbones: dict[str, keras.Model]) -> str:
    """Return a stamp of the networks: cells that others answered are not to be gone on with."""
    digest = hashlib.sha256()
    for name, network in sorted(backbones.items()):
        digest.update(name.encode())
        for weight in network.get_weights():
            digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def _judged(gathered: FilmSet, reader: FoldReader, plan: FilmPlan, report: OnProgress) -> OutOfFold:
    """Have every life and every real woman judged by what her pictures did not teach."""
    found = OutOfFold()
    life, real_women = gathered.are(Shown.LIFE), gathered.are(Shown.REAL)
    for held in range(plan.folds):
        path = reader.work / f"judged-{held}-{plan.judges}-{plan.steps}-{reader.views.cached.stamp}.json"
        kept = kept_facts(path)
        if kept is not None:
            found.join(OutOfFold.from_json(kept))
            continue
        here = OutOfFold()
        vectors = reader.vectors(held)
        stops = (held + 1) % plan.folds
        training = reader.histories(vectors, life & (reader.fold != held) & (reader.fold != stops))
        validation = reader.histories(vectors, life & (reader.fold == stops))
        _check_outcomes(training, validation)
        judges = train_judges(training, validation, plan, report, plan.judges, map_grid=reader.map_grid)
        chosen = life & (reader.fold == held)
        women = reader.histories(vectors, chosen)
        here.add_lives(
            women,
            [gathered.whose[i] for i in np.flatnonzero(chosen)],
            {mode: judges.risk(mode, women) for mode in JUDGED},
            judges.growth(women),
        )
        real = reader.histories(vectors, real_women & (reader.fold == held))
        real = [woman for woman in real if woman.present.any()]
        if real:
            here.add_real(real, judges.risk("history", real))
        keep_facts(path, here.to_json())
        found.join(here)
    return found


def _check_outcomes(*parts: list[History]) -> None:
    for women in parts:
        ill = sum(bool(np.isfinite(woman.years_to_cancer[-1])) for woman in women)
        if ill == 0 or ill == len(women):
            raise TrainingError(
                "A fold holds no life with a cancer, or none without: make more lives (seed_data films --lives)."
            )


def _kept(
    gathered: FilmSet, reader: FoldReader, plan: FilmPlan, trunk: keras.Model, report: OnProgress
) -> _Final:
    """Train what is kept: heads on all films; sequences on what heads say of films that did not teach them."""
    life = gathered.are(Shown.LIFE)
    vectors = reader.vectors(None)
    training = reader.histories(vectors, life & (reader.fold != 0))
    validation = reader.histories(vectors, life & (reader.fold == 0))
    judges = train_judges(
        training, validation, plan, report, plan.members, ["history"], map_grid=reader.map_grid
    )
    ensemble = judges.ensembles["history"]
    whose = "validation lives in real films"
    calibration = with_spread(ensemble, calibrate(ensemble, validation, whose), validation, whose)
    return _Final(trunk, reader.heads(frozenset()), judges, calibration, vectors)


def domain_of_films(gathered: FilmSet, reader: FoldReader, vectors: NDArray[np.float32]) -> Domain | None:
    """Return what the model knows, by films as they look to heads that they did not teach; None where they are too few.

    All that shows one woman's pictures is hers: what the limit is set on shows nobody of whom the distribution is.
    """
    from models.measures import fit_domain

    views = reader.views
    read = np.flatnonzero(reader.read[views.woman])
    images = [views.exams.images[i] for i in views.rows[read]]
    ages = [
        age
        for woman in {image.woman for image in images}
        for age in views.exams.women[woman].ages
        if age is not None
    ]
    try:
        return fit_domain(
            vectors[read],
            [gathered.whose[image.woman] for image in images],
            [f"{image.woman} {image.visit}" for image in images],
            ages or [np.nan],
            "real films and lives in them, out of fold",
        )
    except ValueError:
        return None


def give_facts_of_domain(
    model: LongitudinalModel, against: Sequence[Manifest], work: Path, report: OnProgress
) -> None:
    """Say on a model's card what it knows, and how many pictures of other sets it turns away."""
    known = model.domain
    if known is None:
        return
    turned_away = {
        one.source.parent.name: turned_away_of(model, one, work / f"against-{place}", report)
        for place, one in enumerate(against)
    }
    model.card.settings["domain"] = {
        "fitted_on": known.fitted_on,
        "women": known.women,
        "studies": known.studies,
        "limit": known.limit,
        "turned_away": turned_away,
    }


def _of_pairs(
    model: LongitudinalModel, judges: Judges, found: OutOfFold, exams: Exams, work: Path, report: OnProgress
) -> dict[str, Any]:
    """Say how often growth is seen in real women in whom nothing has grown."""
    from core.sets import encode_views

    encoded = encode_views(model, exams.images, work / "pairs", report)
    women = histories_of(exams, encoded.rows, encoded.said["vector"], list(range(len(exams.women))))
    limit = found.stays_below
    breasts = [
        float(row)
        for woman, rows in zip(women, judges.growth(women), strict=True)
        for row in rows[1:][np.asarray(woman.present.any(axis=2), bool)[1:]]
    ]
    return {
        "women": len(women),
        "breasts": len(breasts),
        "taken_for_growth": int(sum(row > limit for row in breasts)),
        "limit_passed_by": f"{1 - NO_GROWTH:.0%} of the breasts without growth in lives",
    }


def _card(
    plan: FilmPlan,
    gathered: FilmSet,
    reader: FoldReader,
    final: _Final,
    measured: dict[str, Any],
    facts: dict[str, Any],
) -> ModelCard:
    from models.store import ModelCard

    lives, women = gathered.shown.count(Shown.LIFE), len(set(gathered.whose))
    told = {
        "set": {"simulated": True},
        "measured_on": f"{lives} made lives in the pictures of {women} women, out of fold by woman",
    }
    malignant = measured["real_films"].get("malignant")
    card = ModelCard(
        name=plan.name,
        title="Longitudinal model of real films",
        trained_on=f"{lives} made lives in the films of {women} women, {len(reader.views.rows)} views, from the manifests given",
        licence="As the films allow",
        intended_use="Research and teaching. It supports a reader and never replaces one.",
        limits="Made histories on real films: no course is real. Not validated for clinical use.",
        metrics=measured | told,
        weights_sha256="",
        encoder_sha256="",
        calibration="",
        created=date.today().isoformat(),
        files={},
        simulated_training=False,
        settings={
            "plan": asdict(plan),
            "calibrated_on_simulated": True,
            "real_auc_low": malignant["auc_ci"][0] if malignant else None,
            "reference": _reference(final, reader, gathered),
        },
    )
    values = card.to_json() | {key: value for key, value in facts.items() if key in card.to_json()}
    return ModelCard(**values)


def _reference(final: _Final, reader: FoldReader, gathered: FilmSet) -> dict[str, Any] | None:
    """Return the women among whom a risk is ranked; the sequence knew most of them, the heads none."""
    from models.sequence import predict_histories

    women = reader.histories(final.vectors, gathered.are(Shown.LIFE))
    well = [woman for woman in women if np.isnan(woman.years_to_cancer).all()]
    said = predict_histories(final.judges.ensembles["history"], well)
    hazards = np.stack([one["hazard"][:, -1] for one in said], axis=1)
    return reference_women(final.calibration.risks(hazards).value[:, -1], WELL)
