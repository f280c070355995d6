"""Title, description and tags suggested from a text."""

import re
from collections import Counter

from video_manager.media.speakable_text import Script, shorten

_DESCRIPTION_LIMIT = 300
_TAGS = 8
_COMMON_WORDS = frozenset(
    """about above after again against almost alone along already also although always among another anyone anything
    around because become been before being below between both cannot could does doing done down during each either
    else enough even ever every everything first from further gets give given goes going have having here himself
    however into itself just keep kept know known last later least less like made make makes making many maybe might
    more most much must never next nobody none nothing often once only other others otherwise over perhaps please
    quite rather really same seems several shall should show shown since some something sometimes still such take
    taken than that their them then there these they thing things this those though through together under until
    upon used using very want wants well went were what when where whether which while whole whose will with within
    without would year years your yours""".split()  # noqa: SIM905 - a list of a hundred strings would read worse
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]{3,}")


def suggest_description(script: Script) -> str:
    """The first sentences, as many as fit."""
    description = ""
    for sentence in (text for paragraph in script.paragraphs for text in paragraph):
        if len(description) + len(sentence) + 1 > _DESCRIPTION_LIMIT:
            break
        description = f"{description} {sentence}".strip()
    return description or shorten(script.paragraphs[0][0], _DESCRIPTION_LIMIT)


def suggest_tags(script: Script) -> tuple[str, ...]:
    """The words that stand out: frequent ones that are not common English; those of the title count more."""
    body = " ".join(text for paragraph in script.paragraphs for text in paragraph)
    counts = Counter(word.lower().removesuffix("'s") for word in _WORD.findall(body))
    counts.update({word.lower(): 2 for word in _WORD.findall(script.title)})
    chosen = [word for word, _ in counts.most_common(60) if word not in _COMMON_WORDS]
    singular = [word for word in chosen if not (word.endswith("s") and word[:-1] in chosen)]
    return tuple(singular[:_TAGS])
