from carsynth.report.markup import Html, breakable, bullets, element, joined, paragraph


def test_text_is_escaped_once_and_markup_never() -> None:
    inner = element("b", 'a < b & "c"')
    assert inner == "<b>a &lt; b &amp; &quot;c&quot;</b>"
    assert paragraph(inner, " <i>") == f"<p>{inner} &lt;i&gt;</p>\n"
    assert joined(["<", Html("<hr>")]) == "&lt;<hr>"
    assert Html("<hr>") + "<" == "<hr>&lt;"


def test_attributes() -> None:
    told = element("td", "x", class_="figure", aria_label='"<', title=None, tabindex=0)
    assert told == '<td class="figure" aria-label="&quot;&lt;" tabindex="0">x</td>'
    assert element("meta", name="a") == '<meta name="a">'


def test_a_list_of_nothing_is_nothing() -> None:
    assert bullets([]) == ""
    assert bullets(["a", "<"]) == "<ul><li>a</li>\n<li>&lt;</li>\n</ul>"


def test_long_names_may_break_behind_underscores() -> None:
    assert breakable("a_<_c") == "a_<wbr>&lt;_<wbr>c"
    assert breakable("alone") == "alone"
