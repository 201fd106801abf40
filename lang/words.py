"""What the words of the language mean: declarations, keywords, types, entries of a prompt.

Each with its form and the rule of SPEC.md that has the whole of it. A test finds every keyword and
every predeclared type here.
"""

from __future__ import annotations

from msgspec import Struct


class Word(Struct, frozen=True):
    kind: str
    name: str
    form: str
    doc: str
    rule: str


def _declaration(name: str, form: str, doc: str, rule: str = "") -> Word:
    return Word("declaration", name, form, doc, rule or f"decl.{name}")


def _type(name: str, form: str, doc: str, rule: str = "type.forms") -> Word:
    return Word("type", name, form, doc, rule)


def _operator(name: str, form: str, doc: str, rule: str = "expr.precedence") -> Word:
    return Word("expression", name, form, doc, rule)


def _entry(name: str, form: str, doc: str) -> Word:
    return Word("entry of a prompt", name, form, doc, "prompt.entries")


WORDS = (
    _declaration(
        "dpipe",
        "dpipe 1",
        "The edition of the language, the first line of every file.",
        "file.edition",
    ),
    _declaration(
        "import",
        'import std.text\nimport "./models.dpipe" as m',
        "Brings in a bundled module, or a file by its path; what is in it is read as `text.clean`, "
        "`m.strong`. Names that begin with `_` and sinks stay there.",
        "file.import",
    ),
    _declaration(
        "param",
        'param per_page: int = 3 "questions a page"',
        "A setting of the program: `dpipe run f.dpipe --per_page 5`. Without a default it has to "
        "be given.",
    ),
    _declaration(
        "model",
        'model gen = openai("gpt-4.1", url: "https://…/v1", key: secret("LLM_KEY"))',
        "An endpoint with its limits, a copy of one with other options (`gen(temperature: 0.2)`), "
        "or an answerer under a name. As a type, `writer: model` is a parameter of a pipe that "
        "takes any answerer.",
    ),
    _declaration(
        "type",
        'type Grade = {\n  reason: str\n  score: 1..10 "how right it is"\n}',
        "Gives a type a name. The description of a field is sent to the model.",
    ),
    _declaration(
        "source",
        'source notes = text("notes/*.txt")\nsource seeds: { id: str } = jsonl("seeds.jsonl")',
        "Brings rows in. A reader whose rows have no fixed shape needs the row's type.",
    ),
    _declaration(
        "prompt",
        'prompt sum_up(text: str, n: int) -> str {\n  user: "Sum up in {n} words: {text}"\n}',
        "A model call with typed parameters and a typed result. Its entries are texts: "
        "placeholders put values in, and there are no conditions or loops; what needs them is "
        "computed before with `set`. `ask` asks it; parameters without an argument are the row's "
        "fields of their names.",
    ),
    _declaration(
        "flow",
        "flow long = notes\n  | where(len(.text) > 2000)\n  | sort(len(.text))",
        "A named stream of rows: a source, another flow or `concat` of them, then stages, one a "
        "line. As a type, `rows: flow[{ text: str }]` is a parameter of a pipe.",
    ),
    Word(
        "head of a flow",
        "concat",
        "flow both = concat(train, val)",
        "Begins a flow with the rows of the first, then of the others. The row has all fields of "
        "all; one that is missing on a side is optional.",
        "row.concat",
    ),
    _declaration(
        "sink",
        'sink out = notes\n  | jsonl("out/notes.jsonl")',
        "A flow that ends in a writer. The sinks of the root file are what a run runs.",
    ),
    _declaration(
        "def",
        "def overall(g: Grade, weight: float = 0.7) -> float = weight * g.score",
        "A function: one expression over its parameters. It sees no row and does not call itself.",
    ),
    _declaration(
        "pipe",
        "pipe short(rows: flow[{ text: str }], writer: model, n: int = 10) {\n"
        "  rows\n    | ask(sum_up(n: n), using: writer, as: .short)\n}",
        "A reusable piece of flow, used as a stage: `notes | short(writer: gen)`. Its first "
        "parameter declares the least that a row has; other fields pass through.",
    ),
    _declaration(
        "extern",
        'extern def vowels(text: str) -> int = python("tools.py:vowels")',
        "Python behind a typed signature: a function (`def`), stage (`pipe`), `source`, `sink` or "
        "`metric`. It runs only with the user's leave.",
    ),
    _declaration(
        "metric",
        'extern metric longest(value: str) -> str = python("tools.py:Longest")',
        "An aggregate of one's own, for reports and `group`: a class with `add` and `result`.",
        "decl.extern",
    ),
    _declaration(
        "test",
        'test "short notes go" {\n  given: { notes: [{ path: "a", text: "Hm." }] }\n'
        "  expect: len(long) == 0\n}",
        "Rows for sources, answers for prompts, and what has to hold of flows; `dpipe test` runs "
        "it without a network.",
        "test.run",
    ),
    _entry("system", 'system: "You are a strict grader."', "A message of the system."),
    _entry("user", 'user: "{question}"', "A message of the user; it may stand more than once."),
    _entry("assistant", 'assistant: "{answer}"', "A message of the assistant."),
    _entry(
        "messages",
        "messages: history",
        "The messages of a parameter of type `[Message]`, in their place.",
    ),
    _entry("raw", 'raw: "{text}"', "Text for the completions endpoint, sent as it is; alone."),
    _operator(
        "if",
        'if .score > 7 then "good" else "bad"',
        "One of two values. There is no `if` without `else`, and none inside a text.",
    ),
    _operator("then", "if a then b else c", "Stands in an `if`."),
    _operator("else", "if a then b else c", "Stands in an `if`."),
    _operator("and", "a and b", "Holds where both do; stops as soon as it knows."),
    _operator("or", "a or b", "Holds where one does; stops as soon as it knows."),
    _operator("not", 'not .kind in ["a", "b"]', "The opposite of a boolean."),
    _operator("in", ".n in 1..5", "Whether a list or a range holds a value."),
    _operator(
        "null",
        '.note ?? "none"',
        "No value. Only a `T?` holds it; `??` gives a default, and a test narrows: "
        "`where(.note != null)`.",
        "type.optional-use",
    ),
    _operator("true", "true", "A `bool`."),
    _operator("false", "false", "A `bool`."),
    Word(
        "label",
        "as",
        "ask(p, using: gen, as: .x)",
        "The field that a stage writes.",
        "row.arguments",
    ),
    _type("str", "title: str", "Text."),
    _type("int", "n: int", "Whole numbers; they fit `float`."),
    _type("float", "share: float", "Numbers."),
    _type("bool", "right: bool", "`true` and `false`."),
    _type(
        "json",
        "extra: json",
        "Whatever JSON can hold, null included. A field that is missing reads as null; `str(x)`, "
        "`int(x)` and their like make a value of it.",
        "type.json",
    ),
    _type("image", "page: image", "A picture: a path, bytes or a data URL.", "prompt.image"),
    _type("secret", 'key: secret("LLM_KEY")', "A key of the environment; only `key:` takes it."),
    _type(
        "Message",
        'Message = { role: "system" | "user" | "assistant", content: str }',
        "A message of a conversation. A prompt with a parameter `history: [Message]` puts it in "
        "with `messages: history`.",
    ),
    _type(
        "enum",
        'kind: "news" | "fiction" | "other"',
        "One of several texts. What is compared with it is checked, and a prompt that gives it can "
        "give nothing else.",
    ),
    _type("range", "score: 1..10", "Numbers from one end to the other, both ends included."),
    _type("list", "tags: [str]", "Values of one type; `xs[0]` is the first, `xs[0..2]` a part."),
    _type("record", "{ question: str, answer: str }", "Fields with their types; a row is one."),
    _type(
        "optional",
        "note: str?",
        "A value or null. It is handled before it is used, by `??` or by a test.",
        "type.optional-use",
    ),
    _type("union", "id: str | int", "Either. It can be compared, put into text and passed on."),
    Word(
        "part of a text",
        "placeholder",
        '"{name} {name.field} {.field}"',
        "Braces round a path put a value into a text; every other brace is text, and `\\{` is one. "
        "Nothing is computed inside: that is done before, with `set` or in an argument.",
        "lex.placeholder",
    ),
    Word(
        "expression",
        "lambda",
        "map(.tags, t -> upper(t))",
        "A function of one value, as an argument.",
        "expr.lambda",
    ),
)
