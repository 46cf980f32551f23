"""Small workbooks, written by hand: of the kinds xlsx and ods."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pytest

from airflow_provider_twinsync._content.sheet.reader import Sheet, read_sheet
from airflow_provider_twinsync.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
#: The second style is of a date.
_STYLES = (
    f'<styleSheet {_MAIN}><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'
)
_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_ODS_NAMES = (
    " ".join(f'xmlns:{name}="{_OASIS}{name}:1.0"' for name in ("office", "table", "text", "style"))
    + ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
)


def archive(parts: dict[str, str | bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            file.writestr(name, text)
    return packed.getvalue()


def letter(column: int) -> str:
    return chr(ord("A") + column)


def cell(place: str, value: Any) -> str:
    """Return the XML of a cell of an xlsx; a value that begins with `<` is XML already."""
    if isinstance(value, str) and value.startswith("<c "):
        return value
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, (int, float)):
        return f'<c r="{place}"><v>{value}</v></c>'
    if value is None:
        return ""
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def sheet_xml(rows: Sequence[Sequence[Any]], after: str = "") -> str:
    lines = "".join(
        f'<row r="{number}">'
        + "".join(cell(f"{letter(column)}{number}", value) for column, value in enumerate(row))
        + "</row>"
        for number, row in enumerate(rows, 1)
    )
    return f"<worksheet {_MAIN}><sheetData>{lines}</sheetData>{after}</worksheet>"


def xlsx(
    rows: Sequence[Sequence[Any]],
    *,
    after: str = "",
    others: Sequence[tuple[str, str, Sequence[Sequence[Any]]]] = (),
    state: str = "",
    more: dict[str, str | bytes] | None = None,
) -> bytes:
    """Return a workbook.

    :param after: XML after the cells, such as that of merged ones.
    :param others: more sheets: the name, its state, such as `hidden`, and its rows.
    :param state: the state of the first sheet.
    :param more: more files of the archive.
    """
    sheets = [("First", state, sheet_xml(rows, after))]
    sheets += [(name, hidden, sheet_xml(other)) for name, hidden, other in others]
    listed, relations, parts = "", "", {}
    for number, (name, hidden, xml) in enumerate(sheets, 1):
        attribute = f' state="{hidden}"' if hidden else ""
        listed += f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"{attribute}/>'
        relations += (
            f'<Relationship Id="rId{number}" Type="{_RELATIONS}/worksheet" '
            f'Target="worksheets/sheet{number}.xml"/>'
        )
        parts[f"xl/worksheets/sheet{number}.xml"] = xml
    relations += f'<Relationship Id="rIdS" Type="{_RELATIONS}/styles" Target="styles.xml"/>'
    relations += f'<Relationship Id="rIdT" Type="{_RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>'
    return archive(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/'
            'content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
            "_rels/.rels": f'<Relationships {_PACKAGE}><Relationship Id="rId1" '
            f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets>'
            "</workbook>",
            "xl/_rels/workbook.xml.rels": f"<Relationships {_PACKAGE}>{relations}</Relationships>",
            "xl/styles.xml": _STYLES,
            "xl/sharedStrings.xml": f"<sst {_MAIN}><si><t>shared</t></si></sst>",
            **parts,
            **(more or {}),
        }
    )


def ods_cell(value: Any, attributes: str = "") -> str:
    if isinstance(value, str) and value.startswith("<table:"):
        return value
    if value is None:
        return "<table:table-cell/>"
    kind = f'office:value-type="string" {attributes}'
    text = value
    if isinstance(value, bool):
        kind, text = f'office:value-type="boolean" office:boolean-value="{str(value).lower()}"', str(value)
    elif isinstance(value, (int, float)):
        kind, text = f'office:value-type="float" office:value="{value}"', str(value)
    return f"<table:table-cell {kind}><text:p>{escape(text)}</text:p></table:table-cell>"


def ods(*tables: Sequence[Sequence[Any]], hidden: Sequence[int] = (), manifest: str = "") -> bytes:
    """Return a workbook of LibreOffice.

    :param hidden: the numbers of the tables that are hidden.
    :param manifest: more XML of the entry of its content.
    """
    xml = ""
    for number, rows in enumerate(tables):
        style = ' table:style-name="hidden"' if number in hidden else ""
        lines = "".join(
            f"<table:table-row>{''.join(ods_cell(value) for value in row)}</table:table-row>"
            if not isinstance(row, str)
            else row
            for row in rows
        )
        xml += f'<table:table table:name="T{number}"{style}>{lines}</table:table>'
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return archive(
        {
            "mimetype": kind,
            "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{_OASIS}manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
            '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml">'
            f"{manifest}</manifest:file-entry></manifest:manifest>",
            "content.xml": f'<office:document-content {_ODS_NAMES} office:version="1.2">'
            '<office:automatic-styles><style:style style:name="hidden" style:family="table">'
            '<style:table-properties table:display="false"/></style:style></office:automatic-styles>'
            f"<office:body><office:spreadsheet>{xml}</office:spreadsheet></office:body>"
            "</office:document-content>",
        }
    )


def read(data: bytes) -> Sheet:
    """Read a sheet of any kind."""
    return read_sheet(data, "news")


def code(data: bytes) -> str:
    """Return the code of the error of a sheet, or an empty text."""
    try:
        read(data)
    except UsageError as error:
        return error.code
    return ""


def refused(data: bytes) -> str:
    """Return the code of the error of a sheet, which is short."""
    with pytest.raises(UsageError) as caught:
        read(data)
    assert len(str(caught.value)) < 400
    return caught.value.code
