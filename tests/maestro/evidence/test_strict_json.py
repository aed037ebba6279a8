"""JSON that an attacker may have written has one meaning, or none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads


@given(st.text(st.characters(codec=None)), st.booleans())
def test_text_is_read_where_it_has_a_utf8_form(text: str, upper: bool) -> None:
    data = json.dumps({"a": text}).encode("ascii")
    if upper:
        data = b"".join(b"\\u" + one[:4].upper() + one[4:] if at else one for at, one in enumerate(data.split(b"\\u")))
    try:
        said = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        with pytest.raises(BadEvidence, match="surrogates not allowed"):
            loads(data, what="it")
    else:
        assert loads(data, what="it") == {"a": said}


@pytest.mark.parametrize("escape", ["\\ud800", "\\uD800", "\\udbff", "\\uDc00", "\\udfff", "\\uDFFF\\ud800"])
@pytest.mark.parametrize("form", ['{"a":"%s"}', '{"%s":1}', '{"a":["b%sc"]}'])
def test_half_a_pair_is_refused_wherever_it_stands(form: str, escape: str) -> None:
    with pytest.raises(BadEvidence, match="surrogates not allowed"):
        loads((form % escape).encode(), what="it")
