"""Policy files: what is accepted, and that every mistake is named with its place."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import mmeval.analysis
from mmeval.analysis.gate_policy import Policy, load_policy, policy_schema
from mmeval.core.errors import UsageError


def policy(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    return path


def rules(*lines: str, head: str = "") -> str:
    return "\n".join(["version: 1", *([head] if head else []), "rules:", *(f"  - {{{line}}}" for line in lines)])


def test_a_full_policy_is_read(tmp_path: Path) -> None:
    text = rules(
        "id: ni, task: 'spatial/*', subset: 'level=hard', kind: non_inferiority, margin: 0.02, max_flip_rate: 0.1",
        "id: nr, metric: accuracy, kind: no_regression, min_effect: 0.01, informational: true",
        "id: cut, metric: truncation_rate, kind: ceiling, value: 0.01",
        head="defaults: {alpha: 0.01, on_inconclusive: fail, missing_items: intersect, cluster: none}",
    )
    text += "\nwaivers:\n  - {rule: ni, until: 2026-12-01, reason: known, by: alice}\n"
    found = load_policy(policy(tmp_path, text))
    assert [rule.id for rule in found.rules] == ["ni", "nr", "cut"]
    assert found.defaults.alpha == 0.01
    assert found.defaults.correction == "holm"
    assert found.waivers[0].until.isoformat() == "2026-12-01"
    assert (found.rules[1].tolerance, found.rules[1].harm) == (0.01, 0.01)
    assert (found.rules[0].tolerance, found.rules[0].harm) == (0.02, 0.02)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rules("id: a, kind: floor, value: 0.5", head="defualts: {}"), "did you mean defaults"),
        (rules("id: a, kind: non_inferiority, margn: 0.02"), "rule 'a'.margn: unknown key (did you mean margin"),
        (rules("id: a, kind: floor, value: 0.5", head="defaults: {alpha: 0.7}"), "defaults.alpha"),
        (rules("id: a, kind: non_inferiority"), "needs `margin`"),
        (rules("id: a, kind: no_regression"), "needs `min_effect`"),
        (rules("id: a, kind: no_regression, min_effect: 0"), "needs `min_effect`"),
        (rules("id: a, kind: floor"), "needs `value`"),
        (rules("id: a, kind: floor, value: 0.5, margin: 0.1"), "has no `margin`"),
        (rules("id: a, kind: equivalence, margin: 0.1, direction: lower"), "has no `direction`"),
        (rules("id: a, kind: no_regression, margin: .nan"), "margin"),
        (rules("id: a, kind: no_regression, margin: -0.1"), "margin"),
        (rules("id: a, kind: no_regression, margin: 0.1, metric: acuracy"), "did you mean accuracy"),
        (rules("id: a, kind: no_regression, margin: 0.1, metric: flip_rate"), "use kind ceiling"),
        (rules("id: a, kind: no_regression, margin: 0.1, subset: hard"), "subset"),
        (rules("id: a, kind: sideways, margin: 0.1"), "kind"),
        (rules("id: a, kind: floor, value: 0.5", "id: a, kind: floor, value: 0.6"), "two rules have the id 'a'"),
        (
            rules("id: a, kind: equivalence, margin: 0.1, max_flip_rate: 0.1", "id: a/flips, kind: floor, value: 0.6"),
            "two rules have the id",
        ),
        ("version: 1\nversion: 1\nrules: []", "line 2: key 'version' stands in line 1 too"),
        (rules("id: a, kind: floor, value: 0.5, value: 0.6"), "line 3: key 'value' stands in line 3 too"),
        ("version: 2\nrules: [{id: a, kind: floor, value: 0.5}]", "version"),
        ("rules: [{id: a, kind: floor, value: 0.5}]", "version: Field required"),
        ("version: 1\nrules: []", "rules"),
        (
            rules("id: a, kind: floor, value: 0.5") + "\nwaivers: [{rule: b, until: 2026-12-01, reason: x, by: y}]",
            "unknown rule",
        ),
        (rules("id: a, kind: floor, value: 0.5") + "\nwaivers: [{rule: a, until: soon, reason: x, by: y}]", "until"),
        (
            rules("id: a, kind: floor, value: 0.5") + "\nwaivers: [{rule: a, until: 2026-13-45, reason: x, by: y}]",
            "gate.yaml",
        ),
        ("- a", "a policy is a mapping"),
        ("", "a policy is a mapping"),
        ("a: [", "not valid YAML"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
        ("[" * 5000, "not valid YAML"),
        ("#" * (2**20 + 1), "larger than 1 MiB"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_policy(policy(tmp_path, text))
    assert said in str(caught.value)
    assert "gate.yaml" in str(caught.value)
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml"):
        load_policy(tmp_path / "nowhere.yaml")


def test_the_published_schema_is_current() -> None:
    stored = Path(str(mmeval.analysis.__file__)).with_name("gate.schema.json").read_bytes()
    assert orjson.loads(stored) == policy_schema()
    assert policy_schema()["additionalProperties"] is False
    assert set(policy_schema()["properties"]) == set(Policy.model_fields)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["id", "kind", "rules", "version", "x"]), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_any_data_is_accepted_or_refused_cleanly(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    path = tmp_path_factory.mktemp("policy") / "gate.yaml"
    path.write_text(yaml.safe_dump(data))
    try:
        found = load_policy(path)
    except UsageError:
        return
    assert found.rules


def test_policies_do_not_change() -> None:
    found = Policy.model_validate({"version": 1, "rules": [{"id": "a", "kind": "floor", "value": 0.5}]})
    with pytest.raises(ValidationError):
        found.rules[0].value = 0.1


DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str) -> list[str]:
    return [part.partition("```")[0] for part in (DOCS / page).read_text().split("```yaml\n")[1:]]


def test_the_example_in_the_docs_is_a_policy(tmp_path: Path) -> None:
    (example,) = blocks("gate.md")
    assert len(load_policy(policy(tmp_path, example)).rules) == 6


def test_the_ready_jobs_are_yaml() -> None:
    workflow, pipeline = (yaml.safe_load(text) for text in blocks("ci.md"))
    steps = workflow["jobs"]["gate"]["steps"]
    assert [step["run"] for step in steps if "mmeval gate --baseline" in step.get("run", "")][-1].endswith("--out gate")
    assert pipeline["gate"]["artifacts"]["reports"]["junit"] == "gate/junit.xml"
    assert pipeline[".evaluate"]["retry"]["exit_codes"] == [6]
