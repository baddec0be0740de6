"""Templates that would compute for ever, or fill the memory, end at once with an error that says why."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mmeval.core import template_limits
from mmeval.core.errors import UsageError
from mmeval.core.template_limits import TemplateLimitError
from mmeval.core.templates import compile_template, environment
from mmeval.tasks.prompts import compile_expression


def rendered(text: str, **values: object) -> str:
    return compile_template(text).render(**values)


@pytest.mark.parametrize("compiled", [lambda text: compile_template(f"{{{{ {text} }}}}"), compile_expression])
def test_what_is_nested_beyond_pythons_stack_is_a_mistake(compiled: Callable[[str], object]) -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        compiled("(" * 3000 + "1" + ")" * 3000)


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the steps takes a hundredth of the time."""
    monkeypatch.setattr(template_limits, "MOST_STEPS", 10_000)


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(5000) %}{% for j in range(5000) %}{% endfor %}{% endfor %}",
        "{% for i in range(5000)|map('string') %}{% for j in range(5000)|map('string') %}{% endfor %}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% for x in range(200) recursive %}{{ loop(range(200)) }}{% endfor %}",
        "{% for i in range(200) %}{% block b scoped %}{% for j in range(200) %}{% endfor %}{% endblock %}{% endfor %}",
    ],
)
def test_loops_and_calls_are_counted(few_steps: None, text: str) -> None:
    with pytest.raises(
        TemplateLimitError, match=r"the template takes more than 10,000 steps \(rounds of loops, calls\)"
    ):
        rendered(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 9**(9**9) }}",
        "{{ 'x' * 10**9 }}",
        "{{ [0] * 10**9 }}",
        "{% set ns = namespace(x='ab') %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(40) %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}{% endfor %}",
        "{% set ns = namespace(x=3) %}{% for i in range(90) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
        "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
        "{% set ns = namespace(x=['a']) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x ~ '' }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ '{:>{}}'.format(1, 1000000000) }}",
        "{{ 'x'.center(1000000000) }}",
        "{{ 'x'|center(1000000000) }}",
        "{{ 'x\ny'|indent(1000000000) }}",
        "{{ 'x'.zfill(1000000000) }}",
        "{{ '\t'.expandtabs(1000000000) }}",
        "{{ [1]|batch(1000000000, 'x')|list }}",
        "{{ ('x' * 1000000)|replace('x', 'y' * 1000000) }}",
        "{{ ('x' * 1000000).replace('x', 'y' * 1000000) }}",
        "{{ range(100000)|join('x' * 1000000) }}",
        "{{ range(100000)|map('string')|join('x' * 1000000) }}",
        "{{ ('x' * 1000000).join(range(100000)|map('string')) }}",
        "{{ 1.5|round(1000000000, 'ceil') }}",
    ],
)
def test_what_makes_much_of_little_is_refused(text: str) -> None:
    with pytest.raises(TemplateLimitError, match="the template"):
        rendered(text)


def test_the_sandbox_has_no_text_generator() -> None:
    assert "lipsum" not in environment.globals


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% for x in xs %}{{ loop.index }}/{{ loop.length }} {{ x }}{{ ',' if not loop.last }} {% endfor %}", "1/3 a, 2/3 b, 3/3 c "),
        ("{% for x in xs if x != 'b' %}{{ x }}{% else %}none{% endfor %}", "ac"),
        ("{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "p=1;q=None;"),
        ("{{ xs|join(', ') }} {{ xs[:2] }} {{ xs|length + 1 }} {{ 'a' ~ 1 ~ none }}", "a, b, c ['a', 'b'] 4 a1None"),
        ("{{ '%05.2f|%s' % (2.5, 'x') }} {{ '{:>4}{}'.format('a', 12345678) }} {{ 123456789|round(1) }}", "02.50|x    a12345678 123456789"),
        ("{{ 2**10 }} {{ 7 % 3 }} {{ '-' * 3 }} {{ [1] + [2] }} {{ 'a b'|replace(' ', '_')|upper }}", "1024 1 --- [1, 2] A_B"),
        ("{% for i in range(3) %}{{ 'abc'[i]|indent(2, true) }}{% endfor %}{{ 'x'|center(5) }}|", "  a  b  c  x  |"),
        ("{% for x in tree recursive %}{{ x[0] }}{{ loop(x[1]) }}{% endfor %}", "ab"),
        ("{{ xs|map('upper')|join }} {{ xs|tojson }} {{ d|string|length }}", "ABC [\"a\", \"b\", \"c\"] 19"),
    ],
)  # fmt: skip
def test_what_cards_write_stays_as_it_was(text: str, said: str) -> None:
    values = {"xs": ["a", "b", "c"], "d": {"p": 1, "q": None}, "tree": [("a", [("b", [])])]}
    assert rendered(text, **values) == said
