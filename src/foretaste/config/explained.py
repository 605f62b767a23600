"""What is wrong with a config, in words of its file."""

import difflib
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from foretaste.settings import SectionError, sections_in

_LOOSE, _SLIP = 0.5, 0.8
"""Likeness from which a name may be meant, and from which it surely is: a letter or two are wrong."""


def explain(details: ErrorDetails, config_class: type[BaseModel], above: tuple[str, ...] = ()) -> list[str]:
    """What is wrong, in words of the file."""
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, SectionError):
        inner = cause.cause.errors()
        return [line for inside in inner for line in explain(inside, cause.section, (*above, *cause.path))]
    section, keys = _walk(config_class, details["loc"])
    path = ".".join((*above, *keys))
    if details["type"] == "extra_forbidden":
        return [_unknown_key(path, keys[-1], section, ".".join((*above, *keys[:-1])))]
    if details["type"] == "missing":
        return [f"'{path}' is missing. {_keys_of(section, '.'.join((*above, *keys[:-1])))}"]
    if details["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return [_unknown_tag(details, path)]
    if isinstance(cause, ValueError):
        place = f"{path}: " if path else ""
        return [f"{place}{str(cause).removesuffix('.')}."]
    return [f"{path}: {details['msg'][0].lower()}{details['msg'][1:]}, got {details['input']!r:.60}."]


def _unknown_key(path: str, key: str, section: type[BaseModel], section_path: str) -> str:
    prefix = f"{section_path}." if section_path else ""
    meant = _meant(key, section)
    hint = f" – did you mean '{prefix}{meant}'?" if meant else "."
    return f"unknown key '{path}'{hint} {_keys_of(section, section_path)}"


def _meant(key: str, section: type[BaseModel]) -> str | None:
    """The key that differs by a slip, else the one of that very name in a section below, else the nearest."""
    near = difflib.get_close_matches(key, section.model_fields, n=1, cutoff=_LOOSE)
    if near and difflib.SequenceMatcher(None, key, near[0]).ratio() >= _SLIP:
        return near[0]
    deeper = [
        f"{name}.{key}"
        for name, field in section.model_fields.items()
        if any(key in inner.model_fields for inner in sections_in(field.annotation))
    ]
    if len(deeper) == 1:
        return deeper[0]
    return near[0] if near else None


def _unknown_tag(details: ErrorDetails, path: str) -> str:
    """A section says by one of its keys what kind it is, and said nothing or something unknown."""
    key = details["ctx"]["discriminator"].strip("'")
    expected = details["ctx"].get("expected_tags")
    if expected is None:
        return f"'{path}.{key}' is missing; it says which kind of {path} is meant."
    tag = details["ctx"]["tag"]
    near = difflib.get_close_matches(tag, expected.replace("'", "").split(", "), n=1, cutoff=_LOOSE)
    hint = f" – did you mean '{near[0]}'?" if near else ";"
    return f"{path}.{key}: unknown '{tag}'{hint} Expected one of {expected}."


def _keys_of(section: type[BaseModel], section_path: str) -> str:
    place = f"'{section_path}'" if section_path else "the file"
    return f"Keys of {place}: {', '.join(section.model_fields)}."


def _walk(config_class: type[BaseModel], loc: tuple[str | int, ...]) -> tuple[type[BaseModel], list[str]]:
    """The section that holds the last key of `loc`, and the keys as they stand in the file.

    Pydantic puts the tag of a discriminated union into the location; in the file there is no such key.
    """
    section, keys = config_class, []
    inside: Any = config_class
    for step in loc:
        sections = sections_in(inside)
        if len(sections) == 1:
            section = sections[0]
            keys.append(str(step))
            field = section.model_fields.get(str(step))
            inside = field.annotation if field else None
        elif get_origin(inside) is dict:
            keys.append(str(step))
            inside = get_args(inside)[1]
        else:
            tagged = [cls for cls in sections if step in _tags(cls)]
            if tagged:
                inside = section = tagged[0]
            else:
                keys.append(str(step))
                inside = None
    return section, keys


def _tags(config_class: type[BaseModel]) -> set[Any]:
    """The literal values that tell a class of a union from the others."""
    return {value for field in config_class.model_fields.values() for value in get_args(field.annotation)}
