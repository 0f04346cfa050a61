"""Why a file or a study is refused: every reason code with the sentence that people read."""

from __future__ import annotations

SENTENCES: dict[str, str] = {
    "empty_file": "The file is empty. Export it again.",
    "too_large": "The file is larger than this installation reads. Export single images, one file each.",
    "upload_full": "Too much was uploaded at once. Add these files first, then the others, or use python -m core import.",
    "upload_not_kept": "The upload could not be kept on this machine. Tell your admin, then choose the file again.",
    "upload_gone": "The uploaded file was not used for long and was dropped. Choose it again.",
    "truncated": "The file ends before its image does. Copy or export it again.",
    "unreadable": "The file is damaged or written in a way that cannot be read. Export it again, uncompressed if possible.",
    "unsupported_format": "The file is not of a kind that is read. Export it as DICOM, PNG, JPEG, or TIFF of one grey page.",
    "unsupported_compression": "The image is compressed in a way that cannot be read here. Export it uncompressed or as JPEG 2000.",
    "decompression_bomb": "The image unfolds to more than this installation allows, so it was not opened. Check where the file is from.",
    "timeout": "Reading the image took too long, so it was stopped. Export it again, uncompressed if possible.",
    "multi_frame": "The file holds several pictures, one after another. Export the single mammogram views.",
    "dicomdir": "This is a table of contents (DICOMDIR), not an image. Add the image files it lists.",
    "no_image": "The DICOM file holds no image. Choose the mammogram itself, not a report or a mark-up.",
    "not_a_mammogram": "This does not look like a mammogram. Check that the right file was chosen. If it is an ultrasound or MR image of her breast, say so: view US or MR.",
    "too_many_pictures": "Of one examination by ultrasound or MR no more pictures are kept beside her mammograms. Send its key images.",
    "not_a_breast_image": "This looks like neither a mammogram nor a breast ultrasound image, so it is not read. Choose the breast image itself.",
    "no_model": "No model that reads this kind of image is installed. Ask your admin for one.",
    "no_identity": "The file does not say whose it is. State the patient and the date of the study.",
    "bad_identifier": "An identifier of the image or its study cannot be kept as the file has it. State the patient and the date of the study, or let the sender correct the file.",
    "no_study_date": "The file does not say when the study was made. State the date of the study.",
    "unknown_laterality": "It is not known which breast this is. State the side: left or right.",
    "unknown_view": "It is not known which view this is. State it, for example CC or MLO.",
    "other_patient": "The file belongs to another patient. Check whose it is before adding it.",
    "exists_elsewhere": "The same image is stored already, in another study of this patient. Check the date.",
    "uid_conflict": "An image or study with the same identifier but other content is stored already. Ask the sender which one is right.",
    "identity_conflict": "What the file says of the patient disagrees with what is stored of her. Check the patient; if it is her, state the patient and the date of the study.",
    "burned_in_text": "Text in the picture may tell who she is, and cannot be taken out here. Mask it at the machine or in the archive, then send the file again.",
    "archive_unsafe": "The archive is nested, damaged, locked or unfolds to too much. Unpack it and add the files.",
    "bad_statement": "What was said of the file cannot be meant. Correct the patient, the date or the views.",
    "bad_manifest_row": "The manifest's row for this file cannot be used. Correct the row.",
    "unreadable_path": "The file cannot be opened here. Check that it exists and may be read.",
    "no_usable_view": "The study holds no view that the model can read. Add a CC or MLO view of the whole breast.",
    "image_unreadable": "A stored image of this study can no longer be read. Run verify, and add the image again.",
    "modality_not_scored": "Only mammograms are read by the model.",
    "scoring_failed": "Scoring this study failed several times while others were scored. Tell your admin: the worker's log says more. Once that is mended, try it again.",
}


class Refusal(Exception):
    """A file or a study that is not taken: a reason code and what was found.

    `detail` says what was found in this one, for the person who sent it; the sentence of the reason says what
    to do. Raises `KeyError` for a reason without a sentence.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        self.sentence = SENTENCES[reason]
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail or self.sentence}")

    @property
    def text(self) -> str:
        """Return what was found, then what to do."""
        return f"{self.detail} {self.sentence}" if self.detail else self.sentence


def refusal_text(reason: str | None, detail: str | None) -> str:
    """Return what was found and what to do, from a reason code and its detail."""
    sentence = SENTENCES.get(reason or "", reason or "")
    return " ".join(part for part in (detail, sentence) if part)
