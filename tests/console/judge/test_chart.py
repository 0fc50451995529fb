from __future__ import annotations

from io import StringIO

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from console.judge.chart import Chart, Level, Mark, Series


def lines(chart: Chart, width: int = 60) -> list[str]:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(chart)
    return out.getvalue().splitlines()


def chart(*points: tuple[float, float | None], **more: object) -> Chart:
    settings: dict[str, object] = {"ticks": [0.0, 1.0, 2.0], "height": 6} | more
    return Chart(Text("title"), (Series(points, "red"),), y_words="{:g}".format, **settings)  # type: ignore[arg-type]  # a test's own settings


def braille(text: str) -> int:
    return sum(0x2800 < ord(each) < 0x2900 for each in text)


def test_a_line_climbs_from_the_lower_left_to_the_upper_right() -> None:
    title, *rows, axis = lines(chart((0, 0.0), (1, 2.0)))
    assert title == "title"
    assert len(rows) == 6
    assert rows[0].startswith(f"{'2':>9} ┤")
    assert rows[-1].startswith(f"{'0':>9} ┤")
    assert axis.startswith(f"{'└':>11}──")
    columns = [row.rstrip() for row in rows]
    assert [len(row) for row in columns] == sorted((len(row) for row in columns), reverse=True)
    assert all(map(braille, rows))


def test_a_gap_is_not_drawn_over() -> None:
    _, *rows, _ = lines(chart((0, 1.0), (1, 1.0), (1, None), (9, None), (9, 1.0), (10, 1.0)))
    assert 0 < sum(map(braille, rows)) < 20


def test_the_level_and_the_mark_are_at_their_values() -> None:
    _, *rows, _ = lines(
        chart((0, 0.0), (1, 0.0), (2, 2.0), level=Level(2.0, "red"), mark=Mark(2, 2.0, "red"))
    )
    assert "╌╌╌╌" in rows[0]
    assert rows[0].endswith("●")
    assert not any("╌" in row or "●" in row for row in rows[1:])


def test_time_labels_do_not_overlap_and_stay_inside() -> None:
    times = [(float(each), f"12:{each:02}") for each in range(31)]
    points = [(float(each), 1.0) for each in range(31)]
    below = lines(chart(*points, x_ticks=times))[-1]
    assert below.split()[0] == "12:00"
    assert below.split()[-1] == "12:30" or len(below.split()) > 5
    assert all(len(word) == 5 for word in below.split())
    assert len(below) <= 60


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.none() | st.floats(0, 2)), min_size=1, max_size=40),
    st.integers(24, 200),
)
def test_every_chart_fits_its_size(points: list[tuple[float, float | None]], width: int) -> None:
    drawn = lines(chart(*sorted(points, key=lambda each: each[0])), width)
    assert len(drawn) == 8
    assert max(map(len, drawn)) <= max(width, 31)
