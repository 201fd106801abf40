"""``test`` blocks: what they give, what prompts answer in them, and what they expect."""

from __future__ import annotations

from dpipe.lang import syntax
from dpipe.lang.diagnostics import Label
from dpipe.lang.env import Env
from dpipe.lang.flows import Flows
from dpipe.lang.names import Decl, misspelt
from dpipe.lang.types import (
    BOOL,
    Field,
    List,
    Record,
    Type,
    fits,
    show_short,
)

ENTRIES = ("given", "answer", "expect")


class Tests:
    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self.expressions = flows.expressions
        self.names = flows.names
        self.bag = flows.bag

    def declare(self, file: str, item: syntax.TestItem) -> None:
        env = Env(file, locals=self._flows(file))
        expects = 0
        for entry in item.entries:
            match entry.key.text:
                case "given":
                    self._given(file, entry)
                case "answer":
                    self._answers(file, entry)
                case "expect":
                    expects += 1
                    self.expressions.expect(entry.value, env, BOOL, "`expect:`")
                case other:
                    message = f"a test has no `{other}:`"
                    help = "it has `given:`, `answer:` and `expect:`"
                    misspelt(self.bag, "E0804", entry.key.span, other, message, ENTRIES, help)
        if not expects:
            help = "add `expect: len(my_flow) == 1`"
            self.bag.add("E0804", item.span, f'test "{item.title}" expects nothing', help=help)

    def _flows(self, file: str) -> dict[str, Type]:
        """In what a test expects, a flow is the list of its rows."""
        found: dict[str, Type] = {}
        for name, decl in self.names.declared[file].items():
            if isinstance(decl.item, syntax.FlowItem | syntax.SourceItem):
                found[name] = List(self.flows.declared(decl).row)
        return found

    def _named(self, file: str, key: syntax.Name) -> Decl | None:
        """What ``name`` or ``"m.name"`` names; it is no use of it."""
        module, _, name = key.text.rpartition(".")
        where: str | None = file
        if module:
            where = self.names.program.imports.get((file, module))
        return self.names.declared.get(where or "", {}).get(name)

    def _given(self, file: str, entry: syntax.Entry) -> None:
        if not isinstance(entry.value, syntax.RecordExpr):
            self._not_a_record(entry, "given: { docs: [{ … }] }")
            return
        for given in entry.value.entries:
            decl = self._named(file, given.key)
            if decl is None or not isinstance(decl.item, syntax.SourceItem):
                known = self.names.of_kind(file, "source")
                message = f"no source `{given.key.text}`"
                misspelt(self.bag, "E0801", given.key.span, given.key.text, message, known)
                continue
            row = self.flows.declared(decl).row
            found = self.expressions.of(given.value, Env(file))
            if not fits(found.type, List(row)):
                self._misfit(decl, given, found.type, row)

    def _misfit(self, decl: Decl, given: syntax.Entry, found: Type, row: Record) -> None:
        """Point at the first record that does not fit the source's row."""
        items = given.value.items if isinstance(given.value, syntax.ListExpr) else ()
        for item in items:
            of = self.expressions.of(item, Env(given.span.file)).type
            if fits(of, row):
                continue
            why = _why(of, row)
            message = f"this row does not fit source `{decl.name.text}`{why}"
            labels = [Label(decl.name.span, "declared here")]
            self.bag.add("E0802", item.span, message, labels=labels)
            return
        message = f"a source is given a list of rows, found {show_short(found)}"
        self.bag.add("E0802", given.value.span, message)

    def _answers(self, file: str, entry: syntax.Entry) -> None:
        if not isinstance(entry.value, syntax.RecordExpr):
            self._not_a_record(entry, "answer: { my_prompt: … }")
            return
        for answer in entry.value.entries:
            decl = self._named(file, answer.key)
            if decl is None or not isinstance(decl.item, syntax.PromptItem):
                known = self.names.of_kind(file, "prompt")
                word = answer.key.text
                message = f"no prompt `{word}`"
                misspelt(self.bag, "E0404", answer.key.span, word, message, known)
                continue
            self._answer(file, decl, answer)

    def _answer(self, file: str, decl: Decl, answer: syntax.Entry) -> None:
        """A value, a list of them (one a call), or a lambda of the bound parameters."""
        prompt = self.flows.prompts.declare(decl)
        env = Env(file)
        nodes = [answer.value]
        if isinstance(answer.value, syntax.ListExpr) and not isinstance(prompt.result, List):
            nodes = list(answer.value.items)
        elif isinstance(answer.value, syntax.Lambda):
            bound = Record(tuple(Field(p.name, p.type) for p in prompt.params))
            env = env.binding(answer.value.param.text, bound)
            nodes = [answer.value.body]
        for node in nodes:
            if _is_failure(node):
                continue
            found = self.expressions.of(node, env)
            several = isinstance(prompt.result, List) and fits(found.type, List(prompt.result))
            if not fits(found.type, prompt.result) and not several:
                message = (
                    f"prompt `{decl.name.text}` gives {show_short(prompt.result)}, "
                    f"found {show_short(found.type)}"
                )
                labels = [Label(decl.name.span, "prompt declared here")]
                self.bag.add("E0803", found.span, message, labels=labels)

    def _not_a_record(self, entry: syntax.Entry, form: str) -> None:
        if not isinstance(entry.value, syntax.BadExpr):
            self.bag.add("E0804", entry.value.span, f"write `{form}`")


def _is_failure(node: syntax.Expr) -> bool:
    """``fail("truncated")`` is that outcome."""
    return (
        isinstance(node, syntax.Call)
        and isinstance(node.callee, syntax.NameRef)
        and node.callee.text == "fail"
    )


def _why(found: Type, row: Record) -> str:
    if not isinstance(found, Record):
        return ""
    for field in row.fields:
        of = found.get(field.name)
        if not fits(Record((Field(field.name, of),) if of else ()), Record((field,))):
            if of is None:
                return f": it has no `{field.name}`"
            return f": `{field.name}` is {show_short(of)}, declared {show_short(field.type)}"
    return ""
