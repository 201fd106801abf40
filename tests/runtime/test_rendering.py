"""Prompts as messages: placeholders, images, histories, raw texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dpipe.lang import graph, types
from dpipe.lang.graph import Attr, Const, Local, PromptDef, Section, Template
from dpipe.runtime.asking import Question
from dpipe.runtime.errors import NoValue
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.models.protocol import ImagePart, Message, TextPart
from dpipe.runtime.rendering import renderer

PNG = b"\x89PNG\r\n\x1a\nrest"
URL = "data:image/png;base64,iVBORw0KGgpyZXN0"


def question(
    sections: list[tuple[str, graph.Expr]], folder: Path = Path(), **args: tuple[types.Type, Any]
) -> Question:
    params = tuple(types.Field(name, type) for name, (type, _) in args.items())
    parts = tuple(Section(role, content) for role, content in sections)
    prompt = PromptDef("p", params, types.STR, parts, graph.Place("t", 1, 1))
    return renderer(prompt, Expressions({}, {}, {}), folder)(tuple(v for _, v in args.values()))


def text(*parts: str | graph.Expr) -> Template:
    return Template(parts)


def test_sections_become_messages_in_their_order() -> None:
    record = types.Record((types.Field("score", types.FLOAT),))
    rendered = question(
        [
            ("system", Const("Judge.")),
            ("user", text("Score ", Attr(Local("s"), "score"), " for ", Local("t"))),
            ("assistant", Const("Hm.")),
        ],
        s=(record, {"score": 3.0}),
        t=(types.List(types.STR), ["a", "é"]),
    )
    assert rendered.messages == (
        Message("system", "Judge."),
        Message("user", 'Score 3 for ["a", "é"]'),
        Message("assistant", "Hm."),
    )


def test_a_history_is_spliced_in() -> None:
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    rendered = question(
        [("messages", Local("h")), ("user", Const("next"))], h=(types.List(types.MESSAGE), history)
    )
    assert [message.content for message in rendered.messages] == ["hi", "ho", "next"]


def test_a_raw_prompt_has_no_messages() -> None:
    rendered = question([("raw", text("<|im_start|>", Local("a")))], a=(types.STR, "x"))
    assert (rendered.messages, rendered.raw) == ((), "<|im_start|>x")


@pytest.mark.parametrize("image", [PNG, "a.png", URL])
def test_an_image_becomes_a_part_where_it_stands(tmp_path: Path, image: Any) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    rendered = question(
        [("user", text("Read this:\n", Local("page"), "\nand say ", Local("what")))],
        tmp_path,
        page=(types.IMAGE, image),
        what=(types.STR, "why"),
    )
    assert rendered.messages == (
        Message("user", (TextPart("Read this:"), ImagePart(URL), TextPart("and say why"))),
    )


def test_a_list_of_images_is_a_part_each() -> None:
    rendered = question(
        [("user", text(Local("pages")))], pages=(types.List(types.IMAGE), [PNG, URL])
    )
    assert rendered.messages == (Message("user", (ImagePart(URL), ImagePart(URL))),)


@pytest.mark.parametrize(
    ("image", "message"),
    [("gone.png", "`gone.png` cannot be read"), (b"%PDF", "of no kind that models take")],
)
def test_an_image_that_cannot_be_sent_fails_its_row(
    tmp_path: Path, image: Any, message: str
) -> None:
    with pytest.raises(NoValue, match=message):
        question([("user", text(Local("page")))], tmp_path, page=(types.IMAGE, image))
