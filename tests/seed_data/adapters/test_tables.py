"""Tables from many hands."""

import pytest

from seed_data.adapters.public_set import Account, WrongLayout
from seed_data.adapters.tables import read_table


@pytest.fixture
def table(tmp_path):
    def write(data: bytes):
        path = tmp_path / "t.csv"
        path.write_bytes(data)
        return path

    return write


def _values(path, *required, optional=()):
    account = Account()
    return [row.values for row in read_table(path, required, optional, account=account)], account


@pytest.mark.parametrize("mark", [b",", b";", b"\t"])
def test_delimiters_and_spelling_of_names(table, mark):
    path = table(b"Patient_ID,image  view\r\n1, CC \r\n\r\n".replace(b",", mark))
    assert _values(path, "patient id", "image view")[0] == [{"patient id": "1", "image view": "CC"}]


def test_where_is_the_line_a_row_begins_at(table):
    path = table(b'a,b\n1,"two\nlines"\n2,x\n')
    rows = list(read_table(path, ("a",), account=Account()))
    assert [row.where for row in rows] == ["t.csv, line 2", "t.csv, line 4"]


def test_short_rows_give_blanks_and_long_rows_are_recorded(table):
    values, account = _values(table(b"a,b\n1\n1,2,3\n"), "a", optional=("b", "c"))
    assert values == [{"a": "1", "b": "", "c": ""}]
    assert account.left_out == [("t.csv, line 3", "the row has more fields than the header", "1")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"a\n1\n", "lacks the columns b, c"),
        ("b,c\né\n".encode("latin-1"), "is not UTF-8"),
        (b"b,c\n" + b"x" * 200_000, "is not a CSV file"),
    ],
)
def test_a_file_that_is_no_such_table_is_told_in_a_sentence(table, data, said):
    with pytest.raises(WrongLayout, match=said):
        _values(table(data), "b", "c")
