"""Scoring: as of a visit's date, each image once, scores added and never edited."""

import errno
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, update

from core.images.child import ChildDied, ChildUnstartable
from core.images.reader import GuardedReader
from core.incoming import rescoring
from core.incoming.intake import take_in
from core.incoming.items import IncomingFile, Statement
from core.outages import MachineFailed, outage
from core.refusals import Refusal
from core.rules import vocabulary
from core.settings import Settings
from core.worker import progress
from core.worker.queue import queue_everything
from core.worker.scoring import Scorer, score_pending
from db.images import StoreUnavailable
from db.tables import Alert, Embedding, Image, Score, Study, StudyStatus, utc_now
from tests import engines
from tests.pictures import breast, dicom

FOUR_VIEWS = tuple(view.code for view in vocabulary.FOUR_VIEWS)


@pytest.fixture(scope="module")
def model(tiny_model: Path):
    from models.longitudinal.model import LongitudinalModel

    return LongitudinalModel.load(tiny_model)


def add_visit(here, day: date, *, views=("L-CC", "R-CC"), mrn: str = "MRN-1", **tags) -> str:
    """Take in a visit of a woman and return its study's UID."""
    files = []
    for view in views:
        side, name = view.split("-")
        # hash() of a string changes from run to run; the seed must not.
        seed = day.toordinal() * 10 + FOUR_VIEWS.index(view) + sum(map(ord, mrn)) * 7919
        data = dicom(
            breast(side, seed=seed),
            ImageLaterality=side,
            ViewPosition=name,
            StudyDate=day.strftime("%Y%m%d"),
            PatientID=mrn,
            **{"StudyInstanceUID": f"1.2.{day:%Y%m%d}.{sum(map(ord, mrn))}", **tags},
        )
        files.append(IncomingFile(view, data))
    report = take_in(here, files, statement=None, source="cli")
    assert report.count("accepted") == len(views), report.items
    return str(report.items[0].study_uid)


def scores(here) -> dict[date, list[tuple]]:
    """Every score there is, by study date in the order of their making."""
    found: dict[date, list[tuple]] = {}
    with here.database.read() as session:
        for score, day in session.execute(
            select(Score, Study.study_date).join(Study).order_by(Study.study_date, Score.id)
        ):
            numbers = (
                score.risk_1y,
                score.risk_5y,
                score.malignancy_left,
                score.progression,
                score.density_a,
            )
            found.setdefault(day, []).append(numbers)
    return found


def statuses(here) -> list[str]:
    with here.database.read() as session:
        return [s.status.value for s in session.scalars(select(Study).order_by(Study.study_date, Study.id))]


class Counting:
    """A model that counts what passes its encoder."""

    def __init__(self, model):
        self.model, self.encoded = model, 0

    def __getattr__(self, name):
        return getattr(self.model, name)

    def encode(self, views):
        self.encoded += len(views)
        return self.model.encode(views)


def test_a_study_is_scored_and_says_what_it_read(here, model):
    uid = add_visit(here, date(2024, 1, 1), views=FOUR_VIEWS)
    report = score_pending(here, model=model).to_json()
    assert report["refused"] == []
    (item,) = report["scored"]
    assert (item["patient"], item["study_uid"], item["study_date"]) == ("MRN-1", uid, "2024-01-01")
    assert set(item["malignancy"]) == {"L", "R"}
    assert list(item["risk"]) == ["1", "2", "3", "4", "5"]
    assert all(r["low"] <= r["value"] <= r["high"] for r in item["risk"].values())
    assert sum(item["density"].values()) == pytest.approx(1)
    with here.database.read() as session:
        score = session.scalars(select(Score)).one()
        images = session.scalars(select(Image)).all()
        assert score.inputs == {uid: [image.sha256 for image in images]}
        assert score.weights_sha256 == model.card.weights_sha256
        assert (score.calibration, score.priors, score.missing_views) == (model.card.calibration, 0, [])
        assert [c["study_uid"] for c in score.contributions] == [uid]
        assert score.study.status is StudyStatus.SCORED


def test_a_later_study_never_changes_an_earlier_score(here, model):
    add_visit(here, date(2020, 1, 1))
    add_visit(here, date(2022, 1, 1))
    score_pending(here, model=model)
    before = scores(here)
    add_visit(here, date(2024, 1, 1))
    score_pending(here, model=model)
    after = scores(here)
    assert {day: after[day] for day in before} == before, "nothing was added to or changed in earlier visits"
    # Not even when everything is scored anew.
    score_pending(here, model=model, everything=True)
    again = scores(here)
    for day, made in before.items():
        assert again[day] == [made[0], made[0]]


def test_visits_scored_one_by_one_or_all_at_once_say_the_same(here, model, tmp_path, migrated_database):
    days = [date(2018, 5, 1), date(2019, 6, 1), date(2021, 7, 1)]
    for day in days:
        add_visit(here, day)
        score_pending(here, model=model)
    one_by_one = scores(here)
    with here.database.write() as session:
        session.execute(Score.__table__.delete())
    score_pending(here, model=model, everything=True)
    assert scores(here) == one_by_one


def test_a_late_prior_rescores_what_follows_it_and_nothing_else(here, model):
    add_visit(here, date(2018, 1, 1))
    add_visit(here, date(2022, 1, 1))
    score_pending(here, model=model)
    before = scores(here)
    add_visit(here, date(2020, 1, 1))
    report = score_pending(here, model=model)
    assert [item.study_date for item in report.items] == [date(2020, 1, 1), date(2022, 1, 1)]
    after = scores(here)
    assert after[date(2018, 1, 1)] == before[date(2018, 1, 1)]
    first, second = after[date(2022, 1, 1)]
    assert first == before[date(2022, 1, 1)][0], "the earlier score stays as it was"
    assert second != first, "the prior counts"


def test_an_image_passes_the_encoder_once(here, model):
    counting = Counting(model)
    for year in (2018, 2020, 2022):
        add_visit(here, date(year, 1, 1))
        score_pending(here, model=counting)
    score_pending(here, model=counting, everything=True)
    assert counting.encoded == 6
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Embedding)) == 6


def test_missing_views_are_told_and_a_breast_without_image_has_no_score(here, model):
    add_visit(here, date(2024, 1, 1), views=("L-CC", "L-MLO"))
    (item,) = score_pending(here, model=model).items
    assert item.malignancy["R"] is None
    assert item.malignancy["L"] is not None
    with here.database.read() as session:
        assert session.scalars(select(Score)).one().missing_views == ["R-CC", "R-MLO"]


def test_unknown_age_is_scored(here, model):
    add_visit(here, date(2024, 1, 1), PatientBirthDate=None)
    assert score_pending(here, model=model).to_json()["refused"] == []


def test_two_studies_of_one_day_are_one_visit_in_the_order_of_arrival(here, model):
    first = add_visit(here, date(2024, 1, 1), views=("L-CC",), StudyInstanceUID="1.1")
    second = add_visit(here, date(2024, 1, 1), views=("R-CC",), StudyInstanceUID="1.2")
    score_pending(here, model=model)
    with here.database.read() as session:
        by_uid = {score.study.uid: score for score in session.scalars(select(Score))}
    assert set(by_uid[first].inputs) == {first}
    assert set(by_uid[second].inputs) == {first, second}
    assert by_uid[second].priors == 0
    assert by_uid[first].malignancy_right is None
    assert by_uid[second].malignancy_left is not None


def test_spot_views_and_raw_images_are_not_read_as_views(here, model):
    add_visit(here, date(2024, 1, 1), views=("L-CC",), PresentationIntentType="FOR PROCESSING")
    report = score_pending(here, model=model)
    assert [item.refusal.reason for item in report.items] == ["no_usable_view"]
    assert statuses(here) == ["refused"]
    # A readable view of the same study brings it back.
    add_visit(here, date(2024, 1, 1), views=("R-CC",))
    assert score_pending(here, model=model).items[0].refusal is None


def test_a_woman_whose_newest_study_cannot_be_read_keeps_the_alert_of_the_one_before(here, model):
    class Suspicious(Counting):
        def score(self, visits):
            return replace(self.model.score(visits), malignancy={"L": 0.9, "R": None})

    add_visit(here, date(2022, 1, 1), views=("L-CC",))
    add_visit(here, date(2024, 1, 1), views=("L-CC",), PresentationIntentType="FOR PROCESSING")
    score_pending(here, model=Suspicious(model))
    assert statuses(here) == ["scored", "refused"]
    with here.database.read() as session:
        messages = session.scalars(select(Alert.message).where(Alert.acknowledged_at.is_(None))).all()
    assert "Suspicious breast: left 90 %" in messages


def test_a_study_whose_image_is_gone_is_refused_with_the_reason(here, model):
    uid = add_visit(here, date(2024, 1, 1), views=("L-CC",))
    with here.database.read() as session:
        engines.lose(here.images, session.scalars(select(Image.sha256)).one())
    report = score_pending(here, model=model).to_json()
    assert report["scored"] == []
    assert [(r["study_uid"], r["reason"]) for r in report["refused"]] == [(uid, "image_unreadable")]


def test_a_study_that_changes_while_it_is_scored_is_scored_again(here, model):
    class Slow(Counting):
        def score(self, visits):
            if self.encoded == 1:
                add_visit(here, date(2024, 1, 1), views=("R-CC",))
            return self.model.score(visits)

    add_visit(here, date(2024, 1, 1), views=("L-CC",))
    report = score_pending(here, model=Slow(model))
    assert len(report.items) == 1
    assert report.items[0].malignancy["R"] is not None
    assert len(scores(here)[date(2024, 1, 1)]) == 1, "what was computed of half a study is not written"


def test_a_study_that_fails_once_is_scored_before_scoring_ends(here, model):
    class FailingOnce(Counting):
        failed = False

        def score(self, visits):
            if not self.failed:
                self.failed = True
                raise RuntimeError("memory was short for a moment")
            return self.model.score(visits)

    days = [date(2020, 1, 1), date(2022, 1, 1)]
    for day in days:
        add_visit(here, day, views=("L-CC",))
    report = score_pending(here, model=FailingOnce(model))
    assert [(item.study_date, item.refusal) for item in report.items] == [(day, None) for day in days]


def test_an_image_that_a_busy_machine_reads_too_slowly_is_read_again(here, model, monkeypatch):
    read, late = GuardedReader.read, [True]

    def late_once(self, data, name):
        if late:
            late.clear()
            raise Refusal("timeout")
        return read(self, data, name)

    add_visit(here, date(2024, 1, 1), views=("L-CC",))
    monkeypatch.setattr(GuardedReader, "read", late_once)
    assert [item.refusal for item in score_pending(here, model=model).items] == [None]


def test_who_came_last_is_scored_first_and_her_oldest_visit_before_the_others(here, model):
    for mrn in ("MRN-1", "MRN-2"):
        for year in (2024, 2020):
            add_visit(here, date(year, 1, 1), views=("L-CC",), mrn=mrn)
    order = [(item.patient, item.study_date.year) for item in score_pending(here, model=model).items]
    assert order == [("MRN-2", 2020), ("MRN-2", 2024), ("MRN-1", 2020), ("MRN-1", 2024)]


def test_scoring_everything_adds_rows_and_edits_none(here, model):
    add_visit(here, date(2024, 1, 1), views=("L-CC",))
    score_pending(here, model=model)
    with here.database.read() as session:
        first = session.scalars(select(Score)).one().computed_at
    assert queue_everything(here) == 1
    score_pending(here, model=model)
    with here.database.read() as session:
        made = session.scalars(select(Score).order_by(Score.id)).all()
    assert [score.computed_at == first for score in made] == [True, False]


def test_nothing_pending_does_not_load_the_model(here):
    here.settings.model = "no such model"
    assert score_pending(here).items == []


def test_a_model_that_is_not_there_is_said(here):
    add_visit(here, date(2024, 1, 1), views=("L-CC",))
    here.settings.model = "no-such-model"
    with pytest.raises(LookupError, match="no-such-model"):
        score_pending(here)
    assert statuses(here) == ["pending"]


def test_the_stated_word_of_a_person_decides_the_visit_that_is_scored(here, model):
    data = dicom(breast("L", seed=77), StudyDate="20161004", PatientID="FILE")
    said = Statement(mrn="SAID", study_date=date(2012, 5, 1))
    take_in(here, [IncomingFile("x", data)], statement=said, source="cli")
    (item,) = score_pending(here, model=model).items
    assert (item.patient, item.study_date) == ("SAID", date(2012, 5, 1))


def test_settings_may_name_a_models_folder(here, tiny_model):
    add_visit(here, date(2024, 1, 1), views=("L-CC",))
    here.settings.model = str(tiny_model)
    assert score_pending(here).items[0].model == "untrained"
    assert isinstance(here.settings, Settings)


class Away:
    """An image store that is away for a while."""

    def __init__(self, store, times: int):
        self.store, self.left = store, times

    def get(self, sha256: str) -> bytes:
        if self.left > 0:
            self.left -= 1
            raise StoreUnavailable("The image store is away.")
        return self.store.get(sha256)


def test_a_store_that_is_away_for_a_while_puts_studies_off_and_refuses_none(here, model, monkeypatch):
    monkeypatch.setattr("core.worker.queue.FIRST_PAUSE", timedelta(seconds=0.01))
    monkeypatch.setattr("core.worker.queue.LONGEST_PAUSE", timedelta(seconds=0.05))
    for mrn in ("MRN-1", "MRN-2"):
        add_visit(here, date(2024, 1, 1), views=("L-CC",), mrn=mrn)
    away = replace(here, images=Away(here.images, times=20))
    report = score_pending(away, model=model, readers=1)
    assert [item.refusal for item in report.items] == [None, None]
    assert report.stopped is None
    assert away.images.left == 0


def test_a_bulk_that_the_store_leaves_in_the_lurch_answers_for_what_it_finished(here, model, monkeypatch):
    monkeypatch.setattr("core.worker.queue.FIRST_PAUSE", timedelta(seconds=0.01))
    add_visit(here, date(2024, 1, 1), views=("L-CC",), mrn="MRN-1")
    score_pending(here, model=model)
    add_visit(here, date(2024, 1, 1), views=("L-CC",), mrn="MRN-2")
    with here.database.write() as session:
        rescoring.queue_again(session, Study.id > 0)
    away = replace(here, images=Away(here.images, times=10**6))

    # The woman whose reading is stored comes first: hers needs no store.
    with here.database.write() as session:
        session.execute(
            update(Study).where(Study.id == 1).values(inputs_changed_at=utc_now() + timedelta(seconds=1))
        )
    report = score_pending(away, model=model, readers=1, patience_seconds=0.3)
    assert [item.patient for item in report.items] == ["MRN-1"]
    assert report.stopped == "The image store is away."
    assert report.to_json()["stopped"] == report.stopped
    assert statuses(here) == ["scored", "pending"]
    (put_off,) = progress.put_off(here)
    assert (put_off.why, put_off.studies) == ("The image store is away.", 1)
    assert "Put off since" in put_off.sentence
    # The store is back.
    assert [item.patient for item in score_pending(here, model=model).items] == ["MRN-2"]
    assert progress.put_off(here) == []


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("away"),
        MemoryError(),
        OSError(errno.ENOSPC, "No space left on device"),
        ChildUnstartable("The process core.images.process does not start: Cannot allocate memory"),
    ],
)
def test_what_the_world_fails_in_never_counts_against_a_study(here, model, error):
    class Failing(Counting):
        def score(self, visits):
            raise error

    add_visit(here, date(2024, 1, 1), views=("L-CC",))
    scorer = Scorer(here, Failing(model))
    for _ in range(7):
        with pytest.raises(MachineFailed):
            scorer.score_next(settled=False)
        come_due(here)
    with here.database.read() as session:
        study = session.scalars(select(Study)).one()
    assert (study.status, study.attempts) == (StudyStatus.PENDING, 0)
    assert study.put_off_because == outage(error)
    scorer.close()


@pytest.mark.parametrize("how", ["killed", "no memory"])
def test_a_reading_process_that_memory_fails_puts_the_study_off(here, model, monkeypatch, how):
    def fail(self, data, name):
        cause = ChildDied(-9) if how == "killed" else MemoryError()
        raise Refusal("unreadable", "The decoder stopped.") from cause

    add_visit(here, date(2024, 1, 1), views=("L-CC",))
    scorer = Scorer(here, model)
    with monkeypatch.context() as short:
        short.setattr(GuardedReader, "read", fail)
        with pytest.raises(MachineFailed, match="memory"):
            scorer.score_next(settled=False)
    come_due(here)
    assert scorer.score_next(settled=False).refusal is None
    scorer.close()


def test_a_database_that_goes_away_while_a_study_is_in_work_leaves_it_in_the_queue(here, model):
    class Pulling(Counting):
        def score(self, visits):
            holder.enter_context(engines.held(here.database))
            return self.model.score(visits)

    add_visit(here, date(2024, 1, 1), views=("L-CC",))
    holder = ExitStack()
    engines.waits(here.database, 0.1)
    scorer = Scorer(here, Pulling(model))
    with pytest.raises(MachineFailed, match="busy"):
        scorer.score_next(settled=False)
    holder.close()
    # Given back as soon as the database is there, not when the lease runs out.
    scorer.model = model
    assert scorer.score_next(settled=False) is None
    come_due(here)
    assert scorer.score_next(settled=False).refusal is None
    scorer.close()


def come_due(here) -> None:
    """Let the pause of what was put off be over."""
    with here.database.write() as session:
        session.execute(
            update(Study)
            .where(Study.claimed_by.is_(None), Study.claimed_until.is_not(None))
            .values(claimed_until=utc_now() - timedelta(seconds=1))
        )


class FailingOf2019(Counting):
    def score(self, visits):
        if visits[-1].on.year == 2019:
            raise RuntimeError("a defect in MRN-1 of her")
        return self.model.score(visits)


def test_a_study_that_fails_while_others_succeed_is_set_aside_with_its_reason(here, model):
    add_visit(here, date(2019, 1, 1), views=("L-CC",))
    scorer = Scorer(here, FailingOf2019(model))
    items = []
    for number in range(6):
        if item := scorer.score_next(settled=False):
            items.append(item)
        add_visit(here, date(2024, 1, 1), views=("L-CC",), mrn=f"OTHER-{number}")
        come_due(here)
        while item := scorer.score_next(settled=False):
            items.append(item)
        come_due(here)
    refused = [item for item in items if item.refusal]
    assert [(item.patient, item.refusal.reason) for item in refused] == [("MRN-1", "scoring_failed")]
    assert refused[0].refusal.detail == "RuntimeError: a defect in … of her"
    with here.database.read() as session:
        study = session.scalars(select(Study).where(Study.status == StudyStatus.REFUSED)).one()
    assert abs(study.refused_at - utc_now()) < timedelta(minutes=1)
    scorer.close()


def test_a_failure_that_hits_every_study_alike_counts_for_none(here, model):
    class Broken(Counting):
        def score(self, visits):
            raise RuntimeError("a defect")

    for mrn in ("MRN-1", "MRN-2"):
        add_visit(here, date(2024, 1, 1), views=("L-CC",), mrn=mrn)
    scorer = Scorer(here, Broken(model))
    for _ in range(7):
        assert scorer.score_next(settled=False) is None
        come_due(here)
    assert statuses(here) == ["pending", "pending"]
    (put_off,) = progress.put_off(here)
    assert (put_off.studies, "RuntimeError: a defect" in put_off.why) == (2, True)
    report = score_pending(here, model=Broken(model), patience_seconds=0)
    assert "RuntimeError" in report.stopped
    scorer.close()


def test_a_birth_date_that_a_later_study_brings_gives_the_earlier_ones_their_age(here, model):
    """The shipped kind of model reads her age: an earlier score made without it does not stand alone."""
    ages = []

    class Asking(Counting):
        def score(self, visits):
            ages.append([visit.age_years for visit in visits])
            return self.model.score(visits)

    add_visit(here, date(2020, 1, 1), views=("L-CC",), PatientBirthDate="")
    score_pending(here, model=Asking(model))
    assert ages == [[None]]
    add_visit(here, date(2022, 1, 1), views=("L-CC",), PatientBirthDate="19700101")
    report = score_pending(here, model=Asking(model))
    assert [item.study_date.year for item in report.items] == [2020, 2022]
    assert ages[1] == [pytest.approx(50.0, abs=0.01)]
    assert ages[2] == [pytest.approx(50.0, abs=0.01), pytest.approx(52.0, abs=0.01)]
    assert [len(said) for said in scores(here).values()] == [2, 1], "the first score of 2020 stays"
    # It is known now: one more study tells nothing new of the earlier ones.
    add_visit(here, date(2024, 1, 1), views=("L-CC",), PatientBirthDate="19700101")
    assert [item.study_date.year for item in score_pending(here, model=model).items] == [2024]


# How far a score may be believed


def believed(here) -> dict[date, tuple[str, str | None]]:
    with here.database.read() as session:
        rows = session.execute(
            select(Study.study_date, Score.trust_level, Score.trust_doubt)
            .join(Score.study)
            .order_by(Score.id)
        )
        return {on: (level, doubt) for on, level, doubt in rows}


def test_a_score_of_women_that_the_model_never_met_is_no_number_and_raises_no_alert(here, model):
    model.card = replace(model.card, simulated_training=True)
    try:
        add_visit(here, date(2020, 5, 1))
        item = score_pending(here, model=model).items[0]
    finally:
        model.card = replace(model.card, simulated_training=False)
    said = item.to_json()
    assert said["trust"]["level"] == "withheld"
    assert "never held against real women" in said["trust"]["reason"]
    assert said["risk"]["5"] == {"value": None, "low": None, "high": None}
    assert set(said["malignancy"].values()) == {None}
    assert said["progression"] is None
    assert set(said["density"].values()) == {None}
    assert 0 <= said["untrusted"]["risk"]["5"]["value"] <= 1
    with here.database.read() as session:
        assert session.scalars(select(Alert)).all() == []


def test_pictures_beyond_the_limit_are_withheld_and_left_out_of_what_comes_after(here, model):
    days = [date(2016, 5, 1), date(2018, 5, 1), date(2020, 5, 1), date(2022, 5, 1)]
    for day in days:
        add_visit(here, day, views=("L-CC",))
    known = model.domain
    score_pending(here, model=model)
    with here.database.read() as session:
        far = {
            on: model.domain.distances(np.frombuffer(vector, "<f4")[None])[0]
            for on, (vector,) in by_day(session).items()
        }
    *_, near, unlike = sorted(far, key=far.__getitem__)
    assert unlike != days[-1], "one comes after it"
    model.domain = replace(known, limit=(far[near] + far[unlike]) / 2)
    try:
        score_pending(here, everything=True, model=model)
    finally:
        model.domain = known
    others = dict.fromkeys(days, ("trusted", None))
    assert believed(here) == others | {unlike: ("withheld", "unlike_pictures")}
    with here.database.read() as session:
        of_last = (
            select(Score).join(Score.study).where(Study.study_date == days[-1]).order_by(Score.id.desc())
        )
        last = session.scalars(of_last).first()
        assert last.priors == 2
        assert {one["study_date"] for one in last.left_out} == {unlike.isoformat()}


def by_day(session) -> dict[date, list[bytes]]:
    found: dict[date, list[bytes]] = {}
    for on, vector in session.execute(
        select(Study.study_date, Embedding.vector)
        .join(Image, Image.study_id == Study.id)
        .join(Embedding, Embedding.image_id == Image.id)
    ):
        found.setdefault(on, []).append(vector)
    return found
