"""CMMD as published: a workbook and DICOM files whose headers alone name side and view."""

import zipfile

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from seed_data.adapters import CannotAdapt

CLINICAL = (
    "ID1,LeftRight,Age,number,abnormality,classification,subtype",
    "D1-0001,R,44,2,calcification,Benign,",
    "D2-0002,L,57,4,mass,Malignant,HER2-enriched",
    "D2-0002,L,57,4,calcification,Benign,",
)


def _view(code):
    item = Dataset()
    item.CodeValue = code
    item.CodingSchemeDesignator = "SCT"
    return Sequence([item])


@pytest.fixture
def cmmd(folder):
    def add(woman, number, side, code):
        folder.mammogram(
            f"CMMD/{woman}/07-18-2010-NA-NA-79377/1.000000-NA-70244/1-{number}.dcm",
            PatientID=woman,
            ImageLaterality=side,
            ViewPosition=None,
            ViewCodeSequence=_view(code),
            StudyDate="20100718",
        )

    add("D1-0001", 1, "R", "399162004")
    add("D1-0001", 2, "R", "399368009")
    add("D2-0002", 1, "L", "399162004")
    add("D2-0002", 2, "R", "399162004")
    return folder


def test_headers_give_side_and_view_and_the_table_the_finding(cmmd):
    cmmd.table("CMMD_clinicaldata_revision.csv", *CLINICAL)
    told = cmmd.adapt("cmmd")
    assert [
        (r.patient_id, r.laterality, r.view, r.finding, r.age, str(r.study_date)) for r in cmmd.rows()
    ] == [
        ("D1-0001", "R", "CC", "benign", 44, "2010-07-18"),
        ("D1-0001", "R", "MLO", "benign", 44, "2010-07-18"),
        ("D2-0002", "L", "CC", "malignant", 57, "2010-07-18"),
        ("D2-0002", "R", "CC", None, 57, "2010-07-18"),
    ]
    assert told.account.left_out == []


def _workbook(path, rows):
    names = sorted({cell for row in rows for cell in row.split(",") if cell})
    shared = "".join(f"<si><t>{name}</t></si>" for name in names)
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = "".join(
            f'<c r="{chr(65 + place)}{number}" t="s"><v>{names.index(cell)}</v></c>'
            for place, cell in enumerate(row.split(","))
            if cell
        )
        lines.append(f'<row r="{number}">{cells}</row>')
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("xl/sharedStrings.xml", f"<sst {space}>{shared}</sst>")
        book.writestr(
            "xl/worksheets/sheet1.xml",
            f"<worksheet {space}><sheetData>{''.join(lines)}</sheetData></worksheet>",
        )


def test_the_workbook_says_the_same_as_the_csv(cmmd):
    cmmd.table("CMMD_clinicaldata_revision.csv", *CLINICAL)
    cmmd.adapt("cmmd")
    from_csv = cmmd.cells()
    (cmmd.src / "CMMD_clinicaldata_revision.csv").unlink()
    _workbook(cmmd.src / "CMMD_clinicaldata_revision.xlsx", CLINICAL)
    cmmd.adapt("cmmd")
    assert cmmd.cells() == from_csv


def test_a_false_workbook_is_told(cmmd):
    (cmmd.src / "CMMD_clinicaldata_revision.xlsx").write_bytes(b"no workbook")
    with pytest.raises(CannotAdapt, match="is not an Excel workbook"):
        cmmd.adapt("cmmd")


def test_a_workbook_with_entities_is_refused(cmmd):
    with zipfile.ZipFile(cmmd.src / "CMMD_clinicaldata_revision.xlsx", "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    with pytest.raises(CannotAdapt, match="is not an Excel workbook"):
        cmmd.adapt("cmmd")


def test_a_semicolon_table_a_woman_without_images_and_a_damaged_file(cmmd):
    cmmd.table(
        "CMMD_clinicaldata_revision.csv",
        *(row.replace(",", ";") for row in CLINICAL),
        "D1-0999;R;44;2;;Benign;",
    )
    (cmmd.src / "CMMD/D1-0001/07-18-2010-NA-NA-79377/1.000000-NA-70244/1-2.dcm").write_bytes(b"x" * 200)
    told = cmmd.adapt("cmmd")
    assert told.images == 3
    assert [(why.split("(")[0].strip(), what) for _, why, what in told.account.left_out] == [
        ("its image cannot be read", "D1-0001"),
        ("its image file is missing", "D1-0999"),
    ]


def test_no_images_is_told(folder):
    folder.table("CMMD_clinicaldata_revision.csv", *CLINICAL)
    with pytest.raises(CannotAdapt, match="no folders D1-0001"):
        folder.adapt("cmmd")
