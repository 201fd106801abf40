"""Writes examples/quickstart/data/dpipe-in-two-pages.pdf, the PDF that the quickstart reads.

The committed file is what counts; this script is here so that it can be changed.
"""

from __future__ import annotations

from pathlib import Path

import pymupdf

TARGET = Path(__file__).parent.parent / "examples/quickstart/data/dpipe-in-two-pages.pdf"
A4 = pymupdf.Rect(0, 0, 595, 842)
MARGIN = (64, 64, -64, -64)

STYLE = """
body { font-family: sans-serif; font-size: 13px; line-height: 1.5 }
h1 { font-size: 20px } h2 { font-size: 13px }
"""

PAGES = (
    """
<h1>dpipe in two pages</h1>
<p>dpipe turns documents into training data for language models. A program is a text file that
names where rows come from, what a model is asked about each of them, which answers are kept, and
where the result goes. The file is checked as a whole before the first call is paid for.</p>
<h2>Rows, stages, flows</h2>
<p>Everything that moves through a program is a row: a record with named, typed fields. A source
makes rows, for example one row for each Markdown file of a folder. A stage takes rows and gives
rows. The stage named chunk cuts a long text into passages, the stage named ask puts a question to
a model, the stage named where keeps the rows for which a condition holds. Stages are written one
on a line behind a vertical bar, and a series of stages with a name is called a flow. A sink at
the end of a flow writes its rows to a file.</p>
<p>The compiler works out which fields a row has after every stage. A misspelled field, a prompt
with a missing parameter or a comparison that can never be true is reported with its line and
column, together with a suggestion where one is near. No model has been called at that point.</p>
<h2>Asking a model</h2>
<p>A prompt is declared with typed parameters and a result type. The result type becomes a JSON
schema for the endpoint, a validator for the reply, and the type of the new field. A range such as
1..5 is a limit for the model, a test of its answer, and a fact that the checker uses. When a
reply cannot be read as its type, the model is asked again and shown what was wrong; a row whose
last attempt failed becomes a reject with its reason and the raw reply.</p>
""",
    """
<h2>Nothing is lost, nothing is paid twice</h2>
<p>Every reply is written to a journal before the row that used it moves on. A run that was killed
is started again with the same command: it reads the answers that had arrived from the journal
and asks only for the rest, and its output equals that of an unbroken run byte for byte. Editing
one prompt asks anew only what that prompt decides; all other answers are still in the
journal.</p>
<p>At the end of a run a funnel accounts for every row. For each stage the rows that entered equal
the rows that went on plus those that were filtered, were duplicates, were surplus or failed, and
the reasons are named. A run that lost rows to failures says so and does not exit with zero.</p>
<h2>Order and chance</h2>
<p>Rows keep the order of their source however many calls are in flight. Chance is drawn from the
seed of the run and the identity of the row, never from its position or the time of day. For this
reason a split of a dataset into train and val puts the same rows on the same side in every run,
and new documents move none of the old ones.</p>
<h2>Models, judges and votes</h2>
<p>A model is an endpoint with its limits: how many calls at once, how many requests and tokens a
minute, and what a token costs. Several models can answer one question. A vote keeps an answer on
which enough of them agree, a cascade asks the larger model only when the smaller one is unsure, a
poll keeps every answer together with the tally. All of these stand in the same place of the same
line, so changing who answers changes one word of the program.</p>
<h2>Trying it without a model</h2>
<p>The address simulated: stands for a model that lives inside dpipe and needs neither network nor
key. It answers in the shape that the prompt asks for with sentences out of the prompt itself.
That is enough to see a program run from end to end, and it is never taken for the answer of a
real model: the journal keeps the two apart.</p>
""",
)


def main() -> None:
    document = pymupdf.open()
    for html in PAGES:
        page = document.new_page(width=A4.width, height=A4.height)
        page.insert_htmlbox(A4 + MARGIN, html, css=STYLE)
    document.set_metadata({"title": "dpipe in two pages", "author": "The dpipe maintainers"})
    document.subset_fonts()
    document.save(TARGET, garbage=4, deflate=True, no_new_id=True)


if __name__ == "__main__":
    main()
