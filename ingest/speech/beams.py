"""The output of Whisper's encoder -> the most likely tokens of each window, by beam search.

The words are those of transformers' `generate` with as many beams. That copies the keys and values of the encoder for
each beam, and again at each step. Here the beams of a window are positions of one sequence, so they share them. A mask
shows each beam its own past only. Windows that are done leave the batch.
"""

from dataclasses import dataclass
from typing import Any

import torch
from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

BEAMS = 5  # of OpenAI's implementation, and of the pipeline of transformers


@dataclass(frozen=True)
class Hypothesis:
    """The tokens of a window, without its end.

    Attributes:
        score: The mean log-probability, with that of the end, by which the best hypothesis is chosen.
        logprobs: The log-probability of each token among the tokens that Whisper's rules allow.
    """

    score: float
    tokens: list[int]
    logprobs: list[float]


@torch.inference_mode()
def beam_search(model: Any, states: torch.Tensor, prompts: torch.Tensor, max_tokens: int) -> list[Hypothesis]:
    """Return the best hypothesis of each window.

    Args:
        model: A WhisperForConditionalGeneration.
        states: The output of its encoder, (windows, positions, width).
        prompts: The first tokens of each window, (windows, length).
        max_tokens: How many tokens a window has at most.
    """
    beams = _Beams(model, states, prompts)
    found: list[list[Hypothesis]] = [[] for _ in prompts]  # of each window, the best first
    going = list(range(len(found)))  # the window of each row of the beams
    for length in range(1, max_tokens + 1):
        choices = beams.choices()
        for row, hypotheses in beams.ended(choices, last=length == max_tokens):
            window = going[row]
            found[window] = sorted(found[window] + hypotheses, key=lambda made: -made.score)[:BEAMS]
        beams.extend(choices)
        best = (beams.totals[:, 0] / length).tolist()
        rows = [row for row, window in enumerate(going) if _can_improve(best[row], found[window])]
        if not rows or length == max_tokens:
            break
        if len(rows) < len(going):
            beams.keep(rows)
            going = [going[row] for row in rows]
        beams.decode()
    return [hypotheses[0] for hypotheses in found]


def _can_improve(score: float, found: list[Hypothesis]) -> bool:
    """Whether to decode more of a window whose best unfinished beam has this score. A longer one may score higher."""
    return len(found) < BEAMS or score > found[-1].score


@dataclass(frozen=True)
class _Choices:
    """The best continuations of each window, (windows, 2 * BEAMS): twice as many, for all of BEAMS may be ends."""

    beam: torch.Tensor
    token: torch.Tensor
    logprob: torch.Tensor
    total: torch.Tensor

    def best(self, order: torch.Tensor) -> "_Choices":
        """Return some of them, in an order."""
        return _Choices(*(values.gather(1, order) for values in (self.beam, self.token, self.logprob, self.total)))


class _Beams:
    """The unfinished hypotheses of each window, the best first, and the decoder's cache for them.

    Attributes:
        tokens: With the prompt, (windows, beams, length).
        logprobs: Of the tokens after the prompt, (windows, beams, length).
        totals: The sum of their log-probabilities, by which they are compared, (windows, beams).
    """

    def __init__(self, model: Any, states: torch.Tensor, prompts: torch.Tensor) -> None:
        count, self._start = prompts.shape
        self._model, self._states, self._decoder = model, states, model.get_decoder()
        config = model.generation_config
        self._end: int = config.eos_token_id
        self._never = torch.tensor(config.suppress_tokens or [], dtype=torch.long, device=states.device)
        self._timestamps: Any = WhisperTimeStampLogitsProcessor(config, self._start)  # in pairs, and in order
        out = self._decoder(prompts, encoder_hidden_states=states, use_cache=True)
        self._cache, self._hidden = out.past_key_values, out.last_hidden_state[:, -1:].expand(-1, BEAMS, -1)
        self.tokens = prompts[:, None].expand(-1, BEAMS, -1)
        self.logprobs = torch.zeros(count, BEAMS, 0, device=states.device)
        self.totals = torch.full((count, BEAMS), -torch.inf, device=states.device)
        self.totals[:, 0] = 0.0  # at first all beams are the same
        self._seen = torch.ones(count, BEAMS, self._start, dtype=torch.bool, device=states.device)  # a beam's own past

    def choices(self) -> _Choices:
        """Return the best continuations of each window."""
        logprobs = self._model.proj_out(self._hidden).float().log_softmax(-1).flatten(0, 1)
        allowed = self._timestamps(self.tokens.flatten(0, 1), logprobs.index_fill_(-1, self._never, -torch.inf))
        mass = allowed.logsumexp(-1).view(len(self.tokens), BEAMS)
        best, token = allowed.view(len(self.tokens), BEAMS, -1).topk(2 * BEAMS)  # of each beam, then of each window
        total, chosen = (self.totals[..., None] + best).flatten(1).topk(2 * BEAMS)
        shares = (best - mass[..., None]).flatten(1).gather(1, chosen)
        return _Choices(chosen // (2 * BEAMS), token.flatten(1).gather(1, chosen), shares, total)

    def ended(self, choices: _Choices, last: bool) -> list[tuple[int, list[Hypothesis]]]:
        """Return the row and the hypotheses of each window of whose best BEAMS continuations some end, or all do."""
        ends = (choices.token[:, :BEAMS] == self._end) | last
        return [(row, [self._hypothesis(choices, row, n) for n in numbers]) for row, numbers in _where(ends)]

    def _hypothesis(self, choices: _Choices, row: int, number: int) -> Hypothesis:
        beam, token = int(choices.beam[row, number]), int(choices.token[row, number])
        tokens, logprobs = self.tokens[row, beam, self._start :].tolist(), self.logprobs[row, beam].tolist()
        score = float(choices.total[row, number]) / (len(tokens) + 1)
        if token == self._end:
            return Hypothesis(score, tokens, logprobs)
        return Hypothesis(score, [*tokens, token], [*logprobs, float(choices.logprob[row, number])])

    def extend(self, choices: _Choices) -> None:
        """Continue with the best BEAMS that do not end."""
        going = choices.best((choices.token == self._end).int().argsort(dim=1, stable=True)[:, :BEAMS])
        itself = torch.eye(BEAMS, dtype=torch.bool, device=self._seen.device).expand(len(self._seen), -1, -1)
        self.tokens = torch.cat([_of(self.tokens, going.beam), going.token[..., None]], -1)
        self.logprobs = torch.cat([_of(self.logprobs, going.beam), going.logprob[..., None]], -1)
        self.totals = going.total
        self._seen = torch.cat([_of(self._seen, going.beam), itself], -1)

    def keep(self, rows: list[int]) -> None:
        """Drop the other windows."""
        kept = torch.tensor(rows, device=self.tokens.device)
        self._cache.batch_select_indices(kept)
        self._states, self._seen = self._states[kept], self._seen[kept]
        self.tokens, self.logprobs, self.totals = self.tokens[kept], self.logprobs[kept], self.totals[kept]

    def decode(self) -> None:
        """Run the decoder on the last token of each beam."""
        dtype = self._states.dtype
        mask = torch.zeros(self._seen.shape, dtype=dtype, device=self._seen.device)
        self._hidden = self._decoder(
            self.tokens[..., -1],
            attention_mask=mask.masked_fill(~self._seen, torch.finfo(dtype).min)[:, None],
            encoder_hidden_states=self._states,
            past_key_values=self._cache,
            position_ids=torch.full_like(self.tokens[..., -1], self.tokens.shape[-1] - 1),
            use_cache=True,
        ).last_hidden_state


def _where(marked: torch.Tensor) -> list[tuple[int, list[int]]]:
    """The rows of which something is marked, each with its numbers."""
    rows = ((row, [number for number, mark in enumerate(marks) if mark]) for row, marks in enumerate(marked.tolist()))
    return [(row, numbers) for row, numbers in rows if numbers]


def _of(values: torch.Tensor, beam: torch.Tensor) -> torch.Tensor:
    """The values (windows, beams, length) of the beams that are continued."""
    return values.gather(1, beam[..., None].expand(-1, -1, values.shape[-1]))
