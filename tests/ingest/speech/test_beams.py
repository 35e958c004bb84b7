"""Beam search, against that of transformers, with a tiny random Whisper that ends its windows at different lengths."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from ingest.speech.beams import BEAMS, beam_search
from tests.ingest import media_samples

WINDOWS = 6
MOST = 30  # tokens of a window
EARLY = 19.0  # added to the logit of the end: all windows are shorter than MOST
LATE = 17.0  # some are


def whisper(folder: Path, end: float = 0.0, suppressed: Sequence[int] = ()) -> Any:
    """A Whisper whose end has a bias. Its first timestamps and its letters are uncertain, so beams matter."""
    model: Any = transformers.WhisperForConditionalGeneration.from_pretrained(media_samples.tiny_whisper(folder))
    model.model.decoder.layer_norm.weight.data.fill_(1.5)
    config = model.generation_config
    config.max_initial_timestamp_index, config.suppress_tokens = 50, list(suppressed) or None
    plain = model.proj_out
    model.proj_out = torch.nn.Linear(plain.in_features, plain.out_features)
    model.proj_out.weight.data = plain.weight.data
    model.proj_out.bias.data.zero_()[config.eos_token_id] = end
    return model.train(False)


def states(windows: int = WINDOWS) -> torch.Tensor:
    return torch.randn(windows, 100, 32, generator=torch.Generator().manual_seed(1))


def prompts(model: Any, windows: int = WINDOWS) -> torch.Tensor:
    config = model.generation_config
    prompt = [config.decoder_start_token_id, config.lang_to_id["<|en|>"], config.task_to_id["transcribe"]]
    return torch.tensor([prompt] * windows)


def generate(model: Any, beams: int) -> list[tuple[list[int], float]]:
    """The tokens and the score of each window by the beam search of transformers."""
    out = model.generate(
        encoder_outputs=transformers.modeling_outputs.BaseModelOutput(last_hidden_state=states()),
        return_timestamps=True,
        force_unique_generate_call=True,
        language="en",
        task="transcribe",
        num_beams=beams,
        max_new_tokens=MOST,
        return_dict_in_generate=True,
        output_scores=True,
    )
    end = model.generation_config.eos_token_id
    rows = [row[3:] if row[:3] == prompts(model)[0].tolist() else row for row in out.sequences.tolist()]
    texts = [row[: row.index(end)] if end in row else row for row in rows]
    return list(zip(texts, out.sequences_scores.tolist() if beams > 1 else [0.0] * len(texts), strict=True))


@pytest.mark.parametrize("end", [EARLY, LATE, 0.0])
def test_the_tokens_and_scores_are_those_of_transformers(tmp_path: Path, end: float) -> None:
    model = whisper(tmp_path, end)
    found, expected = beam_search(model, states(), prompts(model), MOST), generate(model, BEAMS)
    assert [one.tokens for one in found] == [tokens for tokens, _ in expected]
    assert [one.score for one in found] == pytest.approx([score for _, score in expected], abs=1e-4)
    lengths = {len(one.tokens) for one in found}
    assert {EARLY: max(lengths) < MOST, LATE: MOST in lengths, 0.0: True}[end]
    assert len(lengths) > 1 or end == 0.0


def test_suppressed_tokens_are_never_written(tmp_path: Path) -> None:
    letters = range(0, 26, 2)
    free, limited = whisper(tmp_path / "free", EARLY), whisper(tmp_path / "limited", EARLY, letters)
    assert any(set(one.tokens) & set(letters) for one in beam_search(free, states(), prompts(free), MOST))
    found = beam_search(limited, states(), prompts(limited), MOST)
    assert not any(set(one.tokens) & set(letters) for one in found)
    assert [one.tokens for one in found] == [tokens for tokens, _ in generate(limited, BEAMS)]


def test_a_window_has_the_same_words_alone_and_in_a_batch(tmp_path: Path) -> None:
    model = whisper(tmp_path, LATE)
    together = beam_search(model, states(), prompts(model), MOST)
    for number, one in enumerate(together):
        [alone] = beam_search(model, states()[number : number + 1], prompts(model, 1), MOST)
        assert alone.tokens == one.tokens
        assert alone.logprobs == pytest.approx(one.logprobs, abs=1e-4)


def test_beams_find_texts_that_greedy_decoding_misses(tmp_path: Path) -> None:
    model = whisper(tmp_path)
    found, greedy = beam_search(model, states(), prompts(model), MOST), generate(model, 1)
    assert sum(one.tokens != tokens for one, (tokens, _) in zip(found, greedy, strict=True)) > WINDOWS // 2


def test_each_token_has_its_log_probability_among_those_allowed(tmp_path: Path) -> None:
    model = whisper(tmp_path, EARLY)
    for one in beam_search(model, states(), prompts(model), MOST):
        assert len(one.logprobs) == len(one.tokens)
        assert all(logprob <= 1e-5 for logprob in one.logprobs)
        assert one.score < sum(one.logprobs) / len(one.logprobs)  # the score has the probability that rules take away
