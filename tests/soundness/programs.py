"""Programs by chance: sources, flows of stages that fit their rows, and sinks.

Each stage is made for the row that the checker says stands before it, and left out again where
it is refused. So what is made is accepted, and what was refused can be looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from msgspec import Struct

from dpipe.lang.compile import Compiled, compile_program
from dpipe.lang.types import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    STR,
    Enum,
    Field,
    Float,
    Int,
    List,
    Optional,
    Record,
    Type,
    show,
)
from tests.lang.programs import STD, load_std
from tests.soundness.expressions import NODE, Sayings, key, quoted

FILE = "made.dpipe"

DECLARED = """\
dpipe 1

model ma = openai("a", url: "simulated:")
model mb = openai("b", url: "simulated:")
model mc = openai("c", url: "simulated:")
model em = embedder("e", url: "simulated:")
model panel = vote([ma, mb, mc], tie: "null")

param limited: int = 3
param word: str? = null

type Node = { v: int, label: str?, kids: [Node] }
type Grade = { reason: str, score: 1..5, tags: [str], at: { page: int, quote: str? } }

prompt kind(text: str) -> "yes" | "no" { user: "{text}" }
prompt grade(text: str, n: int = 3) -> Grade { user: "{n} {text}" }
prompt listed(text: str) -> [str] { user: "{text}" }
prompt tree(text: str) -> Node { user: "{text}" }
prompt share(text: str) -> 0.0..1.0 { user: "{text}" }
prompt maybe(text: str) -> int? { user: "{text}" }
prompt said(text: str) -> str { user: "{text}" }
prompt loose(text: str) -> json { user: "{text}" }
prompt mixed(text: str) -> int | str | [bool] { user: "{text}" }

def shout(text: str, mark: str = "!") -> str = upper(text) + mark
def twice(n: int) -> int = 2 * n
def sum_of(x: Node) -> int = x.v + sum(x.kids, y -> y.v)

pipe grow(rows: flow[{ id: int }], by: int = 1) {
  rows | set(id: .id + by)
}
pipe asked(rows: flow[{ id: int, note: str? }], who: model) {
  flow noted = rows | set(note: .note ?? "none")
  noted | ask(kind(text: "{.note} {.id}"), using: who, as: .kind_of)
}

source other: { id: int, "from other": str, tree: Node? } = rows([
  { id: 1, "from other": "a two words", tree: null },
  { id: 0, "from other": "b", tree: { v: 1, label: "l", kids: [{ v: 2, label: null, kids: [] }] } },
  { id: 1, "from other": "a two", tree: null },
])
"""

NAMES = (
    "a",
    "b",
    "text",
    "n",
    "x",
    "type",
    "if",
    "two words",
    "über",
    "a.b",
    'q"t',
    "note",
    "kids",
)
PROMPTS: dict[str, Type] = {
    "kind": Enum(("yes", "no")),
    "grade": Record(
        (
            Field("reason", STR),
            Field("score", Int(1, 5)),
            Field("tags", List(STR)),
            Field("at", Record((Field("page", INT), Field("quote", Optional(STR))))),
        ),
        "Grade",
    ),
    "listed": List(STR),
    "tree": NODE,
    "share": Float(0.0, 1.0),
    "maybe": Optional(INT),
    "said": STR,
    "loose": JSON,
    "mixed": JSON,
}


class Refused(Struct, frozen=True):
    """A stage that was not accepted, with what was told of it."""

    stage: str
    code: str
    message: str


class Made(Struct, frozen=True):
    text: str
    compiled: Compiled
    refused: tuple[Refused, ...]


def compiled(text: str, before: Compiled | None = None, file: str = FILE) -> Compiled:
    def load(path: str) -> bytes:
        return text.encode() if path == file else load_std(path)

    return compile_program(file, load, STD, before)


def made(seed: int, stages: int = 6) -> Made:
    """The program of this number."""
    return _Program(Random(seed), stages).made()


class _Program:
    def __init__(self, chance: Random, stages: int) -> None:
        self.chance = chance
        self.stages = stages
        self.text = DECLARED
        self.refused: list[Refused] = []
        self.last: Compiled | None = None
        self.flows: list[str] = []

    def made(self) -> Made:
        for number in range(2):
            self._source(f"s{number}")
        for number in range(2):
            self._flow(f"f{number}", self.chance.choice(("s0", "s1")))
        self._add(f"flow both = concat({', '.join(self.chance.sample(self.flows, 2))})\n")
        ends = "both" if "flow both" in self.text else "s0"
        for name in dict.fromkeys((*self.flows, "s1", ends)):
            self._add(f'sink out_{name} = {name} | jsonl("out/{name}.jsonl")\n')
        done = compiled(self.text, self.last)
        return Made(self.text, done, tuple(self.refused))

    def _add(self, text: str, stage: str | None = None) -> bool:
        """Take a declaration in, where the checker does."""
        whole = self.text + text
        self.last = compiled(whole, self.last)
        wrong = [d for d in self.last.diagnostics if d.severity == "error"]
        if wrong:
            self.refused.append(Refused(stage or text, wrong[0].code, wrong[0].message))
            return False
        self.text = whole
        return True

    # -- sources -----------------------------------------------------------------------------------

    def _source(self, name: str) -> None:
        taken = self.chance.sample(NAMES, 5)
        fields = [Field("id", INT), *(Field(field, self._type(2)) for field in taken)]
        say = Sayings(self.chance, [])
        rows: list[str] = []
        for at in range(self.chance.choice((1, 2, 3, 6))):
            said = [f"id: {self.chance.choice((at, 1))}"]
            for field in fields[1:]:
                if not isinstance(field.type, Optional) or self.chance.random() < 0.7:
                    said.append(f"{key(field.name)}: {say.literal(field.type)}")
            rows.append(f"  {{ {', '.join(said)} }},\n")
        shown = ", ".join(f"{key(f.name)}: {_written(f.type)}" for f in fields)
        self._add(f"source {name}: {{ {shown} }} = rows([\n{''.join(rows)}])\n")

    def _type(self, depth: int) -> Type:
        pick = self.chance.choice
        simple: tuple[Type, ...] = (
            STR, INT, FLOAT, BOOL, JSON, Int(1, 5), Float(0.0, 1.0), Enum(("a", "b", "c")), NODE,
        )  # fmt: skip
        roll = self.chance.random()
        if depth <= 0 or roll < 0.5:
            return pick(simple)
        if roll < 0.65:
            return List(self._type(depth - 1))
        if roll < 0.8:
            inner = self._type(depth - 1)
            return inner if isinstance(inner, Optional | type(JSON)) else Optional(inner)
        names = self.chance.sample(("a", "b", "k", "two words"), 2)
        return Record(tuple(Field(name, self._type(depth - 1)) for name in names))

    # -- flows -------------------------------------------------------------------------------------

    def _flow(self, name: str, head: str) -> None:
        """A flow is cut into several, so that what lies between has sinks of its own too."""
        for number in range(self.stages):
            stage = self._stage(self._row(head))
            new = f"{name}_{number}"
            if self._add(f"flow {new} = {head} | {stage}\n", stage):
                head = new
        if head not in self.flows:
            self.flows.append(head)

    def _row(self, head: str) -> Record:
        last = self.last
        assert last is not None
        return next(at.row for at in reversed(last.rows) if at.flow == head)

    def _stage(self, row: Record) -> str:
        kinds: tuple[Callable[[Sayings, Record], str], ...] = (
            self._set, self._set, self._where, self._keep, self._unnest, self._ask, self._ask,
            self._over, self._other, self._folded, self._through,
        )  # fmt: skip
        places = [(f".{key(field.name)}", field.type) for field in row.fields]
        say = Sayings(self.chance, [*places, ("limited", INT), ("word", Optional(STR))])
        return self.chance.choice(kinds)(say, row)

    def _new(self, row: Record) -> str:
        return key(self.chance.choice((*NAMES, *_others(row))))

    def _field(self, row: Record, *kinds: type) -> str:
        found = [f.name for f in row.fields if not kinds or isinstance(f.type, kinds)]
        return key(self.chance.choice(found or [*row.names(), "id"]))

    def _set(self, say: Sayings, row: Record) -> str:
        labels = dict.fromkeys(self._new(row) for _ in range(self.chance.choice((1, 2))))
        return f"set({', '.join(f'{label}: {say.any(3)}' for label in labels)})"

    def _where(self, say: Sayings, row: Record) -> str:
        test, _ = say.test(3)
        return f"where({test})"

    def _keep(self, say: Sayings, row: Record) -> str:
        if self.chance.random() < 0.5 and len(row.fields) > 3:
            return f"drop(.{key(self.chance.choice(_others(row)))})"
        kept = [f".{key(n)}" for n in row.names() if n == "id" or self.chance.random() < 0.8]
        return f"keep({', '.join(kept)}, made: {say.any(2)})"

    def _unnest(self, say: Sayings, row: Record) -> str:
        name = self._field(row, List)
        index = f", index: .{self._new(row)}" if self.chance.random() < 0.3 else ""
        if self.chance.random() < 0.3:
            return f"unnest(.{name}{index})"
        return f"unnest(.{name}, as: .{self._new(row)}{index})"

    # -- asking ------------------------------------------------------------------------------------

    def _ask(self, say: Sayings, row: Record) -> str:
        prompt = self.chance.choice(tuple(PROMPTS))
        more = ""
        if self.chance.random() < 0.3:
            test, shown = say.test(2)
            more, say = f", when: {test}", say.within(*shown)
        text = f"text: {say.of(STR, 2)}"
        if prompt == "grade" and self.chance.random() < 0.5:
            text += f", n: {say.of(INT, 2)}"
        reasoning = f", reasoning: .{self._new(row)}"
        more += self.chance.choice(("", "", ', on_error: "null"', reasoning))
        who = self._who(say, PROMPTS[prompt])
        return f"ask({prompt}({text}), using: {who}, as: .{self._new(row)}{more})"

    def _over(self, say: Sayings, row: Record) -> str:
        prompt = self.chance.choice(tuple(PROMPTS))
        xs, element = say.list(1)
        text = say.within(("e", element)).of(STR, 2)
        who = self._who(say, PROMPTS[prompt])
        return f"ask(e -> {prompt}(text: {text}), over: {xs}, using: {who}, as: .{self._new(row)})"

    def _who(self, say: Sayings, result: Type) -> str:
        one = self.chance.choice(("ma", "ma(temperature: 0.0)", "mb"))
        judged = say.within(("v", result))
        on = f", on: v -> {judged.of(self.chance.choice((STR, INT)), 1)}"
        if not isinstance(result, Record) and self.chance.random() < 0.5:
            on = ""
        ties = ("", ', tie: "null"', ", tie: mb", ", lazy: true", ', tie: "drop"')
        tie = self.chance.choice(ties)
        accept = f", accept: v -> {judged.of(BOOL, 2)}" if self.chance.random() < 0.7 else ""
        last = self.chance.choice(("", ', last: "drop"'))
        whos = (
            one, one, one, "panel",
            "all([ma, mb], n: 2)",
            f"poll([ma, mb, ma]{on})",
            f"vote([ma, mb, mc]{on}{tie})",
            f"cascade([ma, vote([ma, mb, mc]{on})]{accept}{last})",
            "fallback([ma, mb])",
        )  # fmt: skip
        return self.chance.choice(whos)

    # -- stages over many rows ---------------------------------------------------------------------

    def _other(self, say: Sayings, row: Record) -> str:
        text = say.of(STR, 2)
        kind = self.chance.choice(("", ', kind: "left"'))
        on = self.chance.choice(("", ', against: other, on: o -> o."from other"'))
        by = self.chance.choice(("exact()", "minhash(threshold: 0.5)", "embedding(em)"))
        return self.chance.choice(
            (
                f"join(other, on: .id{kind})",
                f"dedup({text}, by: {by}{on})",
                f'retrieve(other, on: o -> o."from other", query: {text}, top: 2, by: bm25(), '
                f"as: .{self._new(row)})",
                f"embed({text}, using: em, as: .{self._new(row)})",
                f'decontaminate({text}, against: other, on: o -> o."from other", n: 2)',
                f"chunk({text}, chars: {self.chance.choice((1, 4, 300))}, as: .{self._new(row)})",
                f"select({text}, n: {self.chance.choice((1, 3))}, by: k_center(em))",
            )
        )

    def _folded(self, say: Sayings, row: Record) -> str:
        by = say.of(self.chance.choice((STR, INT, BOOL, Optional(STR))), 2)
        figures = (
            "count()", f"mean({say.of(FLOAT, 2)})", f"sum({say.of(FLOAT, 1)})", f"min({by})",
            f"max({by})", f"collect({say.any(2)})", f"distinct({say.any(1)})", f"entropy({by})",
            f"count() / {say.literal(INT)}", f"quantile({say.of(FLOAT, 1)}, q: 0.5)",
        )  # fmt: skip
        keys = f".{self._field(row)}"
        if self.chance.random() < 0.4:
            keys = f"[{keys}, .id]" if keys != ".id" else "[.id]"
        return self.chance.choice(
            (
                f"group(by: {keys}, id: max(.id), made: {self.chance.choice(figures)}, n: count())",
                f"group(by: .id, made: {self.chance.choice(figures)}, one: {{ a: count() }})",
                f"sort({by}{self.chance.choice(('', ', desc: true'))})",
                f"limit({self.chance.choice((0, 1, 4))})",
                f"limit(limited, per: {by})",
                f"limit(share: {self.chance.choice((0.0, 0.5, 1.0))})",
                f"sample({self.chance.choice((1, 3))}, seed: 7)",
                "shuffle()",
                f"split(one: 0.5, {quoted('zwei drei')}: 0.5, by: {by}, as: .{self._new(row)})",
            )
        )

    def _through(self, say: Sayings, row: Record) -> str:
        until = self.chance.choice(("", f", until: {say.within(('.round', INT)).of(BOOL, 2)}"))
        keep = self.chance.choice(("", ', keep: "all"'))
        return self.chance.choice(
            (
                f"grow(by: {say.literal(INT)})",
                f"asked(who: {self._who(say, PROMPTS['kind'])})",
                f"loop(grow(by: 2), times: {self.chance.choice((0, 1, 3))}{until}{keep})",
            )
        )


def _others(row: Record) -> list[str]:
    return [name for name in row.names() if name != "id"]


def _written(of: Type) -> str:
    """The type as a source declares it."""
    match of:
        case List(inner):
            return f"[{_written(inner)}]"
        case Optional(inner):
            return f"{_written(inner)}?"
        case Record(name="Node"):
            return "Node"
        case Record(fields=fields):
            return "{ " + ", ".join(f"{key(f.name)}: {_written(f.type)}" for f in fields) + " }"
        case _:
            return show(of)
