"""Settings: which place wins, and what is said about a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dpipe.runtime.errors import UsageError
from dpipe.runtime.settings import Settings, json_schema, load_settings, option_name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def loaded(root: Path, toml: str = "", environ: Any = (), **options: Any) -> Settings:
    (root / "dpipe.toml").write_text(toml)
    return load_settings(root, dict(environ), options)


def refusal(root: Path, toml: str = "", environ: Any = (), **options: Any) -> tuple[str, Any]:
    with pytest.raises(UsageError) as caught:
        loaded(root, toml, environ, **options)
    return caught.value.message.replace(f"{root}/", ""), caught.value.hint


def test_without_any_place_the_defaults_hold(root: Path) -> None:
    settings = load_settings(root, {}, {})
    assert settings == Settings()
    assert settings.seed == 0
    assert settings.max_cost is None


def test_options_win_over_environment_over_file(root: Path) -> None:
    toml = "seed = 1\nsample = 1\nmax_tokens = 1"
    settings = loaded(root, toml, {"DPIPE_SEED": "2", "DPIPE_SAMPLE": "2"}, seed=3)
    assert (settings.seed, settings.sample, settings.max_tokens) == (3, 2, 1)


def test_an_option_wins_though_it_equals_the_default(root: Path) -> None:
    assert loaded(root, "seed = 1", seed=0).seed == 0


def test_an_option_that_is_none_was_not_given(root: Path) -> None:
    assert loaded(root, "seed = 1", seed=None).seed == 1


def test_other_variables_are_left_alone(root: Path) -> None:
    assert loaded(root, environ={"HOME": "/", "DPIPE_SEED": "", "SEED": "x"}) == Settings()


def test_the_environment_is_read_as_text(root: Path) -> None:
    environ = {
        "DPIPE_MAX_COST": "2.5",
        "DPIPE_ALLOW_OUTSIDE": "true",
        "DPIPE_MAX_ERRORS": "7",
        "DPIPE_WITHIN": "90",
    }
    settings = loaded(root, environ=environ)
    assert settings.max_cost == 2.5
    assert settings.allow_outside
    assert settings.max_errors == 7
    assert settings.within == 90


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1.5h", 5400), ("1d", 86400), ("8", 8)],
)
def test_a_time_has_units(root: Path, text: str, seconds: float) -> None:
    assert loaded(root, within=text).within == seconds
    assert loaded(root, f'within = "{text}"').within == seconds


def test_errors_are_a_number_or_a_share() -> None:
    assert not Settings().too_many_errors(10, 10)
    assert not Settings(max_errors=2).too_many_errors(2, 10)
    assert Settings(max_errors=2).too_many_errors(3, 10)
    assert not Settings(max_errors="5%").too_many_errors(5, 100)
    assert Settings(max_errors="5%").too_many_errors(6, 100)


def test_python_is_trusted_by_folder_or_by_option(root: Path) -> None:
    inside, outside = root / "checks" / "a.py", root / "checks-2" / "a.py"
    settings = loaded(root, 'trust = ["checks"]')
    assert settings.trusts(root, inside)
    assert not settings.trusts(root, outside)
    assert not settings.trusts(root, root / "checks" / ".." / "a.py")
    assert loaded(root, allow_python=True).trusts(root, outside)


@pytest.mark.parametrize(
    ("toml", "message", "hint"),
    [
        (
            "# one\nsead = 1",
            "`dpipe.toml:2`: there is no setting `sead`",
            "did you mean `seed`?",
        ),
        ("quite_else = 1", "`dpipe.toml:1`: there is no setting `quite_else`", None),
        ("[run]\nseed = 1", "`dpipe.toml:1`: there is no setting `run`", None),
        ('seed = "1"', "`dpipe.toml:1`: `seed` must be a valid integer, not `1`", None),
        ("seed = true", "`dpipe.toml:1`: `seed` must be a valid integer, not `True`", None),
        (
            "sample = 0",
            "`dpipe.toml:1`: `sample` must be greater than or equal to 1, not `0`",
            None,
        ),
        ("max_cost = inf", "`dpipe.toml:1`: `max_cost` must be a finite number, not `inf`", None),
        (
            'within = "soon"',
            "`dpipe.toml:1`: `within` must be a time such as 90s, 30m or 1h30m, not `soon`",
            None,
        ),
        (
            'max_errors = "5 %"',
            "`dpipe.toml:1`: `max_errors` must be a number of rows or a share such as 5%,"
            " not `5 %`",
            None,
        ),
        ("trust = 3", "`dpipe.toml:1`: `trust` must be a list, not `3`", None),
        (
            "seed = 1\nallow_python = true",
            "`dpipe.toml:2`: a project cannot give itself `allow_python`",
            "use --allow-python or set DPIPE_ALLOW_PYTHON=true",
        ),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line(
    root: Path, toml: str, message: str, hint: str | None
) -> None:
    assert refusal(root, toml) == (message, hint)


def test_a_file_that_is_not_toml_is_told(root: Path) -> None:
    message, _ = refusal(root, "seed: 1")
    assert message.startswith("`dpipe.toml` is not TOML: ")
    assert "line 1" in message


def test_a_file_that_is_not_text_is_told(root: Path) -> None:
    (root / "dpipe.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8"):
        load_settings(root, {}, {})


def test_a_mistake_in_the_environment_names_the_variable(root: Path) -> None:
    unknown = refusal(root, environ={"DPIPE_SEAD": "1"})
    assert unknown == ("there is no setting `DPIPE_SEAD`", "did you mean `DPIPE_SEED`?")
    message, _ = refusal(root, environ={"DPIPE_SEED": "one"})
    assert message.startswith("`DPIPE_SEED` must be a valid integer")
    assert message.endswith("not `one`")
    assert refusal(root, environ={"DPIPE_TRUST": "."})[1] == "set `trust` in `dpipe.toml`"


def test_a_mistake_in_an_option_names_it_as_it_was_written(root: Path) -> None:
    assert refusal(root, sample=0)[0].startswith("`sample` must be greater")
    unknown = refusal(root, max_costs=1)
    assert unknown == ("there is no setting `max_costs`", "did you mean `max_cost`?")
    with pytest.raises(UsageError) as raised:
        load_settings(root, {}, {"max_costs": 1}, option_name)
    assert raised.value.message == "there is no setting `--max-costs`"
    assert raised.value.hint == "did you mean `--max-cost`?"


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ({"seed": 3, "within": "30m", "max_errors": "5%", "trust": ["a"]}, True),
        ({"within": 30, "max_errors": 3}, True),
        ({"within": "soon"}, False),
        ({"max_errors": "5 %"}, False),
        ({"sead": 3}, False),
        ({"allow_python": True}, False),
    ],
)
def test_the_published_schema_says_the_same(values: dict[str, Any], fits: bool) -> None:
    assert jsonschema.Draft202012Validator(json_schema()).is_valid(values) is fits
