"""Tables as people and spreadsheets write them: CSV in UTF-8, a name for each column in the first line."""

import csv
import io
from pathlib import Path

from faceswap.errors import UserError
from faceswap.io.documents import read_text


def read_table(path: Path, hint: str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The columns of a table and its rows with the number of their line, every cell a text.

    UserError, with `hint` where saving it anew helps, for what is no such table or where a row has more or
    fewer cells than there are columns.
    """
    # Excel begins its UTF-8 files with a byte order mark, which `read_text` takes away.
    table = csv.DictReader(io.StringIO(read_text(path, hint), newline=""), strict=True)
    rows = []
    try:
        columns = list(table.fieldnames or ())
        for row in table:
            if set(row) != set(columns) or None in row.values():
                found = f"{len(columns)} columns are named in its first line"
                raise UserError(f"line {table.line_num} of {path} has more or fewer cells", found, "mend it")
            rows.append((table.line_num, row))
    except csv.Error as error:
        raise UserError(f"{path} is no UTF-8 table", str(error), hint) from None
    return columns, rows
