"""``test`` blocks: what they give, what prompts answer in them, and what they expect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from dpipe.lang import graph, syntax
from dpipe.lang.diagnostics import Label
from dpipe.lang.env import Env
from dpipe.lang.expects import Expects, read_by
from dpipe.lang.flows import Flows
from dpipe.lang.names import Decl, misspelt
from dpipe.lang.rows import NOWHERE
from dpipe.lang.scripts import Scripts, prompts_asked, unlike, will_fit
from dpipe.lang.types import STR, Image, List, Type, mapped, show_short

ENTRIES = ("given", "answer", "expect")
FORMS = {"given": "given: { docs: [{ … }] }", "answer": "answer: { my_prompt: … }"}


class Tests:
    def __init__(self, flows: Flows) -> None:
        self.flows = flows
        self.expressions = flows.expressions
        self.names = flows.names
        self.bag = flows.bag
        self.scripts = Scripts(flows.prompts)
        self.expects = Expects(flows.expressions, flows.place)

    def declare(
        self, file: str, item: syntax.TestItem, nodes: tuple[graph.Node, ...]
    ) -> graph.TestDef:
        """The test over ``nodes``, which are all that the program's flows came to."""
        self._shape(item)
        given = [self._given(file, entry) for entry in self._entries(item, "given")]
        answers = [self.scripts.answer(file, entry) for entry in self._entries(item, "answer")]
        expects = tuple(self._expects(file, item))
        flows = tuple(self._flows_read(file, expects))
        test = graph.TestDef(
            item.title.text,
            nodes,
            flows,
            tuple(rows for rows in given if rows is not None),
            tuple(answer for answer in answers if answer is not None),
            expects,
            self.flows.place(item.span),
        )
        if None not in given and not _is_misshapen(item):
            self._fed(item, test)
        if None not in answers:
            self._cover(item, test)
        return test

    def _shape(self, item: syntax.TestItem) -> None:
        for entry in item.entries:
            if entry.key.text not in ENTRIES:
                word = entry.key.text
                message = f"a test has no `{word}:`"
                help = "it has `given:`, `answer:` and `expect:`"
                misspelt(self.bag, "E0805", entry.key.span, word, message, ENTRIES, help)
        if not any(entry.key.text == "expect" for entry in item.entries):
            help = "add `expect: len(my_flow) == 1`"
            message = f'test "{item.title.text}" expects nothing'
            self.bag.add("E0805", item.title.span, message, help=help)

    def _entries(self, item: syntax.TestItem, key: str) -> Iterator[syntax.Entry]:
        """What stands in the records of a key."""
        for entry in item.entries:
            if entry.key.text != key or isinstance(entry.value, syntax.BadExpr):
                continue
            if isinstance(entry.value, syntax.RecordExpr):
                yield from entry.value.entries
            else:
                message = f"`{key}:` takes a record"
                self.bag.add("E0805", entry.value.span, message, help=f"write `{FORMS[key]}`")

    # -- what is given ---------------------------------------------------------------------------

    def _given(self, file: str, entry: syntax.Entry) -> graph.Rows | None:
        decl = self.names.keyed(file, entry.key.text)
        if decl is None or not isinstance(decl.item, syntax.SourceItem):
            known = self.names.of_kind(file, "source")
            message = f"no source `{entry.key.text}`"
            misspelt(self.bag, "E0801", entry.key.span, entry.key.text, message, known)
            return None
        rows = self.flows.declared(decl)
        found = self.expressions.of(entry.value, Env(file))
        row = _as_written(rows.row)
        if not will_fit(found, List(row)):
            self._misfit(decl, entry, found.type, row)
        return graph.Rows(rows.node, found.expr)

    def _misfit(self, decl: Decl, given: syntax.Entry, found: Type, row: Type) -> None:
        """Point at the first record that does not fit the source's row."""
        items = given.value.items if isinstance(given.value, syntax.ListExpr) else ()
        for item in items:
            of = self.expressions.of(item, Env(given.span.file))
            if will_fit(of, row):
                continue
            why = unlike(of.type, row)
            message = f"this row does not fit source `{decl.name.text}`{why}"
            labels = [Label(decl.name.span, "declared here")]
            self.bag.add("E0802", item.span, message, labels=labels)
            return
        message = f"a source is given a list of rows, found {show_short(found)}"
        self.bag.add("E0802", given.value.span, message)

    # -- what is expected ------------------------------------------------------------------------

    def _expects(self, file: str, item: syntax.TestItem) -> Iterator[graph.Expect]:
        env = Env(file, locals=self._lists(file), draws=True)
        for entry in item.entries:
            if entry.key.text == "expect":
                yield self.expects.of(entry.value, env)

    def _streams(self, file: str) -> Iterator[tuple[str, Decl]]:
        """Flows and sources as the file writes them; those of its modules behind their names."""
        for name, decl in self.names.declared[file].items():
            if isinstance(decl.item, syntax.FlowItem | syntax.SourceItem):
                yield name, decl
        for module in self.names.imported[file]:
            target = self.names.program.imports.get((file, module))
            for name, decl in self.names.declared.get(target or "", {}).items():
                if isinstance(decl.item, syntax.FlowItem | syntax.SourceItem):
                    yield f"{module}.{name}", decl

    def _lists(self, file: str) -> dict[str, Type]:
        """In what a test expects, a flow is the list of its rows."""
        return {name: List(self.flows.declared(decl).row) for name, decl in self._streams(file)}

    def _flows_read(self, file: str, expects: Sequence[graph.Expect]) -> Iterator[tuple[str, int]]:
        read = set(chain.from_iterable(read_by(expect.whole.value) for expect in expects))
        for name, decl in self._streams(file):
            if name in read:
                self.names.used.add(decl.key)
                node = self.flows.declared(decl).node
                if node != NOWHERE:
                    yield name, node

    # -- what is needed --------------------------------------------------------------------------

    def _fed(self, item: syntax.TestItem, test: graph.TestDef) -> None:
        """Each source that the flows of a test read is given in it."""
        given = {rows.source for rows in test.given}
        for name, node in test.flows:
            for at in sorted(graph.needed(test.nodes, node) - given):
                if isinstance(test.nodes[at], graph.SourceNode):
                    given.add(at)
                    self._lacks(item, "given", self._sources()[at], name)

    def _sources(self) -> dict[int, Decl]:
        """The declaration of each source by its node."""
        return {
            self.flows.declared(decl).node: decl
            for declared in self.names.declared.values()
            for decl in declared.values()
            if isinstance(decl.item, syntax.SourceItem)
        }

    def _cover(self, item: syntax.TestItem, test: graph.TestDef) -> None:
        """Each prompt that the flows of a test ask has an answer in it."""
        answered = {answer.prompt for answer in test.answers}
        for name, node in test.flows:
            for prompt in prompts_asked(test.nodes, node):
                decl = self.names.keyed(item.span.file, prompt)
                if prompt not in answered and decl is not None:
                    answered.add(prompt)
                    self._lacks(item, "answer", decl, name)

    def _lacks(self, item: syntax.TestItem, key: str, decl: Decl, flow: str) -> None:
        entry = next((entry for entry in item.entries if entry.key.text == key), None)
        name = self.expressions.calls.key(decl)
        title, word = item.title.text, name if name.isidentifier() else f'"{name}"'
        if key == "answer":
            code, example = "E0804", f"{word}: …"
            message = f'test "{title}" has no answer for prompt `{name}`, which `{flow}` asks'
        else:
            code, example = "E0806", f"{word}: [{{ … }}]"
            message = f'test "{title}" gives no rows for source `{name}`, which `{flow}` needs'
        self.bag.add(
            code,
            item.title.span if entry is None else entry.key.span,
            message,
            labels=[Label(decl.name.span, f"{decl.kind} declared here")],
            help=f"add `{key}: {{ {example} }}`" if entry is None else f"add `{example}` to it",
        )


def _as_written(of: Type) -> Type:
    """The type as a test writes its values: a picture is told by its path."""
    return STR if isinstance(of, Image) else mapped(of, _as_written)


def _is_misshapen(item: syntax.TestItem) -> bool:
    """Whether what is given may stand in an entry that has been told to be wrong."""
    return any(
        entry.key.text not in ENTRIES
        or (entry.key.text == "given" and not isinstance(entry.value, syntax.RecordExpr))
        for entry in item.entries
    )
