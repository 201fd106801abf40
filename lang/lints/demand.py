"""Which places of each node's rows something behind it reads: from the sinks upwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dpipe.lang import graph
from dpipe.lang.lints.reading import COUNT, Path, Scope, name_of, path_of, reads, row_paths, written

if TYPE_CHECKING:
    from dpipe.lang.lints.subject import Subject

ANSWER = "$answer"
_DEEPEST = 8  # a path of json may go round in a loop without end


class Demand:
    """``rows[at]`` are the paths of the rows of node ``at`` that are read behind it.

    ``answers[at]`` are those of one answer of an ``ask``, whatever who answers wraps it in.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.graph = subject.graph
        self.rows: list[set[Path]] = [set() for _ in subject.nodes]
        self.answers: dict[int, set[Path]] = {}
        self.shown = {key: prompt_reads(one) for key, one in subject.graph.prompts.items()}
        self._pass()
        while subject.loop_of and self._pass():  # the rows of a loop go round
            pass

    def _pass(self) -> bool:
        """Whether a walk over all nodes finds something new."""
        self.changed = False
        for at in reversed(range(len(self.subject.nodes))):
            self._node(at)
        return self.changed

    def _give(self, at: int, paths: Iterable[Path]) -> None:
        new = {path[:_DEEPEST] for path in paths} - self.rows[at]
        if new:
            self.rows[at] |= new
            self.changed = True

    def _node(self, at: int) -> None:
        node, wanted = self.subject.nodes[at], self.rows[at]
        match node:
            case graph.SinkNode():
                self._give(node.input, _written(node))
            case graph.CheckNode():
                self._give(node.input, wanted | {(name,) for name in node.row.names()})
            case graph.ConcatNode():
                for before in node.inputs:
                    self._give(before, wanted)
            case graph.LoopNode():
                self._loop(node, wanted)
            case graph.StageNode():
                self._stage(at, node, wanted)

    def _loop(self, node: graph.LoopNode, wanted: set[Path]) -> None:
        inner = wanted | set(row_paths(node.until)) | self.rows[node.entry]
        inner = {path for path in inner if path[0] != "round"}
        self._give(node.exit, inner)
        self._give(node.input, inner)

    def _stage(self, at: int, node: graph.StageNode, wanted: set[Path]) -> None:
        match node.stage:
            case "set" | "keep":
                self._give(node.input, _fields(node, wanted))
            case "drop":
                self._give(node.input, wanted)
            case "unnest":
                self._give(node.input, self._unnested(node, wanted))
            case "ask":
                self._give(node.input, self._asked(at, node, wanted))
            case "join":
                self._join(node, wanted)
            case _:
                self._give(node.input, [*_untouched(node, wanted), *row_paths(node.args)])
                self._others(node, wanted)

    def _unnested(self, node: graph.StageNode, wanted: set[Path]) -> Iterator[Path]:
        field, target = name_of(node, "field"), name_of(node, "as")
        before = self.subject.row_before(node).names()
        yield (field, COUNT)
        for path in wanted:
            if target and path[0] == target:
                yield (field, *path[1:])
            elif path[0] == name_of(node, "index"):
                continue
            elif path[0] in before and path[0] != field:
                yield path
            else:
                yield (field, *path)

    def _join(self, node: graph.StageNode, wanted: set[Path]) -> None:
        mine = set(self.subject.row_before(node).names())
        keys = list(row_paths(node.args.get("on")))
        self._give(node.input, [*(path for path in wanted if path[0] in mine), *keys])
        other = node.args.get("other")
        if isinstance(other, graph.Input):
            theirs = [path for path in wanted if path[0] not in mine]
            self._give(other.node, [*theirs, *keys])

    def _others(self, node: graph.StageNode, wanted: set[Path]) -> None:
        """What the stage reads of the rows of other flows."""
        target = name_of(node, "as")
        for arg in node.args.values():
            if not isinstance(arg, graph.Input):
                continue
            on = node.args.get("on")
            if isinstance(on, graph.Lambda):
                paths = reads(on.body, (), {on.param: (ANSWER,)})
                self._give(arg.node, (path[1:] for path in paths if path[0] == ANSWER))
            else:
                self._give(arg.node, row_paths(node.args.get("text")))
            if node.stage == "retrieve":
                self._give(arg.node, self._hits(arg.node, target, wanted))

    def _hits(self, corpus: int, target: str, wanted: set[Path]) -> Iterator[Path]:
        row = self.subject.nodes[corpus].row
        for path in wanted:
            if path[0] == target:
                yield from [path[1:]] if path[1:] else ((name,) for name in row.names())

    # -- asks ------------------------------------------------------------------------------------

    def _asked(self, at: int, node: graph.StageNode, wanted: set[Path]) -> Iterator[Path]:
        using = node.args.get("using")
        self.answers[at] = set(_of_answer(name_of(node, "as"), using, wanted))
        if self.answers[at]:
            self.answers[at] |= set(_judged(using))
        yield from _untouched(node, wanted)
        yield from row_paths(node.args.get("when"))
        yield from row_paths(using)
        over = node.args.get("over")
        yield from ((*path, COUNT) for path in row_paths(over))
        for call in calls_of(node):
            scope: Scope = {}
            if call.each is not None and isinstance(over, graph.Expr):
                scope = {call.each: path_of(over, {})}
                if scope[call.each] is None:
                    yield from row_paths(over)
            prompt = self.graph.prompts[call.prompt]
            for path in self.shown[call.prompt]:
                for param, arg in zip(prompt.params, call.args, strict=True):
                    if param.name == path[0]:
                        yield from row_paths(arg, path[1:], scope)
        yield from (path for test in tests_of(node) for path in row_paths(test))


def prompt_reads(prompt: graph.PromptDef) -> set[Path]:
    """The parameters that a prompt's text shows, or the places in them."""
    return {path for section in prompt.sections for path in reads(section.content, (), {})}


def calls_of(node: graph.StageNode) -> list[graph.PromptCall]:
    """The prompts that an ``ask`` may ask."""
    return _calls(node.args.get("prompt"))


def _calls(prompt: object) -> list[graph.PromptCall]:
    match prompt:
        case graph.PromptCall():
            return [prompt]
        case graph.PromptChoice(_, then, otherwise):
            return [*_calls(then), *_calls(otherwise)]
        case _:
            return []


def tests_of(node: graph.StageNode) -> list[graph.Expr]:
    """The conditions by which an ``ask`` chooses its prompt."""
    found: list[graph.Expr] = []
    waiting = [node.args.get("prompt")]
    while waiting:
        prompt = waiting.pop()
        if isinstance(prompt, graph.PromptChoice):
            found.append(prompt.test)
            waiting += [prompt.then, prompt.otherwise]
    return found


def _of_answer(target: str, using: object, wanted: set[Path]) -> Iterator[Path]:
    """Which paths of one answer are read, of those that are read of what ``using:`` gives."""
    for path in wanted:
        if path[0] != target:
            continue
        rest = path[1:]
        if not isinstance(using, graph.Poll) or not rest:
            yield rest
        elif rest[0] == "winner":
            yield rest[1:]
        elif rest[0] == "votes" and (len(rest) == 1 or rest[1] == "answer"):
            yield rest[2:]
        else:
            yield (COUNT,)


def _judged(using: object) -> Iterator[Path]:
    """What those who answer compare and accept answers by."""
    match using:
        case graph.Vote(members, on) | graph.Poll(members, on) | graph.Cascade(members, on):
            if on is not None:
                for path in reads(on.body, (), {on.param: (ANSWER,)}):
                    if path[0] == ANSWER:
                        yield path[1:]
            for member in members:
                yield from _judged(member)
        case graph.All(members) | graph.Fallback(members):
            for member in members:
                yield from _judged(member)


# -- stages --------------------------------------------------------------------------------------


def _fields(node: graph.StageNode, wanted: set[Path]) -> Iterator[Path]:
    """Through ``set`` or ``keep``: an expression counts as far as its field is read."""
    fields = node.args.get("fields")
    entries = dict(fields.entries) if isinstance(fields, graph.Fields) else {}
    for path in wanted:
        if path[0] in entries:
            yield from row_paths(entries[path[0]], path[1:])
        else:
            yield path


def _untouched(node: graph.StageNode, wanted: set[Path]) -> Iterator[Path]:
    """What is read behind a stage and does not come from it."""
    made = written(node)
    yield from (path for path in wanted if path[0] not in made)


def _written(node: graph.SinkNode) -> Iterator[Path]:
    """What a sink writes: the whole row, where its writer takes no fields of its own."""
    if node.fields is None and not node.metrics:
        yield from ((name,) for name in node.row.names())
    for value in (node.path, node.fields, node.options, node.metrics):
        yield from row_paths(value)
