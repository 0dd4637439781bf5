"""The tables of docs/table4.md are those that its script prints from the scores in docs/data."""

from benchmarks import table4_differences as script


def test_the_page_has_what_is_printed() -> None:
    _, block, _ = script.PAGE.read_text().split(script.MARK)
    assert block.strip() == script.tables(script.ROOT / "docs" / "data" / "table4").strip()
