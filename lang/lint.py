"""Lints: what is allowed and likely a mistake."""

from __future__ import annotations

from dpipe.lang.check import Checked
from dpipe.lang.diagnostics import Bag
from dpipe.lang.lints import endpoints, fields, names, order, panels, prompts, results
from dpipe.lang.lints.subject import Subject
from dpipe.lang.modules import Program

_LINTS = (
    names.unused,
    names.shadowed_builtins,
    fields.unused_fields,
    fields.changed_types,
    results.score_before_reason,
    results.vague_ranges,
    results.undescribed_scores,
    prompts.placeholders_in_system,
    prompts.undelimited_data,
    order.ask_before_filter,
    order.no_dedup,
    order.split_leak,
    order.order_sensitive_dedup,
    order.growing_loops,
    panels.judge_is_author,
    panels.even_panels,
    panels.same_family_panels,
    panels.idle_cascades,
    panels.greedy_rollouts,
    endpoints.unlimited,
    endpoints.http_keys,
)


def lint_program(program: Program, checked: Checked, bag: Bag) -> None:
    """Report what is likely a mistake, of a program without errors.

    Beside an error much looks like a mistake that is none: what is misspelt looks unused.
    """
    if bag.has_errors:
        return
    subject = Subject(program, checked, bag)
    for lint in _LINTS:
        lint(subject)
