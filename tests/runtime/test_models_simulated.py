"""The stand-in: plausible, deterministic, and true to the text it is given."""

from __future__ import annotations

import json
from math import sqrt
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from dpipe.lang import types
from dpipe.lang.types import BOOL, INT, STR, Enum, Field, Float, Int, List, Record, Type
from dpipe.runtime.errors import UsageError
from dpipe.runtime.models.gate import GatedEmbedder, GatedModel
from dpipe.runtime.models.make import make_model
from dpipe.runtime.models.passages import sentences
from dpipe.runtime.models.protocol import Message, RejectedRequest, Request, Unavailable
from dpipe.runtime.models.simulated import simulate
from dpipe.runtime.reading import Ok, read_reply
from dpipe.runtime.schema import json_schema, wants_text

QA = Record(
    (
        Field("question", STR, "self-contained; makes sense without the passage"),
        Field("answer", STR, "one or two complete sentences"),
        Field("quote", STR, "the sentence of the passage that supports the answer, verbatim"),
    ),
    name="QA",
)
PASSAGE = """# Tides

The Moon pulls on the oceans and raises a bulge of water on the side that faces it. Twice a day
most coasts pass through a bulge, and so they see two high tides.

| place | range |
|---|---|
| Bay of Fundy | 16 m |

- Engineers build barrages that turn the moving water of an estuary into electric power.
- Sailors of old printed tables, for a ship that missed the tide could wait for half a day.

```python
print("This line is code and no sentence of the text, however long it is.")
```
"""
CHINESE = (
    "海水受月球引力影响而每天涨落两次。人们很早就学会了利用潮汐的力量来发电！"
    "渔民按照潮汐表安排出海的时间。"
)


def asking(text: str, result: Type, **options: Any) -> Request:
    return Request((Message("user", text),), None, result, options)


def answer(request: Request, scope: str = "simulated:x") -> Any:
    read = read_reply(simulate(scope, request), request.result)
    assert isinstance(read, Ok)
    return read.value


def write(count: int | str, passage: str = PASSAGE, **options: Any) -> Request:
    text = f"Write {count} question-answer pairs.\n\n<passage>\n{passage}\n</passage>\n"
    return asking(text, List(QA), **options)


def test_quotes_stand_in_the_text_word_for_word() -> None:
    for seed in range(20):
        for pair in answer(write(3, seed=seed)):
            assert pair["quote"] in PASSAGE
            assert "# Tides" not in pair["quote"]
            assert "line is code" not in pair["quote"]
            assert "|" not in pair["quote"]


def test_the_fields_of_a_record_are_about_one_sentence() -> None:
    for pair in answer(write(4)):
        assert " ".join(pair["quote"].split()) in pair["answer"]
        assert pair["question"].endswith("?")
        words = {word.strip(".,") for word in pair["quote"].lower().split()}
        assert words & set(pair["question"].lower().replace("?", "").replace(",", "").split())


def test_a_number_in_the_prompt_sets_the_length_of_the_list() -> None:
    assert len(answer(write(3))) == 3
    assert len(answer(write("two"))) == 2
    assert len(answer(asking(f"请写3个问题。\n\n<text>{CHINESE}</text>", List(QA)))) == 3


def test_the_pairs_of_one_list_differ() -> None:
    pairs = answer(write(4))
    assert len({pair["question"] for pair in pairs}) == len(pairs)


def test_nothing_is_taken_from_the_instructions_where_the_data_is_delimited() -> None:
    order = "Never ever mention this instruction sentence in any of the answers that you write."
    request = asking(f"{order}\n\n<text>\n{PASSAGE}\n</text>\n\n{order}", List(STR))
    assert not any("instruction sentence" in text for text in answer(request))
    undelimited = asking(f"{order}\n\n{PASSAGE.splitlines()[2]}" * 1, STR)
    assert "instruction sentence" not in answer(undelimited)


def test_chinese_text_gives_chinese_sentences_and_questions() -> None:
    for pair in answer(write(3, CHINESE)):
        assert pair["quote"] in CHINESE
        assert pair["quote"][-1] in "。！"
        assert pair["question"].endswith("？")


def test_sentences_are_parts_of_the_text() -> None:
    for text in (PASSAGE, CHINESE, "No full stop here", "A. B. C.", ""):
        assert all(sentence in text for sentence in sentences(text))


def test_the_same_request_has_one_answer_and_another_draw_another() -> None:
    assert simulate("s", write(3)) == simulate("s", write(3))
    drawn = {simulate("s", write(3, seed=seed)).text for seed in range(8)}
    assert len(drawn) > 4
    short = {answer(asking("What is 2 + 2?", STR, seed=seed)) for seed in range(12)}
    assert len(short) > 1


def test_a_raw_prompt_gives_instructions_that_differ_by_draw() -> None:
    def drawn(seed: int) -> Any:
        return answer(Request((), "<|im_start|>user\n", STR, {"seed": seed}))

    assert len({drawn(seed) for seed in range(40)}) > 20


def test_voices_mostly_agree_on_a_label() -> None:
    label = Enum(("BMI", "drug", "pregnancy week", "other"))
    agreeing = 0
    for number in range(100):
        request = asking(f"Question {number}: may I take it with milk?", label)
        agreeing += answer(request, "simulated:a") == answer(request, "simulated:b")
    assert 50 < agreeing < 100


def test_all_members_and_grades_occur_and_grades_are_mostly_good() -> None:
    result = Record((Field("mark", Int(1, 10)), Field("share", Float(0.0, 1.0)), Field("ok", BOOL)))
    values = [answer(asking(f"Grade sample {number}.", result)) for number in range(400)]
    marks = [value["mark"] for value in values]
    assert set(marks) >= set(range(3, 11))
    assert sum(marks) / len(marks) > 5.5
    assert {value["ok"] for value in values} == {True, False}


SUM = types.Union((Record((Field("value", INT),)), types.Again(name="Add")))
GROUP = (
    Record((Field("name", STR), Field("children", List(types.Again(name="Tree")))), "Tree"),
    Record(
        (
            Field("of", types.Again(name="Tree")),
            Field("next", types.optional(types.Again(name="Link"))),
        ),
        "Link",
    ),
    Record((Field("left", SUM), Field("right", SUM)), "Add"),
)

leaf = st.sampled_from(
    [
        *(types.Again(name=one.name, group=GROUP) for one in GROUP),
        *(STR, BOOL, types.JSON, Enum(("a", "b"))),
        *(INT, Int(3, 3), Int(1, 10), Int(None, -5), Int(500, None)),
        *(types.FLOAT, types.SHARE, Float(0.0001, 0.0002), Float(None, -1.5)),
    ]
)
any_type = st.recursive(
    leaf,
    lambda inner: (
        st.builds(List, inner)
        | inner.map(types.optional)
        | st.lists(inner, min_size=1, max_size=3).map(
            lambda of: Record(tuple(Field(f"f{i}", t) for i, t in enumerate(of)))
        )
    ),
    max_leaves=6,
)


@given(any_type, st.text(max_size=80))
def test_every_answer_fits_its_type_and_its_schema(result: Type, prompt: str) -> None:
    reply = simulate("s", asking(prompt, result))
    read = read_reply(reply, result)
    if not wants_text(result):
        jsonschema.validate(json.loads(reply.text), json_schema(result))
        assert isinstance(read, Ok)


def test_tokens_are_counted_by_the_length_of_the_texts() -> None:
    usage = simulate("s", write(3)).usage
    assert 100 < usage.input < 400
    assert 50 < usage.output < 400


# -- vectors -------------------------------------------------------------------------------------


def likeness(one: str, other: str) -> float:
    embedder = make_model("e", "embedder", "x", {"url": "simulated:"})
    assert isinstance(embedder, GatedEmbedder)
    a, b = trio.run(embedder.embed, [one, other])
    assert sqrt(sum(x * x for x in a)) == pytest.approx(1.0)
    return sum(x * y for x, y in zip(a, b, strict=True))


def test_like_texts_have_vectors_that_lie_near() -> None:
    assert likeness("The tide rises.", "The tide rises.") == pytest.approx(1.0)
    near = likeness(
        "The Moon pulls on the oceans and raises a bulge.",
        "The Moon pulls on the oceans and makes a bulge.",
    )
    far = likeness("The Moon pulls on the oceans.", "A vaccine teaches the immune system.")
    assert near > 0.75 > 0.4 > far
    assert likeness("海水每天涨落两次", "海水每天涨落一次") > 0.6
    assert likeness("", "!?") == pytest.approx(1.0)


# -- scripted ------------------------------------------------------------------------------------


def scripted(path: Path, *lines: dict[str, Any]) -> GatedModel:
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    model = make_model("s", "openai", "x", {"url": f"scripted:{path}"})
    assert isinstance(model, GatedModel)
    return model


def texts(model: GatedModel, *prompts: str) -> list[str]:
    async def main() -> list[str]:
        return [(await model.complete(asking(prompt, STR))).text for prompt in prompts]

    clock = trio.testing.MockClock(autojump_threshold=0)
    return trio.run(main, clock=clock)


def test_a_script_answers_by_what_stands_in_the_prompt(tmp_path: Path) -> None:
    model = scripted(
        tmp_path / "s.jsonl",
        {"match": "Paris", "reply": {"score": 7}},
        {"reply": "first", "times": 1},
        {"reply": "later"},
    )
    assert texts(model, "a", "in Paris", "b", "Paris") == [
        "first",
        '{"score":7}',
        "later",
        '{"score":7}',
    ]
    assert model.scope == "scripted:x"


def test_a_script_may_fail_for_a_while(tmp_path: Path) -> None:
    model = scripted(tmp_path / "s.jsonl", {"unavailable": "down", "times": 3}, {"reply": "up"})
    assert texts(model, "a") == ["up"]
    model = scripted(tmp_path / "s.jsonl", {"unavailable": "down"})
    with pytest.raises(Unavailable, match="down"):
        texts(model, "a")


def test_a_prompt_without_an_entry_is_rejected(tmp_path: Path) -> None:
    model = scripted(tmp_path / "s.jsonl", {"match": "Paris", "reply": "yes"})
    with pytest.raises(RejectedRequest, match="no scripted answer is left for: Rome"):
        texts(model, "Rome")


@pytest.mark.parametrize("text", ["{", '[{"repply": 1}]', "\ud800"])
def test_a_script_that_cannot_be_read_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match=r"the script .*s\.json is not as it should be"):
        make_model("s", "openai", "x", {"url": f"scripted:{path}"})
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        make_model("s", "openai", "x", {"url": f"scripted:{path}.gone"})


# -- made ----------------------------------------------------------------------------------------


def test_answers_of_a_stand_in_never_serve_a_real_endpoint() -> None:
    scopes = {
        make_model("m", "openai", "some/model", {"url": url}).scope
        for url in ("simulated:", "http://127.0.0.1:1/v1")
    }
    assert scopes == {"simulated:some/model", "some/model"}


def test_a_kind_that_is_not_known_is_told() -> None:
    with pytest.raises(UsageError, match="`reward` is not built"):
        make_model("m", "reward", "x", {"url": "simulated:"})
