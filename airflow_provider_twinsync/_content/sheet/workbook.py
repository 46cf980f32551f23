"""Read the first sheet of an xlsx or ods, with python-calamine and a scan before it."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from airflow_provider_twinsync._api.shown import one_line, shown_text
from airflow_provider_twinsync._content.extra import needs_content
from airflow_provider_twinsync._content.sheet.limits import MAX_COLUMNS, MAX_ROWS, not_a_sheet, too_many_rows
from airflow_provider_twinsync._content.sheet.workbook_scan import Scan, scan_ods, scan_xlsx, shared_lengths

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The XML of 10,000 rows has about ten megabytes.
_MAX_UNPACKED = 100_000_000
_MAX_CHARACTERS = 100_000_000
#: The cells of all sheets of an ods, which the reader reads at once.
_MAX_CELLS = 10_000_000
#: A workbook lists its sheets in a few kilobytes.
_MAX_LISTING = 5_000_000
_LISTING = ("xl/workbook.xml", "xl/_rels/workbook.xml.rels", "_rels/.rels")
_ODS = ("mimetype", "META-INF/manifest.xml", "content.xml")
_BLOCK = 1_048_576


def read_workbook(data: bytes, subject: str) -> tuple[list[list[Any]], dict[tuple[int, int], str], list[str]]:
    """Return the cells of the first visible sheet, the reasons of cells that cannot be read, and notes.

    The reasons are by row and column, from 0. A note is a sentence with a code.

    :param data: the bytes of the file.
    :param subject: the file, as the subject of a sentence.
    :raises UsageError: the workbook cannot be read, is too large, or python-calamine is not installed.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum
    except ImportError:
        raise needs_content("A sheet of the kind xlsx or ods") from None
    parts = _unpacked(data, subject)
    is_xlsx = _LISTING[0] in parts
    try:
        # The reader gets no byte that was not scanned: a cell far away would cost it all memory.
        scans = [] if is_xlsx else _scan_ods(parts, subject)
        book = CalamineWorkbook.from_filelike(io.BytesIO(_packed(parts, _LISTING if is_xlsx else _ODS)))
        sheets = [
            (index, one.name)
            for index, one in enumerate(book.sheets_metadata)
            if one.visible == SheetVisibleEnum.Visible and one.typ == SheetTypeEnum.WorkSheet
        ]
        if not sheets:
            raise not_a_sheet(subject, "it has no visible sheet")
        index, name = sheets[0]
        path, scan = _scan_xlsx(parts, index) if is_xlsx else ("", scans[index])
        if scan.rows > MAX_ROWS + 1:  # with the names of the columns
            raise too_many_rows(subject)
        if scan.columns > MAX_COLUMNS:
            raise not_a_sheet(subject, f"it has a cell right of column IV, the last of {MAX_COLUMNS}")
        _check_characters(scan.characters, subject)
        if is_xlsx:
            needed = (*_LISTING, "xl/styles.xml", "xl/sharedStrings.xml", path)
            book = CalamineWorkbook.from_filelike(io.BytesIO(_packed(parts, needed)))
        cells: list[list[Any]] = book.get_sheet_by_index(index).to_python(skip_empty_area=False)
    except (CalamineError, ValueError, LookupError, ET.ParseError, zipfile.BadZipFile) as error:
        if hasattr(error, "code"):
            raise
        problem = (
            "it has a password" if _has_password(parts) else one_line(f"{error}" or type(error).__name__)
        )
        raise not_a_sheet(subject, problem) from None
    # An error alone in a row makes no cell.
    cells += [[] for _ in range(scan.rows - len(cells))]
    return cells, scan.bad, _notes(name, sheets[1:], subject)


def _notes(name: str, others: Sequence[tuple[int, str]], subject: str) -> list[str]:
    if not others:
        return []
    names = ", ".join(shown_text(other) for _, other in others[:5])
    return [f"TS178 {subject} has several sheets: {shown_text(name)} is read, and {names} not."]


def _unpacked(data: bytes, subject: str) -> dict[str, bytes]:
    """Return the XML files of a workbook, by their names in lower case, without its pictures.

    :raises UsageError: it is no workbook, or would expand to more than a bound.
    """
    parts: dict[str, bytes] = {}
    left = _MAX_UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for one in archive.infolist():
                if not re.search(r"(\.xml|\.rels|^mimetype)$", one.filename):
                    continue
                with archive.open(one) as file:
                    blocks = []
                    while block := file.read(_BLOCK):
                        blocks.append(block)
                        left -= len(block)
                        if left < 0:
                            raise not_a_sheet(subject, f"it expands to more than {_MAX_UNPACKED:,} bytes")
                # The reader ignores the case of names too; of two equal ones it gets one.
                parts[one.filename.lower()] = b"".join(blocks)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        if hasattr(error, "code"):
            raise
        raise not_a_sheet(subject, f"the file is damaged ({one_line(str(error))})") from None
    except Exception as error:  # of zlib, lzma and others
        raise not_a_sheet(subject, f"the file is damaged ({type(error).__name__})") from None
    if "xl/workbook.xml" not in parts and "content.xml" not in parts:
        raise not_a_sheet(subject, "it is a zip file, and neither an xlsx nor an ods")
    return parts


def _packed(parts: dict[str, bytes], names: Iterable[str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in dict.fromkeys(names):
            if name.lower() in parts:
                archive.writestr(name, parts[name.lower()])
    return packed.getvalue()


def _has_password(parts: dict[str, bytes]) -> bool:
    return b"encryption-data" in parts.get("meta-inf/manifest.xml", b"")


def _scan_ods(parts: dict[str, bytes], subject: str) -> list[Scan]:
    """Scan all sheets, as the reader reads all of them.

    :raises ValueError: the XML is wrong.
    :raises UsageError: the sheets are too large.
    """
    scans = scan_ods(parts["content.xml"])
    if sum(one.rows * one.columns for one in scans) > _MAX_CELLS:
        raise not_a_sheet(subject, f"its sheets have more than {_MAX_CELLS:,} cells, with the empty ones")
    _check_characters(sum(one.characters for one in scans), subject)
    return scans


def _check_characters(characters: int, subject: str) -> None:
    if characters > _MAX_CHARACTERS:
        raise not_a_sheet(subject, f"its cells have more than {_MAX_CHARACTERS:,} characters")


def _scan_xlsx(parts: dict[str, bytes], index: int) -> tuple[str, Scan]:
    """Scan a sheet, and return the name of its part too.

    :param index: the number of the sheet, from 0.
    :raises ValueError: the XML is wrong.
    :raises KeyError: a part of the workbook is missing.
    """
    workbook = _tree(parts["xl/workbook.xml"])
    [sheets] = [one for one in workbook if _local(one.tag) == "sheets"]
    # With a prefix, as the attribute `id` alone is another one.
    [relation] = [value for name, value in list(sheets)[index].attrib.items() if name.endswith("}id")]
    is_stale = any(
        _local(one.tag) == "calcPr" and one.get("fullCalcOnLoad") in ("1", "true") for one in workbook
    )
    targets = {one.get("Id"): one.get("Target", "") for one in _tree(parts["xl/_rels/workbook.xml.rels"])}
    path = posixpath.normpath(posixpath.join("/xl", targets[relation])).lstrip("/")
    scan = scan_xlsx(parts[path.lower()], is_stale=is_stale)
    if scan.shared:
        lengths = shared_lengths(parts.get("xl/sharedstrings.xml", b"<sst/>"))
        used = ((number, count) for number, count in scan.shared.items() if number < len(lengths))
        scan.characters += sum(lengths[number] * count for number, count in used)
    return path, scan


def _tree(xml: bytes) -> ET.Element:
    if b"<!DOCTYPE" in xml:
        raise ValueError("it has a document type")
    if len(xml) > _MAX_LISTING:
        raise ValueError("its list of sheets is too long")
    return ET.fromstring(xml)  # noqa: S314  # bounded, and without entities


def _local(name: str) -> str:
    return name.rpartition("}")[2]
