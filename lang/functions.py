"""The table of built-in functions: what each takes, gives and is for.

Their code is ``runtime/functions``; a test holds the two tables together.
"""

from __future__ import annotations

from collections.abc import Callable

from dpipe.lang.signatures import Arrow, Bindings, Function, Param, T, U, Var
from dpipe.lang.types import (
    BOOL,
    FLOAT,
    INT,
    JSON,
    SECRET,
    STR,
    UNKNOWN,
    Float,
    Int,
    List,
    Type,
    Union,
    fits,
    optional,
)

NUMBER = FLOAT
NUMBERS, ORDERED = Var("U", "number"), Var("U", "ordered")
TEXT_OR_LIST = Union((STR, List(UNKNOWN)))
SCALAR = Union((STR, BOOL, FLOAT, JSON))
XS = Param("xs", type=List(T), positional=True, doc="the list")


def _by(
    gives: Type, doc: str = "what to take of each element; the element itself where left out"
) -> Param:
    return Param("f", "lambda", Arrow(T, gives), required=False, positional=True, doc=doc)


def _needed(gives: Type, doc: str) -> Param:
    return Param("f", "lambda", Arrow(T, gives), positional=True, doc=doc)


def _arg(name: str, type: Type, doc: str, *, required: bool = True, const: bool = False) -> Param:
    return Param(name, "const" if const else "expr", type, required, positional=True, doc=doc)


S = _arg("s", STR, "the text")


def _number_of(name: str) -> Callable[[Bindings], Type]:
    def result(bindings: Bindings) -> Type:
        return INT if fits(bindings.get(name, UNKNOWN), INT) else FLOAT

    return result


def _plain(name: str) -> Callable[[Bindings], Type]:
    """The number type of a value without its range."""

    def result(bindings: Bindings) -> Type:
        found = bindings.get(name, UNKNOWN)
        return INT if isinstance(found, Int) else FLOAT if isinstance(found, Float) else found

    return result


def _rounded(bindings: Bindings) -> Type:
    return FLOAT if "D" in bindings else INT


_TABLE = (
    # lists
    Function(
        "map", (XS, _needed(U, "what each becomes")), List(U), "the list of what `f` makes of each"
    ),
    Function(
        "filter",
        (XS, _needed(BOOL, "which stay")),
        List(T),
        "the elements for which `f` holds, in order",
    ),
    Function("any", (XS, _by(BOOL)), BOOL, "whether one element holds; false of none"),
    Function("every", (XS, _by(BOOL)), BOOL, "whether all elements hold; true of none"),
    Function("count", (XS, _by(BOOL)), INT, "how many elements hold"),
    Function("mean", (XS, _by(NUMBER)), FLOAT, "the mean; an empty list has none"),
    Function("sum", (XS, _by(NUMBERS)), _number_of("U"), "the sum; 0 of none"),
    Function("min", (XS, _by(ORDERED)), U, "the least; an empty list has none"),
    Function("max", (XS, _by(ORDERED)), U, "the greatest; an empty list has none"),
    Function("first", (XS,), T, "the first element; an empty list has none"),
    Function("last", (XS,), T, "the last element; an empty list has none"),
    Function("pick", (XS,), T, "one element by chance, seeded by the row and the stage"),
    Function("mode", (XS, _by(U)), U, "the most frequent value, the first of equals"),
    Function(
        "max_by", (XS, _needed(ORDERED, "what to compare")), T, "the element with the greatest `f`"
    ),
    Function(
        "min_by", (XS, _needed(ORDERED, "what to compare")), T, "the element with the least `f`"
    ),
    Function(
        "sort_by",
        (XS, _needed(ORDERED, "what to sort by")),
        List(T),
        "the elements in order of `f`",
    ),
    Function("distinct", (XS,), List(T), "each element once, in order"),
    Function(
        "len",
        (_arg("x", TEXT_OR_LIST, "the list or text"),),
        Int(0, None),
        "elements of a list, characters of a text",
    ),
    Function(
        "join",
        (
            _arg("xs", List(SCALAR), "texts, numbers or booleans"),
            _arg("sep", STR, "what stands between two; nothing where left out", required=False),
        ),
        STR,
        "the elements as one text",
    ),
    # text
    Function("trim", (S,), STR, "the text without blanks at its ends"),
    Function("lower", (S,), STR, "the text in lower case"),
    Function("upper", (S,), STR, "the text in upper case"),
    Function(
        "contains", (S, _arg("part", STR, "what to look for")), BOOL, "whether `part` is in `s`"
    ),
    Function("starts_with", (S, _arg("part", STR, "the beginning")), BOOL, "whether `s` begins so"),
    Function("ends_with", (S, _arg("part", STR, "the end")), BOOL, "whether `s` ends so"),
    Function(
        "matches",
        (S, _arg("regex", STR, "a regular expression, as Python has them")),
        BOOL,
        "whether the pattern is found",
    ),
    Function(
        "extract",
        (S, _arg("regex", STR, "a regular expression, as Python has them")),
        optional(STR),
        "what the pattern's first group found, or null",
    ),
    Function(
        "replace",
        (S, _arg("part", STR, "what to replace, everywhere"), _arg("by", STR, "what to put there")),
        STR,
        "every `part` replaced",
    ),
    Function(
        "split_text",
        (S, _arg("sep", STR, "what stands between the parts")),
        List(STR),
        "the parts between `sep`s",
    ),
    Function("words", (S,), List(STR), "the words; where they are not spaced, characters"),
    # others
    Function("str", (_arg("x", SCALAR, "the value"),), STR, "the value as a text, as in a string"),
    Function(
        "int",
        (_arg("x", SCALAR, "a text that is a whole number, or a number"),),
        INT,
        "the whole number that a text or number is",
    ),
    Function(
        "float",
        (_arg("x", SCALAR, "a text that is a number, or a number"),),
        FLOAT,
        "the number that a text is",
    ),
    Function(
        "bool",
        (_arg("x", SCALAR, "`true`, `yes`, `1` and their opposites, or a number"),),
        BOOL,
        "the truth value that a text or json is",
    ),
    Function("json", (_arg("text", STR, "a JSON text"),), JSON, "the value that a JSON text is"),
    Function(
        "round",
        (
            _arg("x", NUMBER, "the number"),
            Param(
                "digits",
                type=Var("D", "whole"),
                required=False,
                positional=True,
                doc="digits behind the point; where left out none, and the result is an int",
            ),
        ),
        _rounded,
        "the nearest number with so many digits, an int where left out",
    ),
    Function(
        "abs",
        (Param("x", type=Var("T", "number"), positional=True, doc="the number"),),
        _plain("T"),
        "the number without its sign",
    ),
    Function(
        "hash",
        (_arg("x", JSON, "any value but a secret or an image"),),
        STR,
        "a short text that stands for the value",
    ),
    Function(
        "identity", (), STR, "a short text that stands for where the row comes from, in every run"
    ),
    Function(
        "cosine",
        (_arg("a", List(FLOAT), "a vector"), _arg("b", List(FLOAT), "another, as long")),
        FLOAT,
        "how alike two vectors are",
    ),
    Function(
        "env",
        (
            _arg("name", STR, "of the variable", const=True),
            _arg(
                "default",
                STR,
                "its value where it is not set; without one a run does not begin",
                required=False,
                const=True,
            ),
        ),
        STR,
        "an environment variable, read when the run starts",
    ),
    Function(
        "secret",
        (_arg("name", STR, "of the environment variable", const=True),),
        SECRET,
        "a key from the environment",
    ),
    Function(
        "same_answer",
        (_arg("a", SCALAR, "one answer"), _arg("b", SCALAR, "the other")),
        BOOL,
        "whether a grader would take both for one answer",
    ),
    Function(
        "normal_answer",
        (_arg("a", SCALAR, "the answer"),),
        STR,
        "the answer as `same_answer` compares it",
    ),
)

FUNCTIONS: dict[str, Function] = {function.name: function for function in _TABLE}
"""By name. ``zip`` takes any labels and is typed where calls are."""

OF_ROW: dict[str, str] = {
    "pick": "draw before, in a stage: `| set(drawn: …)`",
    "identity": "put it into the row before: `| set(id: identity())`",
}
"""Those that hang on which row it is, and the way out where none is seen."""

SYNONYMS: dict[str, str] = {
    "average": "mean",
    "avg": "mean",
    "includes": "contains",
    "length": "len",
    "lowercase": "lower",
    "regex": "matches",
    "size": "len",
    "strip": "trim",
    "substring": "contains",
    "to_lower": "lower",
    "to_upper": "upper",
    "unique": "distinct",
    "uppercase": "upper",
}
"""What other languages call some of them, for suggestions."""
