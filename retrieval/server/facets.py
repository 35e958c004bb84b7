"""A generation -> the values that filters can take in it, with their numbers of videos."""

from ingest.language_names import name_of
from retrieval.search.searcher import Searcher
from retrieval.search.sizes import read_length
from retrieval.server.schemas import (
    CreatorFacet,
    Facets,
    LanguageFacet,
    LengthFacet,
    ListFacet,
    SourceFacet,
    YearFacet,
)

LENGTHS = ("<15s", "15s..59s", "60s..179s", ">=3m")  # ranges that are counted
MAX_CREATORS = 100  # that are listed with their numbers of videos


def facets_of(searcher: Searcher) -> Facets:
    """Return the values that filters can take in the generation of a searcher."""
    metadata = searcher.generation.metadata
    return Facets(
        vision=searcher.vision is not None,
        lists=[
            ListFacet(**vars(one), value=one.name if one.list == "collection" else one.list)
            for one in metadata.encounters.summaries
        ],
        sources=[SourceFacet(source=source, videos=videos) for source, videos in metadata.sources().most_common()],
        languages=[
            LanguageFacet(language=code, name=name_of(code), videos=videos) for code, videos in metadata.languages()
        ],
        creators=[
            CreatorFacet(creator=creator, name=name, videos=videos)
            for creator, name, videos in metadata.creators(MAX_CREATORS)
        ],
        years=[YearFacet(year=year, videos=videos) for year, videos in metadata.years()],
        lengths=[
            LengthFacet(length=length, videos=videos)
            for length in LENGTHS
            if (bounds := read_length(length))
            and (videos := int(metadata.as_long_as(bounds.low, bounds.high)[0].sum()))
        ],
    )
