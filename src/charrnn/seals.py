"""Checksums that files carry in themselves, and the one function that proves them.

Whatever is kept and read again later has a seal: binary files begin with it (`with_seal`), objects
in JSON have it as a last field (`sealed`), and tables as a last column (`sealed_table`). Files of
earlier versions have none and are taken as they are. Where a seal should be and is not, because its
name was damaged, the file is damaged.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SEAL = "seal"
"""Name of the field, or column, that holds the seal."""
MARKED = "sha256:"
"""How the seal of a table begins, by which it is known even under a damaged name."""
SIZE = hashlib.sha256().digest_size


class Damaged(ValueError):
    """A content that is not what was sealed."""


def sha256_of(content: bytes) -> str:
    """The SHA-256 checksum of a content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def prove(content: bytes, seal: object) -> None:
    """Check a content against its seal.

    Raises:
        Damaged: if it is not what was sealed.
    """
    if sha256_of(content) != seal:
        raise Damaged("not what was written")


def with_seal(content: bytes) -> bytes:
    """A binary file with this content.

    Examples:
        >>> without_seal(with_seal(b"hat"))
        b'hat'
    """
    return bytes.fromhex(sha256_of(content)) + content


def without_seal(file: bytes) -> bytes:
    """The content of a file that `with_seal` has made.

    Raises:
        Damaged: if it is not what was sealed.
    """
    prove(file[SIZE:], file[:SIZE].hex())
    return file[SIZE:]


def sealed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an object in JSON, and their seal."""
    return {**fields, SEAL: sha256_of(_canonical(fields))}


def unsealed(text: bytes | str, earlier: Collection[str]) -> dict[str, Any]:
    """The fields of an object in JSON, proven.

    Args:
        text: the JSON.
        earlier: the fields that it had in versions that sealed nothing. An object with only these
            is taken as it is.

    Raises:
        Damaged: if it is not JSON, not an object, or not what was sealed.
    """
    try:
        fields = json.loads(text)
        if isinstance(fields, dict) and SEAL not in fields and fields.keys() <= {*earlier}:
            return fields
        seal = fields.pop(SEAL)
        content = _canonical(fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged("not a sealed object") from error
    prove(content, seal)
    return fields


def sealed_table(table: pd.DataFrame) -> str:
    """A table of one row or more as CSV, with the seal of all of it in the last column."""
    text = table.to_csv(index=False)
    return _as_text(text).assign(**{SEAL: MARKED + sha256_of(text.encode())}).to_csv(index=False)


def unsealed_table(content: bytes | str) -> pd.DataFrame:
    """The table that `sealed_table` has written, all of its values as text.

    A table without any seal is taken as it is.

    Args:
        content: of its file.

    Raises:
        Damaged: if it is not a table, not complete, or not what was sealed.
    """
    text = content if isinstance(content, str) else content.decode(errors="replace")
    try:
        table = _as_text(text)
        if not text.endswith("\n") or "\0" in text or table.isna().any(axis=None):
            raise Damaged("not complete")
        if MARKED not in text and SEAL not in table:
            return table
        (seal,) = set(table.pop(SEAL))
    except (ValueError, KeyError, MemoryError) as error:
        raise Damaged("not a sealed table") from error
    prove(table.to_csv(index=False).encode(), seal.removeprefix(MARKED))
    return table


def unsealed_numbers(content: bytes | str) -> pd.DataFrame:
    """The same table, with numbers where all values of a column are numbers.

    Raises:
        Damaged: see `unsealed_table`.
    """
    import pandas as pd

    text = unsealed_table(content).to_csv(index=False)
    # The Python engine reads a float back to the bit in every version of pandas.
    return pd.read_csv(io.StringIO(text), engine="python")


def _as_text(csv: str) -> pd.DataFrame:
    import pandas as pd  # slow to import

    return pd.read_csv(io.StringIO(csv), dtype=str, keep_default_na=False)


def _canonical(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True).encode()
