"""Create media for the ingest tests: covers with words, videos with speech-like sound, a tiny Whisper."""

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ingest.catalog import Catalog
from ingest.media import SAMPLE_RATE
from retrieval.corpus.made_media import speech as speech
from scraper.records import Video

FPS = 10


def cover(path: Path, text: str, size: tuple[int, int] = (540, 960)) -> Path:
    """White letters on a grey picture, like a caption on a cover."""
    image = Image.new("RGB", size, (70, 80, 90))
    font = ImageFont.load_default(size=48)
    ImageDraw.Draw(image).multiline_text((40, size[1] // 3), text, "white", font, spacing=20)
    image.save(path)
    return path


def voice(seconds: float, level: float = 0.3, pitch_hz: float = 140.0) -> NDArray[np.float32]:
    """Syllables: a pitch with its harmonics, on and off four times a second."""
    time_s = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = sum(np.sin(2 * np.pi * pitch_hz * k * time_s) / k for k in range(1, 12))
    return np.asarray(level / 2 * wave * (np.sin(2 * np.pi * 4 * time_s) > 0), dtype=np.float32)


def video(
    path: Path,
    samples: NDArray[np.float32] | None,
    seconds: float = 2.0,
    pictures: list[Image.Image] | None = None,
    late: dict[float, float] | None = None,
) -> Path:
    """An mp4 or mkv (H.264, AAC) with `pictures` spread over its length, and `samples` or no audio track at all.

    What follows each second of `samples` named in `late` is put that many seconds later: a late start, gaps.
    """
    pictures = pictures or [Image.new("RGB", (160, 288), (200, 60, 60))]
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        moving = container.add_stream("libx264", rate=FPS)
        moving.width, moving.height, moving.pix_fmt = *pictures[0].size, "yuv420p"
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if samples is not None else None
        count = round(seconds * FPS)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(
                np.asarray(pictures[number * len(pictures) // count].convert("RGB")), "rgb24"
            )
            container.mux(moving.encode(frame))
        container.mux(moving.encode(None))
        if sound is not None and samples is not None:
            for start in range(0, len(samples), 1024):
                piece = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], "fltp", "mono")
                shift_s = sum(by_s for from_s, by_s in (late or {}).items() if start >= from_s * SAMPLE_RATE)
                piece.sample_rate, piece.pts = SAMPLE_RATE, start + round(shift_s * SAMPLE_RATE)
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
    return path


def sound(path: Path, samples: NDArray[np.float32], codec: str) -> Path:
    """Write an audio file in the container of the suffix."""
    with av.open(str(path), "w") as container:
        rate = 48_000 if codec == "libopus" else SAMPLE_RATE  # FFmpeg's Opus encoder does not support 16 kHz
        stream: Any = container.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(stream.format, "mono", rate, stream.frame_size or None)
        frame = av.AudioFrame.from_ndarray(samples[None], "flt", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def add(
    catalog: Catalog,
    video_id: str,
    *,
    cover: Path | bytes | None = None,
    video: Path | bytes | None = None,
    slides: tuple[Path | bytes, ...] = (),
    record: Video | None = None,
) -> str:
    """Put a record with local files into a catalog, like an import."""
    catalog.put_video(record or Video(id=video_id))
    folder = catalog.media_folder(video_id)
    files = [("cover", 0, cover), ("video", 0, video), *(("slide", n, slide) for n, slide in enumerate(slides))]
    for kind, position, content in files:
        if content is None:
            continue
        target = folder / (f"{kind}_{position}" + (".mp4" if kind == "video" else ".png"))
        target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        catalog.put_media(video_id, kind, target, "imported", position=position)  # type: ignore[arg-type]
    return video_id


def tiny_whisper(folder: Path) -> Path:
    """A Whisper with random weights that writes random letters."""
    import torch
    import transformers as hugging

    transformers: Any = hugging  # half of its constructors have no types

    names = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>"]
    names += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    names += [f"<|{tick * 0.02:.2f}|>" for tick in range(1501)]
    letters = {letter: number for number, letter in enumerate("abcdefghijklmnopqrstuvwxyzĠ")}
    tokenizer = transformers.WhisperTokenizer(vocab=letters | {names[0]: len(letters)}, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": names[1:10]})
    tokenizer.add_tokens([transformers.AddedToken(name, special=False) for name in names[10:]])
    token: dict[str, Any] = {name: tokenizer.convert_tokens_to_ids(name) for name in names}
    end = token["<|endoftext|>"]
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_target_positions=256,
        decoder_start_token_id=token["<|startoftranscript|>"],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        init_std=1.0,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    torch.manual_seed(0)
    model = transformers.WhisperForConditionalGeneration(config)
    model.model.decoder.layer_norm.weight.data *= 8  # confident, unlike plain random weights
    model.model.decoder.embed_tokens.weight.data[token["<|notimestamps|>"] :] *= (
        0.3  # letters more often than timestamps
    )
    model.generation_config = transformers.GenerationConfig(
        decoder_start_token_id=token["<|startoftranscript|>"],
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        max_length=256,
        max_initial_timestamp_index=0,  # so that even a short clip has a first segment
        no_timestamps_token_id=token["<|notimestamps|>"],
        is_multilingual=True,
        lang_to_id={name: token[name] for name in ("<|en|>", "<|de|>")},
        task_to_id={"transcribe": token["<|transcribe|>"], "translate": token["<|translate|>"]},
        return_timestamps=False,
    )
    model.save_pretrained(folder)
    transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder
