from xml.etree import ElementTree

import pytest

from spear_deploy.report.pictures.file import xml_text


@pytest.mark.parametrize("name", ["bell\x07", "escape \x1b[31m", "a\x00b", "half \ud800", "<a & b>", "tab\tand\nline"])
def test_a_picture_is_xml_whatever_a_name_holds(name):
    text = ElementTree.fromstring(f"<title>{xml_text(name)}</title>".encode()).text
    assert text == "".join(
        each if each.isprintable() or each in "\t\n" else "\N{REPLACEMENT CHARACTER}" for each in name
    )
