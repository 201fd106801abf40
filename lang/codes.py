"""Every diagnostic code: its name, its severity, and one line that says what it is about."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Code(Struct, frozen=True):
    name: str
    severity: Literal["error", "warning", "info"]
    summary: str


def _error(name: str, summary: str) -> Code:
    return Code(name, "error", summary)


def _warning(name: str, summary: str) -> Code:
    return Code(name, "warning", summary)


def _info(name: str, summary: str) -> Code:
    return Code(name, "info", summary)


CODES: dict[str, Code] = {
    # the file
    "E0001": _error("newer-edition", "the file needs a newer edition of the language"),
    "E0002": _error("missing-edition", "the first line must be `dpipe 1`"),
    "E0003": _error("not-utf8", "the file is not UTF-8 text"),
    "E0004": _error("unreadable-file", "the file cannot be read"),
    # syntax
    "E0100": _error("stray-character", "a character that no token starts with"),
    "E0101": _error("unterminated-string", "a string that does not end"),
    "E0102": _error("single-quotes", "strings use double quotes"),
    "E0103": _error("foreign-operator", "an operator of another language"),
    "E0104": _error("unclosed-bracket", "a bracket that is never closed"),
    "E0105": _error("unexpected-end", "a declaration that ends too early"),
    "E0106": _error("equals-argument", "named arguments use `:`"),
    "E0107": _error("equals-in-expression", "`=` where a comparison is meant"),
    "E0108": _error("stray-colon", "a `:` where none belongs"),
    "E0109": _error("missing-comma", "two things with no `,` between them"),
    "E0110": _error("mismatched-bracket", "a closing bracket of the wrong kind"),
    "E0111": _error("unmatched-bracket", "a closing bracket with no opening one"),
    "E0112": _error("keyword-name", "a keyword used as a name"),
    "E0113": _error("unexpected-token", "something that cannot stand here"),
    "E0114": _error("not-a-declaration", "a line that starts no declaration"),
    "E0115": _error("column-one", "only declarations start in column 1"),
    "E0116": _error("missing-colon", "a key or field without its `:`"),
    "E0117": _error("missing-pipe", "a stage without its `|`"),
    "E0118": _error("bad-dedent", "a line indented less than the closing quotes"),
    "E0119": _error("too-deep", "nested too deep, or a type too large"),
    "E0120": _error("bad-escape", "a backslash that starts no escape"),
    "E0121": _error("chained-comparison", "comparisons do not chain"),
    "E0122": _error("long-string-layout", "the quotes of a long string do not stand alone"),
    "E0123": _error("bad-number", "a number that is none"),
    "E0124": _error("method-call", "a method of another language; functions take their value"),
    "E0125": _error("null-type", "`null` in a type; write `T?`"),
    "E0126": _error("lambda-parameters", "a lambda takes one value"),
    "E0127": _error("bare-if", "an `if` inside an operator without parentheses"),
    # names
    "E0201": _error("unknown-name", "a name that nothing declares"),
    "E0202": _error("unknown-module", "an import of a file or module that is not there"),
    "E0203": _error("duplicate", "two declarations of one name"),
    "E0204": _error("unknown-reader", "a source's reader that does not exist"),
    "E0205": _error("unknown-type", "a type that nothing declares"),
    "E0206": _error("duplicate-field", "two fields of one name"),
    "E0207": _error("unknown-head", "a flow that begins with a call of something else"),
    "E0208": _error("not-a-flow", "a flow that begins with something else"),
    "E0209": _error("cycle", "a declaration that depends on itself"),
    "E0211": _error("unknown-function", "a function that does not exist"),
    "E0212": _error("import-cycle", "files that import each other"),
    "E0213": _error("private-name", "a name that is private to its file"),
    "E0215": _error("not-importable", "sinks and tests belong to their file"),
    # types and rows
    "E0301": _error("untyped-source", "a source whose row is not declared"),
    "E0302": _error("field-clash", "a stage that would overwrite a field"),
    "E0303": _error("type-mismatch", "a value of another type than is needed"),
    "E0304": _error("declared-mismatch", "what is given is not what is declared"),
    "E0305": _error("empty-range", "a range that holds nothing"),
    "E0306": _error("unknown-field", "a field that the row does not have"),
    "E0307": _error("needs-lambda", "a value where a function is needed"),
    "E0308": _error("field-outside-stage", "a field, or `pick`, where no row is seen"),
    "E0309": _error("may-be-null", "a value that may be null where one is needed"),
    "E0310": _error("not-a-member", "a text that the enum does not have"),
    "E0311": _error("argument-count", "too many arguments, or too few"),
    "E0312": _error("recursive-type", "a type that contains itself without an end"),
    "E0313": _error("recursive-def", "a function that calls itself"),
    "E0314": _error("aggregate-here", "an aggregate outside `group` and `report`"),
    "E0315": _error("concat-mismatch", "a field of two types in a concat"),
    # prompts
    "E0401": _error("unknown-placeholder", "a placeholder that is no parameter"),
    "E0402": _error("unknown-section", "a section that prompts do not have"),
    "E0403": _error("placeholder-field", "a placeholder's field that is not there"),
    "E0404": _error("unknown-prompt", "a prompt that nothing declares"),
    "E0405": _error("unknown-parameter", "an argument that the prompt does not take"),
    "E0406": _error("unbound-parameter", "a parameter that nothing gives"),
    "E0407": _error("parameter-type", "a parameter that is given another type"),
    "E0408": _error("needs-as", "a stage that does not say which field it writes"),
    "E0409": _error("prompt-in-expression", "a prompt called inside an expression"),
    "E0410": _error("raw-mix", "`raw:` beside other sections"),
    "E0411": _error("no-message", "a prompt that asks nothing"),
    "E0412": _error("unschemable", "a result that no model can give"),
    # stages
    "E0501": _error("pipe-needs-flow", "a pipe whose first parameter takes no rows"),
    "E0502": _error("stage-not-call", "a stage without its arguments"),
    "E0504": _error("reader-in-flow", "a reader where a flow or stage belongs"),
    "E0505": _error("unknown-writer", "a writer that does not exist"),
    "E0506": _error("unknown-argument", "an argument that is not taken"),
    "E0507": _error("missing-argument", "an argument that is needed"),
    "E0508": _error("needs-field", "something else where a field's name belongs"),
    "E0509": _error("split-sum", "shares that do not sum to 1"),
    "E0510": _error("same-path", "two sinks that write one file"),
    "E0511": _error("loop-row", "a loop whose pipe gives back another row"),
    "E0512": _error("not-a-stage", "something declared that is no stage"),
    "E0513": _error("unknown-stage", "a stage that does not exist"),
    "E0514": _error("pipe-row", "rows that a pipe does not take"),
    "E0515": _error("pipe-instance", "something else where a pipe is needed"),
    "E0516": _error("writer-not-last", "a writer inside a flow"),
    "E0517": _error("bad-option", "an option that the stage does not have"),
    "E0518": _error("dead-sink", "a sink that no row can reach"),
    # models and secrets
    "E0601": _error("literal-key", "a key that stands in the program"),
    "E0602": _error("vote-needs-on", "a vote on records that does not say what to compare"),
    "E0603": _error("unreachable-votes", "a quorum that can never be reached"),
    "E0604": _error("unknown-model", "a model that nothing declares"),
    "E0605": _error("wrong-model-kind", "an embedder that is asked, or a model that embeds"),
    "E0606": _error("raw-needs-completions", "a raw prompt for an endpoint that only chats"),
    "E0607": _error("secret-escapes", "a secret where it could be read"),
    "E0608": _error("cascade-order", "a model that stands in a cascade twice"),
    "E0609": _error("bad-url", "a URL that is none"),
    # Python
    "E0701": _error("no-file", "Python that is not there"),
    "E0702": _error("no-function", "a function that the Python file does not have"),
    "E0703": _error("parameter-mismatch", "other parameters than the function takes"),
    "E0704": _error("annotation-mismatch", "another type than the function says"),
    "E0705": _warning("not-static", "Python that cannot be checked without running it"),
    # tests
    "E0801": _error("unknown-source-in-given", "a test that gives a source that is not there"),
    "E0802": _error("given-row-type", "rows of a test that do not fit the source"),
    "E0803": _error("answer-type", "an answer that does not fit the prompt's result"),
    "E0804": _error("uncovered-prompt", "a test without an answer for a prompt that it asks"),
    "E0805": _error("bad-test", "a test that does not say what it should"),
    "E0806": _error("missing-given", "a test without the rows of a source that it needs"),
    # when a run starts
    "P0001": _error("file-missing", "a source's file that is not there"),
    "P0002": _error("no-match", "a source's pattern that matches no file"),
    "P0003": _error("env-missing", "an environment variable that is not set"),
    "P0004": _error("endpoint-unreachable", "a model's endpoint that nobody answers at"),
    "P0005": _error("model-not-listed", "a model that its endpoint does not have"),
    "P0006": _error("row-mismatch", "a source's file without a field that its rows must have"),
    "P0009": _error("param-missing", "a param without a value, or with one that does not fit"),
    # lints
    "W0201": _warning("unused-declaration", "a declaration that nothing uses"),
    "W0202": _warning("unused-import", "an import that nothing uses"),
    "W0203": _warning("unused-param", "a param that nothing uses"),
    "W0204": _warning("shadowed-builtin", "a `def` that hides a built-in function"),
    "W0301": _warning("always-true-or-false", "a test that always comes out alike"),
    "W0302": _warning("unused-field", "an answer, or a part of it, that nothing reads"),
    "W0303": _warning("field-changes-type", "a `set` that gives a field another type"),
    "W0304": _warning("redundant-null-test", "a test for null of what never is"),
    "W0401": _warning("unused-parameter", "a prompt's parameter that it never uses"),
    "W0402": _warning("score-before-reason", "a score that is given before its reason"),
    "W0403": _info("vague-range", "a scale too fine for a model"),
    "W0404": _info("no-description", "a score that does not say what it measures"),
    "W0405": _warning("placeholder-in-system", "a row's own words in `system:`"),
    "W0406": _warning("undelimited-data", "a whole text among the words of a prompt"),
    "W0407": _warning("near-placeholder", "what is nearly a placeholder is literal text"),
    "W0408": _warning("loose-result", "an answer that may be any JSON"),
    "W0501": _warning("ask-before-filter", "a filter that could stand before the `ask`"),
    "W0502": _warning("no-dedup", "many rows out of one answer or question, without a `dedup`"),
    "W0503": _warning("split-leak", "a split that tears pieces of one document apart"),
    "W0505": _warning("order-sensitive-dedup", "a `dedup` that does not keep the best"),
    "W0506": _warning("judge-is-author", "a model that judges what it wrote"),
    "W0507": _warning("even-panel", "a vote that can tie and does not say what then"),
    "W0508": _warning("same-family-panel", "judges that are all one model"),
    "W0509": _warning("cascade-no-gain", "a cascade whose first model is no cheaper"),
    "W0510": _warning("greedy-rollouts", "several answers at temperature 0"),
    "W0511": _warning("unbounded-loop-growth", "a loop whose rounds make ever more rows"),
    "W0601": _info("no-concurrency", "a model that does not say how many calls at a time"),
    "W0602": _warning("http-key", "a key that is sent unencrypted"),
    "W0902": _warning("unused-allow", "an `allow` that suppresses nothing"),
    "W0903": _warning("bad-allow", "an `allow` that cannot be one"),
}
