"""What a person says of videos on show: the one they mean is nearer to this, or not like this."""

import re

from pydantic import BaseModel, ConfigDict

from retrieval.errors import BadChoices
from scraper.links import VIDEO_ID

MAX_CHOICES = 50
_CHOICE = re.compile(rf"(-?)({VIDEO_ID})")


class Choice(BaseModel):
    """The video that a person means is nearer to this one than to others on show, or with `nearer` false, farther."""

    model_config = ConfigDict(frozen=True)

    video_id: str
    nearer: bool = True


def read_choices(value: str) -> list[Choice]:
    """Return the choices in a parameter in their order: "71,-72" is nearer to 71, then not like 72.

    The last choice of a video counts.

    Raises:
        BadChoices: one is no id, or there are more than MAX_CHOICES.
    """
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if len(parts) > MAX_CHOICES:
        raise BadChoices(f"nearer: give at most {MAX_CHOICES} videos")
    choices: dict[str, Choice] = {}
    for part in parts:
        if not (found := _CHOICE.fullmatch(part)):
            raise BadChoices(
                f"nearer: {part[:40]!r} is no id; write ID, or -ID for a video that is not like the one meant"
            )
        choices.pop(found[2], None)
        choices[found[2]] = Choice(video_id=found[2], nearer=not found[1])
    return list(choices.values())
