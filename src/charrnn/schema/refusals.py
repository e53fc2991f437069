"""What Hydra and OmegaConf refuse, in one sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from charrnn.config import conf_folder
from charrnn.errors import BadInput, CharRNNError
from charrnn.help import GROUPS, options_of
from charrnn.schema.lightning import DECIDED
from charrnn.schema.names import UnknownField

UNKNOWN = re.compile(
    r"Could not override '(?P<one>[^']+)'|delete from config\. '(?P<other>[^']+)' does not exist"
)
AMBIGUOUS = re.compile(r"Ambiguous value for argument '(?P<word>.*)'")
APPENDED = re.compile(r"An item is already at '(?P<name>[^']*)'")
NO_SWEEP = re.compile(r"Sweep parameters '(?P<word>.*)' requires --multirun")
INTERVAL = "does not support sweep type"
NOT_FOUND = re.compile(r"Interpolation key '(?P<name>[^']*)'")
SWEEPERS = ("optuna",)
"""Sweepers that an extra of the same name installs."""
TRAINERS = [f"trainer.{name}" for name in DECIDED]
"""Fields of Lightning's that no file of the configuration has, and that say what to do instead."""
NO_NAME = "Config group override must be a string"


@contextmanager
def in_one_sentence(words: Sequence[str] = ()) -> Iterator[None]:
    """Turn what Hydra and OmegaConf refuse into a sentence for the user.

    Args:
        words: of the command line.

    Raises:
        CharRNNError: with that sentence.
    """
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise sentence(error) from error
    except ValueError as error:  # of Hydra's, which does not say where
        if not str(error).startswith(NO_NAME):
            raise
        raise _no_option(words) from error


def sentence(error: Exception) -> CharRNNError:
    """What an error of Hydra's or OmegaConf's says, as an error of this project's."""
    message = str(error)
    if isinstance(error.__cause__, CharRNNError):  # of one of our resolvers
        return error.__cause__
    if isinstance(error, OverrideParseException):
        return _unread(error)
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        if option in SWEEPERS:
            return CharRNNError(
                f"{group}={option} is not installed: install it with pip install "
                f"'charrnn[{option}]'."
            )
        return BadInput(group, option, _one_of(option, error.options))
    if found := AMBIGUOUS.search(message):
        return CharRNNError(f"{found['word']} has several values: -m trains all of them.")
    if found := NO_SWEEP.search(message):
        return _only_for_a_search(found["word"])
    if INTERVAL in message:
        return _only_for_a_search("an interval")
    if found := APPENDED.search(message):
        return CharRNNError(f"+{found['name']} is a field already: leave out the +.")
    if found := UNKNOWN.search(message):
        return UnknownField(found["one"] or found["other"], TRAINERS)
    if isinstance(error, InterpolationKeyError) and (found := NOT_FOUND.search(message)):
        field, name = error.full_key or "a field", found["name"]
        return CharRNNError(f"{field}=${{{name}}} cannot be used, because {UnknownField(name)}")
    first = (message.splitlines() or [type(error).__name__])[0].rstrip(".")
    what = getattr(error, "full_key", None) or "the configuration"
    return CharRNNError(f"{what} cannot be read: {first}.")


def _one_of(option: str, known: Sequence[str]) -> str:
    """The names that would do, and the one that was perhaps meant."""
    near = [f"{name} is nearest" for name in get_close_matches(option, known, n=1)]
    return "; ".join([f"one of {', '.join(known)}", *near])


def _no_setting(word: str) -> CharRNNError:
    return CharRNNError(f"{word} is no setting: write field=value, such as k1=20.")


def _unread(error: OverrideParseException) -> CharRNNError:
    """Hydra's words on a value that it cannot read, with where its grammar is explained."""
    word, (*said, where) = error.override, str(error).splitlines()
    name, equals, _ = word.partition("=")
    if not equals or not re.fullmatch(r"[\w.@/:~+-]+", name):
        return _no_setting(word)
    why = said[0].removeprefix("LexerNoViableAltException: ")
    why = "" if why == word else f": {why}"
    link = where.removeprefix("See ").removesuffix(" for details")
    return CharRNNError(f"{word} cannot be read by Hydra{why} (its grammar: {link}).")


def _only_for_a_search(what: str) -> CharRNNError:
    return CharRNNError(
        f"{what} has no end of values: a search such as -m hydra/sweeper=optuna draws from it; "
        "a sweep needs them one by one, such as 0.001,0.01."
    )


def _no_option(words: Sequence[str]) -> CharRNNError:
    """The first of the words that chooses an option by something that is not a name."""
    for word in words:
        group, equals, option = word.lstrip("+").partition("=")
        if equals and not group:
            return _no_setting(word)
        known = options_of(conf_folder(), group) if group in GROUPS else []
        if known and not set(option.split(",")) <= {*known}:
            return BadInput(group, option, _one_of(option, known))
    return CharRNNError("an option of a group has to be chosen by its name.")
