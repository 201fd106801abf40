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
from dpipe.lang.types import List, Record, Type, show_short

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
        if not will_fit(found, List(rows.row)):
            self._misfit(decl, entry, found.type, rows.row)
        return graph.Rows(rows.node, found.expr)

    def _misfit(self, decl: Decl, given: syntax.Entry, found: Type, row: Record) -> None:
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
        env = Env(file, locals=self._lists(file))
        for entry in item.entries:
            if entry.key.text == "expect":
                yield self.expects.of(entry.value, env)

    def _streams(self, file: str) -> Iterator[Decl]:
        for decl in self.names.declared[file].values():
            if isinstance(decl.item, syntax.FlowItem | syntax.SourceItem):
                yield decl

    def _lists(self, file: str) -> dict[str, Type]:
        """In what a test expects, a flow is the list of its rows."""
        return {decl.name.text: List(self.flows.declared(decl).row) for decl in self._streams(file)}

    def _flows_read(self, file: str, expects: Sequence[graph.Expect]) -> Iterator[tuple[str, int]]:
        read = set(chain.from_iterable(read_by(expect.whole.value) for expect in expects))
        for decl in self._streams(file):
            node = self.flows.declared(decl).node
            if decl.name.text in read and node != NOWHERE:
                yield decl.name.text, node

    # -- what is asked ---------------------------------------------------------------------------

    def _cover(self, item: syntax.TestItem, test: graph.TestDef) -> None:
        """Each prompt that the flows of a test ask has an answer in it."""
        answered = {answer.prompt for answer in test.answers}
        for name, node in test.flows:
            for prompt in prompts_asked(test.nodes, node):
                if prompt not in answered:
                    answered.add(prompt)
                    self._uncovered(item, name, prompt)

    def _uncovered(self, item: syntax.TestItem, flow: str, prompt: str) -> None:
        entry = next((entry for entry in item.entries if entry.key.text == "answer"), None)
        key = prompt if prompt.isidentifier() else f'"{prompt}"'
        decl = self.names.keyed(item.span.file, prompt)
        self.bag.add(
            "E0804",
            item.title.span if entry is None else entry.key.span,
            f'test "{item.title.text}" has no answer for prompt `{prompt}`, which `{flow}` asks',
            labels=[] if decl is None else [Label(decl.name.span, "prompt declared here")],
            help=f"add `answer: {{ {key}: … }}`" if entry is None else f"add `{key}: …` to it",
        )
