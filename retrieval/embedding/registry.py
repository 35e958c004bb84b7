"""The embedding models that are offered by name, with what a person chooses by, and the prompts that each wants.

Any other sentence-transformers name or folder works too; its prompts are then those of its own configuration.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

KEYWORDS_ALONE = "bm25"  # in a comparison: the keyword lane by itself, with no embedding model at all

E5 = {"query": "query: ", "document": "passage: "}  # Wang et al. 2022, and the models' cards
BGE = {"query": "Represent this sentence for searching relevant passages: "}  # the bge-*-en-v1.5 cards


@dataclass(frozen=True)
class Offered:
    """A model by name. Sizes are those of its card; `tokens` is None where it reads texts of any length."""

    name: str
    kind: str  # how much it costs: "static" is a table of word vectors, the rest are transformers by size
    parameters_m: float
    dimension: int
    tokens: int | None
    languages: str
    licence: str
    prompts: Mapping[str, str] = field(default_factory=dict)  # those that the model's own configuration does not hold
    carried: bool = False  # packages on PyPI carry it (ingest/models/pins.py), so no model hub is needed
    note: str = ""

    @property
    def alias(self) -> str:
        return self.name.rpartition("/")[2]

    def describe(self) -> dict[str, object]:
        """All that is known of it, for JSON."""
        return asdict(self)


_IN_CONFIG = "its prompts stand in its own configuration"

OFFERED = (
    Offered(
        "wordllama-l2-supercat-256",
        "static",
        8,
        256,
        None,
        "English",
        "MIT",
        carried=True,
        note="made from token vectors of Llama 2, whose own terms may apply; not checked against a known original",
    ),
    Offered("minishlab/potion-base-8M", "static", 8, 256, None, "English", "MIT"),
    Offered("minishlab/potion-retrieval-32M", "static", 32, 512, None, "English", "MIT"),
    Offered("sentence-transformers/static-retrieval-mrl-en-v1", "static", 31, 1024, None, "English", "Apache-2.0"),
    Offered(
        "sentence-transformers/static-similarity-mrl-multilingual-v1",
        "static",
        108,
        1024,
        None,
        "50 languages",
        "Apache-2.0",
    ),
    Offered("sentence-transformers/paraphrase-MiniLM-L3-v2", "small", 17, 384, 128, "English", "Apache-2.0"),
    Offered(
        "sentence-transformers/all-MiniLM-L6-v2",
        "small",
        23,
        384,
        256,
        "English",
        "Apache-2.0",
        carried=True,
        note="the default",
    ),
    Offered("BAAI/bge-small-en-v1.5", "small", 33, 384, 512, "English", "MIT", BGE),
    Offered("intfloat/e5-small-v2", "small", 33, 384, 512, "English", "MIT", E5),
    Offered("thenlper/gte-small", "small", 33, 384, 512, "English", "MIT"),
    Offered(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        "small",
        118,
        384,
        128,
        "50 languages",
        "Apache-2.0",
    ),
    Offered("intfloat/multilingual-e5-small", "small", 118, 384, 512, "100 languages", "MIT", E5),
    Offered(
        "sentence-transformers/all-mpnet-base-v2",
        "base",
        109,
        768,
        384,
        "English",
        "Apache-2.0",
        carried=True,
    ),
    Offered("BAAI/bge-base-en-v1.5", "base", 109, 768, 512, "English", "MIT", BGE),
    Offered("intfloat/e5-base-v2", "base", 109, 768, 512, "English", "MIT", E5),
    Offered("thenlper/gte-base", "base", 109, 768, 512, "English", "MIT"),
    Offered("Alibaba-NLP/gte-modernbert-base", "base", 149, 768, 8192, "English", "Apache-2.0"),
    Offered("intfloat/multilingual-e5-base", "base", 278, 768, 512, "100 languages", "MIT", E5),
    Offered("Qwen/Qwen3-Embedding-0.6B", "large", 596, 1024, 32768, "100 languages", "Apache-2.0", note=_IN_CONFIG),
)


def offered(name: str) -> Offered | None:
    """The offered model of that name, alias (what stands after the slash), or folder of that alias's name; somebody
    else's model of the same alias is another."""
    known = Path(name).name if Path(name).is_dir() else full_name(name)
    return next((model for model in OFFERED if known in (model.name, model.alias)), None)


def full_name(name: str) -> str:
    """The whole name of an offered model that is asked for by its alias; any other name, and a folder, as it is."""
    known = next((model for model in OFFERED if name == model.alias), None)
    return known.name if known and not Path(name).is_dir() else name


def table() -> str:
    """All offered models as lines of text, smallest first."""
    head = f"{'model':60}{'kind':8}{'params':>8}{'dim':>6}{'tokens':>8}  {'languages':15}{'licence':12}"
    lines = [head, f"{KEYWORDS_ALONE:60}{'-':8}{'-':>8}{'-':>6}{'any':>8}  {'any':15}{'-':12} keywords alone"]
    for model in OFFERED:
        notes = [model.note] if model.note else []
        notes += [f"{kind} prompt {prompt!r}" for kind, prompt in model.prompts.items()]
        notes += ["carried by PyPI packages"] if model.carried else []
        lines.append(
            f"{model.name:60}{model.kind:8}{f'{model.parameters_m:g} M':>8}{model.dimension:>6}"
            f"{model.tokens or 'any':>8}  {model.languages:15}{model.licence:12} {'; '.join(notes)}".rstrip()
        )
    return "\n".join(lines)
