"""The one table of stages and answerers: parameters, row rule, documentation.

Checker, hover, completion, reference pages, plan and runtime all read it. A row rule gives the
row after the stage from the row before it and the bound arguments; it says what it finds wrong
through the call and never raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from dpipe.lang.signatures import Arrow, Method, Param, T
from dpipe.lang.types import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    SHARE,
    STR,
    UNKNOWN,
    Enum,
    Field,
    Float,
    Int,
    List,
    Never,
    Optional,
    Record,
    Str,
    Type,
    Union,
    Unknown,
    fits,
    optional,
    required,
    show_short,
    without_ranges,
)


class StageCall(Protocol):
    """A stage's bound arguments, as its row rule sees them."""

    @property
    def row(self) -> Record:
        """The row that comes in, narrowed by what the stage tests."""
        ...

    def has(self, name: str) -> bool: ...

    def type_of(self, name: str) -> Type:
        """The type of an expression argument; not known where it is missing or wrong."""
        ...

    def text(self, name: str) -> str | None:
        """The field that a ``field`` or ``new`` argument names, or a ``choice``."""
        ...

    def labelled(self, name: str) -> list[tuple[str, Type]]:
        """Label and type of each entry of ``fields``, ``labels``, ``names`` or ``constants``."""
        ...

    def keys(self, name: str) -> tuple[str, ...]:
        """The labels of an argument that is written as a record."""
        ...

    def gives_several(self) -> bool:
        """Whether who answers gives more than one answer."""
        ...

    def error(self, code: str, name: str, message: str, help: str | None = None) -> None:
        """Report what is wrong at an argument."""
        ...


Rule = Callable[[StageCall], Record]


class Stage(Struct, frozen=True):
    """A stage. ``gathers`` tells that it needs all rows before it gives one.

    ``row`` is ``rule`` in words: R is the row that comes in, "R + x" is R with the field x.
    """

    name: str
    params: tuple[Param, ...]
    rule: Rule
    doc: str
    row: str = "R."
    gathers: bool = False


# -- row rules -----------------------------------------------------------------------------------


def _same(call: StageCall) -> Record:
    return call.row


def _set(call: StageCall) -> Record:
    row = call.row
    for name, type in call.labelled("fields"):
        row = row.having(name, type)
    return row


def _keep(call: StageCall) -> Record:
    described = {field.name: field.description for field in call.row.fields}
    fields = (Field(name, type, described.get(name)) for name, type in call.labelled("fields"))
    return Record(tuple(fields))


def _drop(call: StageCall) -> Record:
    return call.row.without(name for name, _ in call.labelled("names"))


def _unnest(call: StageCall) -> Record:
    _apart(call, "as", "index")
    row, index = _unnested(call), call.text("index")
    if index is None:
        return row
    if call.text("as") is None and row.get(index) is not None and call.row.get(index) is None:
        message = f"`index:` would overwrite field `{index}` of the element"
        call.error("E0302", "index", message, "take another name for it")
    return row.having(index, COUNT)


def _unnested(call: StageCall) -> Record:
    name, target = call.text("field"), call.text("as")
    of = call.type_of("field")
    if name is None or isinstance(of, Unknown):
        opened = call.row.without([name] if name else [])
        return Record(opened.having(target, UNKNOWN).fields if target else opened.fields, open=True)
    if not isinstance(of, List):
        hint = f"write `unnest` after `set({name}: .{name} ?? [])`" if _is_list(of) else None
        call.error("E0303", "field", f"`unnest` needs a list, found {show_short(of)}", hint)
        return Record(call.row.without([name]).fields, open=True)
    if target is not None:
        row = call.row if target == name else call.row.without([name])
        return row.having(target, UNKNOWN if isinstance(of.of, Never) else of.of)
    return _spread(call, call.row.without([name]), name, of.of)


def _is_list(of: Type) -> bool:
    return isinstance(of, Optional) and isinstance(of.of, List)


def _spread(call: StageCall, row: Record, name: str, element: Type) -> Record:
    """The row with the fields of a list's element in it."""
    if isinstance(element, Unknown | Never):
        return Record(row.fields, open=True)
    if not isinstance(element, Record):
        call.error(
            "E0408",
            "field",
            f"the elements of `.{name}` are {show_short(element)}, not records",
            f"say which field holds an element: `unnest(.{name}, as: .{name})`",
        )
        return Record(row.fields, open=True)
    for field in element.fields:
        if row.get(field.name) is not None:
            call.error(
                "E0302",
                "field",
                f"`unnest` would overwrite field `{field.name}`",
                f"keep the element whole: `unnest(.{name}, as: .{name})`",
            )
        row = row.having(field.name, field.type, field.description)
    return Record(row.fields, open=row.open or element.open)


_APART = (("tokenizer", ("chars", "sentences")), ("separators", ("sentences", "by")))
"""What says how ``chunk`` cuts, and what else says that."""


def _chunk(call: StageCall) -> Record:
    sizes = [name for name in ("tokens", "chars", "sentences") if call.has(name)]
    if len(sizes) > 1:
        call.error("E0517", sizes[1], f"`{sizes[0]}:` and `{sizes[1]}:` cannot both say the size")
    for label, others in _APART:
        for other in others:
            if call.has(label) and call.has(other):
                call.error("E0517", label, f"`{label}:` does not go with `{other}:`")
    row = _plus(call, STR)
    _apart(call, "as", "index", "headings", "span")
    for label, type in (("index", COUNT), ("headings", List(STR)), ("span", SPAN)):
        name = call.text(label)
        row = row if name is None else row.having(name, type)
    return row


def _apart(call: StageCall, *labels: str) -> None:
    """Report what is written into a field that another argument writes already."""
    writers: dict[str | None, str] = {}
    for label in labels:
        name = call.text(label)
        if name in writers:
            message = f"`{writers[name]}:` and `{label}:` both write `.{name}`"
            call.error("E0302", label, message, "each needs a field of its own")
        elif name is not None:
            writers[name] = label


def _plus(call: StageCall, type: Type) -> Record:
    """The row with the field that ``as:`` names."""
    name = call.text("as")
    return Record(call.row.fields, open=True) if name is None else call.row.having(name, type)


def _ask(call: StageCall) -> Record:
    answer = call.type_of("using")
    if call.has("over"):
        answer = List(answer)
    if call.has("when") or call.text("on_error") == "null":
        answer = optional(answer)
    _retried(call)
    _apart(call, "as", "reasoning", "meta")
    row = _plus(call, answer)
    for label, type in _BEHIND.items():
        name = call.text(label)
        if name is None:
            continue
        _of_one_answer(call, label)
        null = label == "reasoning" or isinstance(answer, Optional)
        row = row.having(name, optional(type) if null else type)
    return row


def _retried(call: StageCall) -> None:
    """What never happens is not asked again: a text that is read as it comes always fits."""
    if not isinstance(call.type_of("prompt"), Str):
        return
    for outcome in call.keys("retry"):
        if outcome in ("malformed", "invalid"):
            message = f"an answer that is text is never `{outcome}`"
            help = "leave it out; `truncated` and `empty` can happen"
            call.error("E0517", "retry", message, help)


def _of_one_answer(call: StageCall, label: str) -> None:
    """One field holds what is behind one answer."""
    if call.has("over") or call.gives_several():
        message = f"`{label}:` is what stands behind a single answer; here there are several"
        help = "ask for it in the answer: `reason: str`" if label == "reasoning" else None
        call.error("E0517", label, message, help)


def _embed(call: StageCall) -> Record:
    return _plus(call, List(FLOAT))


def _retrieve(call: StageCall) -> Record:
    corpus = call.type_of("corpus")
    if not isinstance(corpus, Record):
        return _plus(call, UNKNOWN)
    if corpus.get("score") is not None:
        call.error("E0302", "corpus", "`retrieve` would overwrite field `score` of the corpus")
    return _plus(call, List(corpus.having("score", FLOAT)))


def _group(call: StageCall) -> Record:
    fields = [*call.labelled("by"), *call.labelled("figures")]
    seen: set[str] = set()
    for name, _ in fields:
        if name in seen:
            call.error("E0302", "by", f"`group` gives field `{name}` twice")
        seen.add(name)
    return Record(tuple(Field(name, type) for name, type in fields))


def _join(call: StageCall) -> Record:
    other, keys = call.type_of("other"), dict(call.labelled("on"))
    if not isinstance(other, Record):
        return Record(call.row.fields, open=True)
    row = call.row
    for name, type in keys.items():
        found = other.get(name)
        if found is None and not other.open:
            call.error("E0306", "on", f"the joined rows have no field `{name}`")
        elif found is not None and not _joinable(type, found):
            message = f"`.{name}` is {show_short(type)} here and {show_short(found)} there"
            call.error("E0303", "on", message, "convert one of them before with `set`")
    left = call.text("kind") == "left"
    for field in other.fields:
        if field.name in keys:
            continue
        if row.get(field.name) is not None:
            message = f"`join` would overwrite field `{field.name}`"
            call.error("E0302", "other", message, f"drop it before: `| drop(.{field.name})`")
        row = row.having(field.name, optional(field.type) if left else field.type)
    return Record(row.fields, open=row.open or other.open)


def _joinable(one: Type, two: Type) -> bool:
    one, two = required(one), required(two)
    return fits(without_ranges(one), without_ranges(two)) or fits(two, one) or fits(one, two)


def _dedup(call: StageCall) -> Record:
    if call.has("on") and not call.has("against"):
        call.error("E0517", "on", "`on:` reads the rows of `against:`, which is missing")
    return call.row


def _split(call: StageCall) -> Record:
    names = tuple(name for name, _ in call.labelled("shares"))
    return _plus(call, Enum(names) if names else UNKNOWN)


def _limit(call: StageCall) -> Record:
    if call.has("n") and call.has("share"):
        call.error("E0517", "share", "`limit` takes a number or `share:`, not both")
    elif call.has("skip") and call.has("share"):
        call.error("E0517", "skip", "`skip:` goes with a number of rows, not with `share:`")
    if not call.has("n") and not call.has("share"):
        call.error("E0507", "", "`limit` needs a number of rows", "write `limit(100)`")
    return call.row


# -- the table -----------------------------------------------------------------------------------

PLAIN = Union((STR, FLOAT, BOOL))
SORTABLE = optional(PLAIN)
COUNT = Int(0, None)
POSITIVE = Int(1, None)
META = Record(
    (
        Field("model", STR),
        Field("id", STR),
        Field("options", JSON),
        Field("attempts", POSITIVE),
        Field("input_tokens", optional(COUNT)),
        Field("output_tokens", optional(COUNT)),
    )
)
_BEHIND: dict[str, Type] = {"reasoning": STR, "meta": META}
"""What an ``ask`` can tell of a single answer, by the argument that names its field."""

SPAN = Record((Field("start", COUNT), Field("end", COUNT)))
"""A part of a text, in characters from 0."""

RETRY = Record(
    tuple(Field(name, optional(COUNT)) for name in ("malformed", "invalid", "truncated", "empty"))
)

AS = Param("as", "new", doc="the field that is written")
INDEX = Param("index", "new", required=False, doc="the field for its place, from 0")
SEED = Param("seed", "const", INT, required=False, doc="another seed (the run's)")

EXACT = Method("exact", (), "equal texts, case and blanks aside")
MINHASH = Method(
    "minhash",
    (
        Param(
            "threshold",
            "const",
            SHARE,
            required=False,
            doc="the Jaccard similarity of their shingles from which on two texts are alike (0.8)",
        ),
    ),
    "texts that share most of their shingles",
)
EMBEDDING = Method(
    "embedding",
    (
        Param("model", "embedder", positional=True, doc="the embedder"),
        Param("threshold", "const", Float(-1.0, 1.0), required=False, doc="the cosine (0.9)"),
    ),
    "texts whose vectors lie near",
)

BM25 = Method("bm25", (), "words that are rare in the corpus weigh most (BM25)")
NEAREST = Method(
    "embedding",
    (Param("model", "embedder", positional=True, doc="the embedder"),),
    "the nearest vectors by cosine",
)
K_CENTER = Method(
    "k_center",
    (Param("model", "embedder", positional=True, doc="the embedder"),),
    "each next row is the one farthest from those chosen (greedy k-center)",
)

_STAGES = (
    Stage(
        "set",
        (Param("fields", "labels", doc="each sees the row before the stage"),),
        _set,
        "Adds fields, or replaces them.",
        row="R + each label, with the type of its expression; a field that R has keeps its place.",
    ),
    Stage(
        "where",
        (Param("test", type=BOOL, positional=True, doc="which rows stay"),),
        _same,
        "Keeps the rows for which the test holds; the others are filtered.",
        row="R, narrowed by the test: a field that it finds not null is no longer optional.",
    ),
    Stage(
        "keep",
        (Param("fields", "fields", doc="`.a`, or `k: e` for a new one"),),
        _keep,
        "Keeps only these fields.",
        row="The fields that are named, in this order, and no others.",
    ),
    Stage(
        "drop",
        (Param("names", "names", doc="fields to leave out"),),
        _drop,
        "Drops fields.",
        row="R without the fields that are named; R must have them.",
    ),
    Stage(
        "unnest",
        (
            Param("field", "field", positional=True, doc="a field that holds a list"),
            Param("as", "new", required=False, doc="the field for the element, kept whole"),
            INDEX,
        ),
        _unnest,
        "One row per element of a list; its fields join the row, or it stands in `as:`.",
        row=(
            "R without the list, + the fields of its element, none of which R may have; with `as: "
            ".x` R without the list, + x, the element. + the field of `index:`, an `int` from 0."
        ),
    ),
    Stage(
        "chunk",
        (
            Param("text", type=STR, positional=True, doc="the text to cut"),
            Param("tokens", "const", POSITIVE, required=False, doc="tokens in a piece (800)"),
            Param("chars", "const", POSITIVE, required=False, doc="characters in a piece"),
            Param("sentences", "const", POSITIVE, required=False, doc="sentences in a piece"),
            Param("by", "choice", required=False, choices=("heading",), doc="a piece a section"),
            Param("separators", "const", List(STR), required=False, doc="texts to cut behind"),
            Param("tokenizer", "const", STR, required=False, doc="the file that says its tokens"),
            Param(
                "overlap",
                "const",
                COUNT,
                required=False,
                doc="what a piece repeats of the last (0)",
            ),
            AS,
            INDEX,
            Param(
                "headings",
                "new",
                required=False,
                doc="the field for the headings over it, outermost first",
            ),
            Param("span", "new", required=False, doc="the field for where it is in the text"),
        ),
        _chunk,
        "One row per piece of a text; nothing of the text is lost.",
        row=(
            "R + the field of `as:`, a `str`. + the field of `index:`, an `int` from 0; of "
            "`headings:`, a `[str]`; of `span:`, a `{ start: int, end: int }`."
        ),
    ),
    Stage(
        "ask",
        (
            Param("prompt", "prompt", positional=True, doc="the prompt, with its arguments"),
            Param("using", "answerer", doc="who answers"),
            Param("as", "new", doc="the field that holds the answer"),
            Param("when", type=BOOL, required=False, doc="rows for which it is false pass by"),
            Param(
                "over",
                type=List(UNKNOWN),
                required=False,
                doc="asked once per element; the prompt is then `e -> p(a: e)`",
            ),
            Param("reasoning", "new", required=False, doc="the field for the model's reasoning"),
            Param(
                "meta",
                "new",
                required=False,
                doc="the field for who answered, with which options, at which try",
            ),
            Param("retry", "const", RETRY, required=False, doc="tries more per outcome"),
            Param(
                "on_error",
                "choice",
                required=False,
                choices=("reject", "null", "fail"),
                doc='what becomes of a row without an answer ("reject")',
            ),
        ),
        _ask,
        "Asks a model, or several, and puts the answer into the row.",
        row=(
            "R + the field of `as:`, of the type that the prompt and who answers make together; a "
            'list of it with `over:`; optional with `when:` or `on_error: "null"`. R + the field '
            "of `reasoning:`, a `str?`. + the field of `meta:`, a record of what is behind the "
            "answer."
        ),
    ),
    Stage(
        "dedup",
        (
            Param("text", type=STR, positional=True, doc="the text to compare"),
            Param("by", "method", methods=(EXACT, MINHASH, EMBEDDING), doc="what makes two alike"),
            Param("against", "flow", required=False, doc="also drops what is like one of its rows"),
            Param(
                "on",
                "lambda",
                Arrow(T, STR),
                required=False,
                over="against",
                doc="the text of a row of `against:`",
            ),
        ),
        _dedup,
        "Drops rows that are like an earlier one; the first in order stays.",
    ),
    Stage(
        "embed",
        (
            Param("text", type=STR, positional=True, doc="the text"),
            Param("using", "embedder", doc="the embedder"),
            AS,
        ),
        _embed,
        "Puts the vector of a text into the row.",
        row="R + the field of `as:`, a `[float]`.",
    ),
    Stage(
        "retrieve",
        (
            Param("corpus", "flow", positional=True, doc="the rows to search in"),
            Param("on", "lambda", Arrow(T, STR), over="corpus", doc="the text of a corpus row"),
            Param("query", type=STR, doc="the text to search for"),
            Param("top", "const", POSITIVE, doc="how many hits"),
            Param("by", "method", methods=(BM25, NEAREST), doc="how hits are found"),
            AS,
        ),
        _retrieve,
        "Finds the rows of another flow that are nearest to a text, best first.",
        row=(
            "R + the field of `as:`, a list of the corpus's rows, each with `score: float`, a "
            "name that the corpus may not have."
        ),
    ),
    Stage(
        "decontaminate",
        (
            Param("text", type=STR, positional=True, doc="the text to look at"),
            Param("against", "flow", doc="the benchmark"),
            Param("on", "lambda", Arrow(T, STR), over="against", doc="the text of its rows"),
            Param(
                "n", "const", POSITIVE, required=False, doc="words in a row that are shared (13)"
            ),
        ),
        _same,
        "Drops rows that share an n-gram with a benchmark.",
    ),
    Stage(
        "group",
        (
            Param("by", "keys", doc="a field, or a list of them"),
            Param("figures", "figures", required=False, doc="expressions over aggregates"),
        ),
        _group,
        "One row per key, with figures about its rows; keys in the order in which they appear.",
        row="The keys and the figures, in this order, and nothing else of R.",
        gathers=True,
    ),
    Stage(
        "join",
        (
            Param("other", "flow", positional=True, doc="the rows to join"),
            Param("on", "keys", doc="the field that both have"),
            Param(
                "kind",
                "choice",
                required=False,
                choices=("inner", "left"),
                doc='with "left" rows without a match go on ("inner")',
            ),
        ),
        _join,
        "One row per match in another flow, with its fields; null matches nothing.",
        row=(
            'R + the fields of the other flow but the keys; none may be in R. With `kind: "left"` '
            "they are optional."
        ),
    ),
    Stage(
        "select",
        (
            Param("text", type=STR, positional=True, doc="what makes rows different"),
            Param("n", "const", COUNT, doc="how many rows"),
            Param("by", "method", methods=(K_CENTER,), doc="how they are chosen"),
        ),
        _same,
        "Keeps a diverse choice of rows, in their order.",
        gathers=True,
    ),
    Stage(
        "sort",
        (
            Param("by", type=SORTABLE, positional=True, doc="what to sort by; null comes last"),
            Param("desc", "const", BOOL, required=False, doc="greatest first (false)"),
        ),
        _same,
        "Orders the rows; equals keep their order.",
        gathers=True,
    ),
    Stage(
        "limit",
        (
            Param("n", "const", COUNT, required=False, positional=True, doc="how many rows"),
            Param("share", "const", SHARE, required=False, doc="a share of the rows, rounded up"),
            Param(
                "per",
                type=SORTABLE,
                required=False,
                doc="count for each value of its own (all rows together)",
            ),
            Param("skip", "const", COUNT, required=False, doc="how many are passed over first (0)"),
        ),
        _limit,
        "Keeps the first rows; what comes before stops when they are there.",
    ),
    Stage(
        "sample",
        (Param("n", "const", COUNT, positional=True, doc="how many rows"), SEED),
        _same,
        "Keeps a random choice of rows, in their order.",
        gathers=True,
    ),
    Stage("shuffle", (SEED,), _same, "Puts the rows in a random order.", gathers=True),
    Stage(
        "split",
        (
            Param("shares", "constants", SHARE, doc="the parts and their shares, which sum to 1"),
            Param(
                "by",
                type=SORTABLE,
                required=False,
                doc="rows with equal values never part (each row for itself)",
            ),
            SEED,
            AS,
        ),
        _split,
        "Puts each row into a part by a hash, so that adding rows moves none.",
        row="R + the field of `as:`, an enum of the labels.",
    ),
)

LOOP = Stage(
    "loop",
    (
        Param("pipe", "pipe", positional=True, doc="the pipe, with its arguments"),
        Param("times", "const", COUNT, doc="the most rounds"),
        Param("until", type=BOOL, required=False, doc="rows for which it holds leave"),
        Param(
            "keep", "choice", required=False, choices=("last", "all"), doc='what is given ("last")'
        ),
    ),
    _same,
    "Sends rows through a pipe again and again.",
    row=(
        "R + `round: int`, how many rounds a row has made; the pipe gives back the row that "
        "it takes."
    ),
)

STAGES: dict[str, Stage] = {stage.name: stage for stage in (*_STAGES, LOOP)}


class Answerer(Struct, frozen=True):
    """A topology over models, as a value for ``using:``."""

    name: str
    params: tuple[Param, ...]
    doc: str


_MEMBERS = Param("members", "answerers", positional=True, doc="models or other answerers")
_N = Param("n", "const", POSITIVE, required=False, doc="answers of each member (1)")
_MIN = Param("min", "const", POSITIVE, required=False, doc="fewer answers fail the row (1)")
_ON = Param("on", "lambda", Arrow(T, UNKNOWN), required=False, doc="what is compared (the answer)")

_ANSWERERS = (
    Answerer("all", (_MEMBERS, _N, _MIN), "Every member answers; gives the list of answers."),
    Answerer(
        "poll",
        (_MEMBERS, _ON, _N, _MIN),
        "Every member answers; gives the winner, the agreement and the votes.",
    ),
    Answerer(
        "vote",
        (
            _MEMBERS,
            _ON,
            _N,
            Param(
                "quorum",
                "const",
                POSITIVE,
                required=False,
                doc="the weight that a winner needs (more than half of what all could give)",
            ),
            Param(
                "weights", "const", List(FLOAT), required=False, doc="a weight a member (1 each)"
            ),
            Param(
                "tie",
                "answerer",
                required=False,
                doc='who is asked without a winner: a model, "drop" or "null" ("drop")',
            ),
            Param(
                "lazy", "const", BOOL, required=False, doc="ask no more members than decide (false)"
            ),
            Param(
                "by",
                "method",
                required=False,
                methods=(EMBEDDING,),
                doc="texts agree by meaning; the answer nearest to those that agree wins",
            ),
        ),
        "One answer, if enough members agree.",
    ),
    Answerer(
        "cascade",
        (
            _MEMBERS,
            Param(
                "accept",
                "lambda",
                Arrow(T, BOOL),
                required=False,
                doc="is it good enough? (any answer is)",
            ),
            Param(
                "last",
                "choice",
                required=False,
                choices=("keep", "drop"),
                doc='if none is ("keep")',
            ),
        ),
        "The next answerer only if the answer before is not accepted or cannot be had.",
    ),
    Answerer("fallback", (_MEMBERS,), "The next answerer only when the endpoint fails."),
)

ANSWERERS: dict[str, Answerer] = {answerer.name: answerer for answerer in _ANSWERERS}

_SAMPLING = (
    Param("temperature", "const", Float(0.0, None), required=False, doc="0 is greedy"),
    Param("top_p", "const", SHARE, required=False, doc="nucleus sampling"),
    Param("top_k", "const", POSITIVE, required=False, doc="sample from the k likeliest"),
    Param("min_p", "const", SHARE, required=False, doc="drop tokens less likely than this share"),
    Param("max_tokens", "const", POSITIVE, required=False, doc="the longest answer"),
    Param("stop", "const", List(STR), required=False, doc="texts that end the answer"),
    Param("seed", "const", INT, required=False, doc="the endpoint's own seed"),
    Param("presence_penalty", "const", Float(-2.0, 2.0), required=False, doc="less repetition"),
    Param("frequency_penalty", "const", Float(-2.0, 2.0), required=False, doc="less repetition"),
    Param("body", "const", JSON, required=False, doc="what only this endpoint takes"),
)
_PRICE = Record((Field("input", Float(0.0, None)), Field("output", Float(0.0, None))))
_ENDPOINT = (
    Param("id", "const", STR, positional=True, doc="the model's name at the endpoint"),
    Param(
        "url",
        "const",
        Union((STR, List(STR))),
        required=False,
        doc='where it is served; "simulated:" needs no network',
    ),
    Param("key", "const", required=False, doc='`secret("NAME")`'),
    Param("concurrency", "const", POSITIVE, required=False, doc="the most calls at a time"),
    Param("rpm", "const", POSITIVE, required=False, doc="the most calls a minute"),
    Param("tpm", "const", POSITIVE, required=False, doc="the most tokens a minute"),
    Param("timeout", "const", Float(0.0, None), required=False, doc="seconds for one try (600)"),
    Param("price", "const", _PRICE, required=False, doc="USD per million tokens"),
)

OPTIONS: tuple[Param, ...] = _SAMPLING
"""What a copy of a model, ``gen(temperature: 0.2)``, may change."""

MODELS: dict[str, tuple[Param, ...]] = {
    "openai": (
        *_ENDPOINT,
        Param("context", "const", POSITIVE, required=False, doc="tokens that fit into one call"),
        Param(
            "request",
            "lambda",
            Arrow(JSON, JSON),
            required=False,
            doc="what is sent, made of the OpenAI body",
        ),
        Param(
            "response",
            "lambda",
            Arrow(JSON, JSON),
            required=False,
            doc="an OpenAI reply, made of what came back",
        ),
        *_SAMPLING,
    ),
    "embedder": (
        *_ENDPOINT,
        Param(
            "embed",
            "lambda",
            Arrow(List(STR), List(List(FLOAT))),
            required=False,
            doc="gives a vector a text, in the place of an endpoint",
        ),
    ),
}
"""The kinds of endpoint that ``model`` declares, with their options."""
