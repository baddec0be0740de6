"""The training of the embedded models: tokenizer, prompts, packing, the batched forward pass and the shipped files."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch  # noqa: E402
from PIL import Image  # noqa: E402

from mmeval.tasks.synthetic import TASKS, generate  # noqa: E402
from mmeval.tasks.synthetic.scenes import COLOR_NAMES  # noqa: E402
from scripts.train_tiny.architecture import ARCHITECTURES, build_model  # noqa: E402
from scripts.train_tiny.batches import (  # noqa: E402
    CLIP_EVERY,
    STILL_BATCH,
    TRAINING_SEED,
    BatchShape,
    BatchStream,
    assemble,
)
from scripts.train_tiny.evaluate import (  # noqa: E402
    Answerer,
    Condition,
    detection_f1,
    load_image_processor,
    score,
)
from scripts.train_tiny.export import save_checkpoint  # noqa: E402
from scripts.train_tiny.forward import BatchedModel  # noqa: E402
from scripts.train_tiny.losses import Objective, patches_of, to_tensors  # noqa: E402
from scripts.train_tiny.optimizer import orthogonalise  # noqa: E402
from scripts.train_tiny.packing import Encoder, Packer, Row  # noqa: E402
from scripts.train_tiny.pictures import CELL, make_picture, processed_size, resize  # noqa: E402
from scripts.train_tiny.prompts import LETTERS, default_turn, varied_turn  # noqa: E402
from scripts.train_tiny.questions import coordinate, derived_questions, own_question  # noqa: E402
from scripts.train_tiny.tokenizer import SPECIAL_TOKENS, train_tokenizer  # noqa: E402
from scripts.train_tiny.transplant import transplanted  # noqa: E402

TEXTS = ["How many red circles are there?\nAnswer with a number.", "[120, 340, 250, 470]", "user\n", "assistant\n"]
CHECKPOINTS = ROOT / "mmeval" / "checkpoints"
SHIPPED = ("tiny", "tiny-early", "tiny-qwen2")


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS * 50)


@pytest.fixture(scope="module")
def encoder(tokenizer):
    return Encoder(tokenizer)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request, tokenizer):
    return build_model(request.param, tokenizer, seed=1).eval()


@pytest.fixture(scope="module")
def checkpoint(model, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp(model.config.model_type)
    save_checkpoint(model, tokenizer, folder)
    return folder


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=40))
def test_tokenizer_gives_every_text_back(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False)
    if not any(token in text for token in SPECIAL_TOKENS):
        assert tokenizer.decode(ids) == text


def test_digits_are_single_tokens(encoder):
    tokens = [encoder.decode([i]) for i in encoder("[120, 340], [5]")]
    assert [t for t in tokens if any(c.isdigit() for c in t)] == list("1203405")


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(288, 288, (96, 96)), (288, 384, (80, 112)), (192, 192, (96, 96)), (96, 96, (96, 96)), (40, 40, (96, 96))],
)
def test_processed_size_equals_the_processor(checkpoint, height, width, expected):
    assert processed_size(height, width) == expected
    pixels = load_image_processor(str(checkpoint))(images=[np.zeros((height, width, 3), np.uint8)])
    assert tuple(8 * side for side in pixels["image_grid_thw"][0, 1:]) == expected


@pytest.mark.parametrize("task", TASKS)
def test_own_answer_scores_full_marks(task):
    for index in range(3):
        item = generate(task, seed=TRAINING_SEED, index=index)
        turn = default_turn(own_question(task, item))
        assert score(task, item, turn.reply) == 1.0
        assert score(task, item, "") == 0.0


@pytest.mark.parametrize("task", ["spatial", "chart", "point", "count"])
def test_derived_questions_are_true(task):
    rng = random.Random(0)
    asked = 0
    for index in range(12):
        item = generate(task, seed=TRAINING_SEED, index=index)
        size = (item.images[0].shape[1], item.images[0].shape[0])
        for question in derived_questions(item.objects, size, 8, rng):
            asked += 1
            if question.choices is not None:
                assert question.choices[LETTERS.index(question.letter)] == question.answer
            if question.task in ("derived-point", "derived-box"):
                thing = max((o for o in item.objects if o.name in question.text), key=lambda o: len(o.name))
                values = json.loads(question.answer)
                box = [v * 1000 / size[i % 2] for i, v in enumerate(thing.box)]
                if question.task == "derived-point":
                    assert box[0] <= values[0] <= box[2]
                    assert box[1] <= values[1] <= box[3]
                else:
                    assert np.abs(np.array(values) - box).max() <= 5.001
    assert asked > 20


def test_coordinates_stay_on_the_scale():
    assert [coordinate(v, 288) for v in (-3, 0, 144, 287.9, 300)] == [0, 0, 500, 1000, 1000]


def test_half_of_the_prompts_are_the_default():
    item = generate("spatial", seed=TRAINING_SEED, index=0)
    question = own_question("spatial", item)
    rng = random.Random(0)
    share = np.mean([varied_turn(question, rng) == default_turn(question) for _ in range(400)])
    assert 0.45 < share < 0.56


def test_dense_truth_names_the_object_in_each_cell():
    item = generate("attribute", seed=TRAINING_SEED, index=4)
    picture = make_picture("attribute", TRAINING_SEED, 4, 2, random.Random(0))
    for thing in item.objects:
        x, y = (thing.box[0] + thing.box[2]) / 2, (thing.box[1] + thing.box[3]) / 2
        token = int(y / 3 // CELL) * 6 + int(x / 3 // CELL)
        assert picture.truth.color[token] == COLOR_NAMES.index(thing.attributes["color"])
        assert np.allclose(picture.truth.box[token] * 288, thing.box, atol=0.1)


def transformers_logits(model, batch):
    """The library's own forward pass for a batch of one row."""
    pixels = torch.cat(batch.patches).view(-1, 3, 1, 64).expand(-1, 3, 2, 64).reshape(-1, 384)
    grids = [[1, *g] for g, p in zip(batch.grids, batch.patches, strict=True) for _ in range(len(p))]
    return model(
        input_ids=batch.ids,
        pixel_values=pixels,
        image_grid_thw=torch.tensor(grids),
        mm_token_type_ids=(batch.visual_index >= 0).int(),
    ).logits[0]


@pytest.mark.model
@pytest.mark.parametrize("task", ["spatial", "point", "order"])
@pytest.mark.parametrize("asked", [{}, {"system": "Be concise."}])
def test_batched_forward_equals_transformers(model, encoder, task, asked):
    picture = make_picture(task, TRAINING_SEED, 3, 2, random.Random(0))
    row = Packer(encoder, 512).probe(picture, **asked)
    batch = to_tensors(assemble([row], [picture], BatchShape(1, 0, len(picture.pixels), len(row.ids), 32)))
    objective = Objective(BatchedModel(model), model.config.text_config.hidden_size, bfloat16=False)
    with torch.no_grad():
        hidden, _ = objective.hidden(batch)
        own = objective.model.logits(hidden)[0]
        assert torch.allclose(own, transformers_logits(model, batch), atol=1e-4)


@pytest.mark.model
def test_branches_do_not_see_each_other(model, encoder):
    """A conversation scores the same alone and packed beside another one."""
    picture = make_picture("spatial", TRAINING_SEED, 3, 2, random.Random(0))
    other = make_picture("count", TRAINING_SEED, 8, 2, random.Random(0))
    packer = Packer(encoder, 512)
    objective = Objective(BatchedModel(model), model.config.text_config.hidden_size, bfloat16=False)

    def scores(rows, pictures, branch):
        batch = assemble(rows, pictures, BatchShape(len(rows), 0, 1, 400, 64))
        with torch.no_grad():
            hidden, _ = objective.hidden(to_tensors(batch))
        return hidden[0][torch.from_numpy(batch.rows.branch[0] == branch)]

    alone = packer.probe(picture)
    packed = Row()
    after = packer.prefix(packed, picture, None)
    packer.branch(packed, 1, default_turn(other.own), after)
    packer.blind(packed, 2, default_turn(other.own), "Be concise.")
    packer.branch(packed, 3, default_turn(picture.own), after)
    first = scores([alone], [picture], 1)
    second = scores([packed, packer.probe(other)], [picture, other], 3)
    assert torch.allclose(first, second, atol=1e-4)


def arrays(batch):
    rows = batch.rows
    return [*batch.images, rows.ids, rows.positions, rows.visual_index, rows.branch, rows.target_ids]


def test_batches_depend_on_the_seed_alone(encoder):
    def draw(seed):
        stream = BatchStream(Packer(encoder, 256), Packer(encoder, 384), seed)
        return [stream.next(0.5) for _ in range(2)]

    first, again, different = draw(3), draw(3), draw(4)
    for a, b in zip(first, again, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(arrays(a), arrays(b), strict=True))
    assert not np.array_equal(first[0].rows.ids, different[0].rows.ids)


def test_clip_batches_come_at_their_turn(encoder):
    stream = BatchStream(Packer(encoder, 256), Packer(encoder, 384), 0)
    stream._made = CLIP_EVERY - 2
    still, clip = stream.next(1.0), stream.next(1.0)
    assert still.rows.ids.shape == (STILL_BATCH.rows, STILL_BATCH.length)
    assert len(still.truths) == STILL_BATCH.rows
    assert clip.truths == ()
    assert clip.images[0].shape == (36, 96, 96, 3)


def test_targets_are_the_replies(encoder):
    stream = BatchStream(Packer(encoder, 256), Packer(encoder, 384), 0)
    rows = stream.next(0.5).rows
    flat = rows.ids.reshape(-1)
    learned = rows.target_weights > 0
    assert learned.sum() > 100
    assert np.array_equal(flat[rows.target_places[learned] + 1], rows.target_ids[learned])
    assert (rows.target_ids[learned] == encoder.turn_end).sum() >= STILL_BATCH.rows


@pytest.mark.model
def test_gradients_reach_every_parameter(model, encoder):
    stream = BatchStream(Packer(encoder, 256), Packer(encoder, 384), 0)
    objective = Objective(BatchedModel(model), model.config.text_config.hidden_size, bfloat16=False)
    language, dense = objective(to_tensors(stream.next(0.0)))
    (language + dense).backward()
    missing = [n for n, p in objective.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    objective.zero_grad()
    # A key bias shifts all scores of a query alike, so its gradient may vanish; nothing else may.
    assert [n for n in missing if "k_proj.bias" not in n] == []


def test_orthogonalise_evens_out_singular_values():
    matrices = torch.randn(3, 40, 24, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.5
    assert values.max() < 1.5


def test_detection_f1_counts_each_box_once():
    right = [[0, 0, 100, 100], [500, 500, 600, 600]]
    assert detection_f1(right, right) == 1.0
    assert detection_f1([right[0], right[0]], right) == 0.5
    assert detection_f1([], right) == 0.0


@pytest.mark.model
def test_saved_checkpoint_loads_and_answers(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["text_config"]["rope_scaling"]["mrope_section"]
    assert "preprocessor_config.json" in {p.name for p in checkpoint.iterdir()}
    items = [generate("count", seed=TRAINING_SEED, index=i) for i in range(2)]
    assert len(Answerer(str(checkpoint)).answer(items, "count", Condition("default"))) == 2


@pytest.mark.model
def test_processor_makes_the_patches_of_training(checkpoint):
    """The picture that training saw is the one that the processor makes at evaluation (bicubic)."""
    image = generate("box", seed=TRAINING_SEED, index=2).images[0]
    made = load_image_processor(str(checkpoint))(images=[Image.fromarray(image)], return_tensors="pt")
    trained = patches_of(resize(image, Image.Resampling.BICUBIC)[None])[0]
    first_frame = made["pixel_values"].view(-1, 3, 2, 64)[:, :, 0].reshape(-1, 192)
    assert torch.allclose(first_frame, trained, atol=1e-4)


@pytest.mark.model
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_checkpoint_answers_in_format(name):
    items = [generate("existence", seed=TRAINING_SEED - 1, index=i) for i in range(8)]
    replies = Answerer(str(CHECKPOINTS / name)).answer(items, "existence", Condition("default"))
    assert set(replies) <= {"yes", "no"}


@pytest.mark.model
def test_late_looks_at_the_picture():
    items = [generate("degradation", seed=TRAINING_SEED - 1, index=i) for i in range(40)]
    answerer = Answerer(str(CHECKPOINTS / "tiny"))

    def accuracy(condition):
        replies = answerer.answer(items, "degradation", condition)
        return np.mean([score("degradation", i, r) for i, r in zip(items, replies, strict=True)])

    assert accuracy(Condition("default")) > 0.6
    assert accuracy(Condition("blind", blind=True)) < 0.5


def test_choice_is_right_by_letter_or_by_text():
    item = generate("spatial", seed=TRAINING_SEED, index=0)
    right = item.choices[LETTERS.index(item.answer)]
    assert [score("spatial", item, reply) for reply in (item.answer, f"({item.answer})", right)] == [1.0] * 3
    assert score("spatial", item, next(c for c in item.choices if c != right)) == 0.0


@pytest.mark.model
def test_twin_starts_from_the_words_and_the_eyes_of_tiny(tokenizer, encoder):
    pair = []
    for arch in ARCHITECTURES:
        built = build_model(arch, tokenizer, seed=1)
        pair.append(Objective(BatchedModel(built), built.config.text_config.hidden_size, bfloat16=False))
    source, target = pair
    state = transplanted(source, target, encoder)
    given = source.model.wrapped.state_dict()
    for mine, theirs in (
        ("model.language_model.embed_tokens.weight", "model.language_model.embed_tokens.weight"),
        ("model.visual.blocks.3.mlp.fc1.weight", "model.visual.blocks.3.mlp.linear_fc1.weight"),
        ("model.visual.merger.mlp.2.weight", "model.visual.merger.linear_fc2.weight"),
    ):
        assert torch.equal(state["model.wrapped." + mine], given[theirs])
    key = "model.language_model.layers.0.self_attn.k_proj.weight"
    assert not torch.equal(state["model.wrapped." + key], given[key])  # scaled by the key norm


def test_checkpoints_stay_small():
    files = [p for name in SHIPPED for p in (CHECKPOINTS / name).rglob("*") if p.is_file()]
    assert len(files) >= 3 * 8
    assert sum(p.stat().st_size for p in files) < 30_000_000
