"""The placeholders of a scraper's command (docs/scrapers.md): text -> arguments with holes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from recon.core.invalid import InvalidValueError, did_you_mean

#: What every task says of itself.
FIELDS = (
    "id", "source", "data_type", "scraper", "reason", "priority", "lake", "pattern", "first_seen_at",
)  # fmt: skip
#: Files of one run: what it is for, and what it may say of it.
FILES = ("keys_file", "result_file")
#: Worked out for a run.
DAYS_BACK = "days_back"
#: Lists that stand alone, and families of lists.
LISTS = ("keys", "args")
FAMILIES = ("items", "map")

_SCHEMES = ("http://", "https://")
_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?")
_JOIN = re.compile(r"(?:(.*):)?join\((.*)\)", re.DOTALL)
_FORM = re.compile(r"|start_year|end_year|.*%.*|0?\d*d", re.DOTALL)
#: Programs that read an argument as their own language, and the flags that say so.
_INTERPRETERS = {
    **dict.fromkeys(("sh", "bash", "dash", "zsh", "ksh"), re.compile(r"-[a-z]*c")),
    **dict.fromkeys(("python", "python3"), re.compile(r"-c")),
    **dict.fromkeys(("node", "perl", "ruby"), re.compile(r"-e")),
}


@dataclass(frozen=True, slots=True)
class Hole:
    """One placeholder: ``{name}``, ``{name:form}``, ``{name:join(,)}`` or ``{name...}``.

    ``glue`` is what ``join`` puts between the values of a list; ``spread`` makes each an argument of its own.
    """

    name: str
    form: str = ""
    glue: str | None = None
    spread: bool = False

    @property
    def family(self) -> str:
        """Return ``items`` or ``map`` where the name is one of theirs, else ''."""
        return self.name.partition(".")[0] if "." in self.name else ""

    @property
    def member(self) -> str:
        """Return the name without its family."""
        return self.name.rpartition(".")[2]

    @property
    def is_list(self) -> bool:
        """Tell whether the name stands for several values."""
        return bool(self.family) or self.name in LISTS

    def __str__(self) -> str:
        """Return the placeholder as it is written, without its format."""
        return f"{{{self.name}}}"


#: Literal text and holes, in order.
Argument = tuple[str | Hole, ...]


def parse_command(texts: Sequence[str]) -> tuple[Argument, ...]:
    """Return a command's arguments.

    Raises:
        InvalidValueError: With the number of the argument that cannot be used.
    """
    arguments = []
    for number, text in enumerate(texts):
        try:
            arguments.append(parse_argument(text))
        except InvalidValueError as error:
            raise error.under(number) from error
    if not texts or any(holes(arguments[:1])) or not texts[0]:
        raise InvalidValueError("a command begins with the program to run, without placeholders", (0,))
    _refuse_code(texts, arguments)
    return tuple(arguments)


def parse_argument(text: str) -> Argument:
    """Return one argument's parts; ``{{`` and ``}}`` stand for braces."""
    if "\0" in text:
        raise InvalidValueError("an argument cannot hold a NUL character")
    parts: list[str | Hole] = []
    at = 0
    for found in _PIECE.finditer(text):
        parts.append(text[at : found.start()])
        at = found.end()
        if found[1] is not None:
            parts.append(_hole(found[1]))
        elif found[0] in {"{{", "}}"}:
            parts.append(found[0][0])
        else:
            raise InvalidValueError(f"a lone '{found[0]}'; write {found[0] * 2} for the character itself")
    parts.append(text[at:])
    if sum(isinstance(part, Hole) and part.spread for part in parts) > 1:
        raise InvalidValueError("two lists cannot be spread over one argument; give each an argument")
    return tuple(part for part in parts if part != "")


def holes(arguments: Sequence[Argument]) -> Iterator[Hole]:
    """Yield the placeholders of a command, in order."""
    for argument in arguments:
        yield from (part for part in argument if isinstance(part, Hole))


def _hole(body: str) -> Hole:
    spread = body.endswith("...")
    name, _, form = body.removesuffix("...").partition(":")
    glue = None
    joined = _JOIN.fullmatch(form)
    if joined:
        form, glue = joined[1] or "", joined[2]
    hole = Hole(name, form, glue, spread)
    _check_name(hole)
    _check_list(hole)
    if not _FORM.fullmatch(form):
        raise InvalidValueError(
            f"'{form}' is no format ({{{body}}}); expected start_year, end_year, join(,), strftime such as "
            "%Y-%m-%d, or an integer's such as 03d"
        )
    return hole


def _check_name(hole: Hole) -> None:
    if not _NAME.fullmatch(hole.name):
        raise InvalidValueError(f"'{{{hole.name}}}' is no placeholder; write {{{{ and }}}} for plain braces")
    if hole.family and hole.family not in FAMILIES:
        raise InvalidValueError(
            f"unknown placeholder {hole}{did_you_mean(hole.family, FAMILIES)} before the dot"
        )
    if hole.name in FAMILIES:
        raise InvalidValueError(f"{hole} needs a member: {{{hole.name}.NAME:join(,)}}")
    if hole.form and (hole.name in (*FILES, DAYS_BACK)):
        raise InvalidValueError(f"{hole} takes no format")


def _check_list(hole: Hole) -> None:
    if hole.glue == "":
        raise InvalidValueError(f"{hole} is joined by nothing; write a separator, such as join(,)")
    if hole.glue is not None and hole.spread:
        raise InvalidValueError(f"{hole} is either joined or spread, not both")
    taken = hole.glue is not None or hole.spread
    if hole.is_list and not taken:
        raise InvalidValueError(f"{hole} is a list; write {{{hole.name}:join(,)}} or {{{hole.name}...}}")
    if taken and not hole.is_list:
        hint = "" if hole.name in (*FIELDS, *FILES, DAYS_BACK) else f"; its list is {{items.{hole.name}…}}"
        raise InvalidValueError(f"{hole} is one value, which is neither joined nor spread{hint}")


def _refuse_code(texts: Sequence[str], arguments: Sequence[Argument]) -> None:
    """Raise where a value would be read as code: behind ``sh -c`` and its like."""
    flag = _INTERPRETERS.get(texts[0].rpartition("/")[2])
    if flag is None:
        return
    flags = list(takewhile(lambda text: text.startswith("-"), texts[1:]))
    code = next((n for n, text in enumerate(flags, start=2) if flag.fullmatch(text)), len(texts))
    if any(holes(arguments[code : code + 1])):
        raise InvalidValueError(
            f"{texts[0]} would read the value as code; hand it over as an argument of its own: "
            '[sh, -c, \'echo "$1"\', sh, "{game_id}"]',
            (code,),
        )


def parse_url(text: str) -> Argument:
    """Return the parts of a URL with placeholders.

    Raises:
        InvalidValueError: Where it is none, or holds what is no value of one key.
    """
    template = parse_argument(text)
    if not str(template[0] if template else "").startswith(_SCHEMES):
        raise InvalidValueError(f"expected a URL that begins with http:// or https://, got {text!r}")
    for hole in holes([template]):
        if hole.spread:
            raise InvalidValueError(f"{hole} cannot be spread over a URL; write {{{hole.name}:join(,)}}")
        if hole.name in FILES:
            raise InvalidValueError(f"{hole} is a file of this host, which no URL can name")
    return template
