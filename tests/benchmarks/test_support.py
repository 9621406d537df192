from benchmarks.support import PAGE, page


def test_the_support_table_is_what_the_code_says():
    """Write it anew with `python -m benchmarks.support`."""
    assert PAGE.read_text() == page()
