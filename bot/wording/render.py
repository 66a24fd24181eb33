"""From a response key to the words that are sent."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bot.messages import Choice, Say
from bot.wording.choices import match_choice
from bot.wording.errors import WordingError
from bot.wording.gsm import normalise
from bot.wording.responses import Responses, Variation

TEXT_CHANNELS: Final = frozenset({"sms", "whatsapp"})
"""Where choices are digits, the sender is named first, and the alphabet is GSM-7."""

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")

Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """Words ready to be sent, and the choices that come with them."""

    text: str
    """Empty where every line named something that is not known here: then there is nothing to send."""
    choices: tuple[Choice, ...] = ()


class Wording:
    """Turns response keys into words.

    `base_args` are the standing placeholders (`{short_name}`, `{phone}` …), or a function that returns them at the time
    of speaking. `translations` holds the responses of other languages; English fills their gaps.
    """

    def __init__(
        self,
        responses: Responses,
        base_args: Arguments | Callable[[], Arguments] | None = None,
        *,
        translations: Mapping[str, Responses] | None = None,
    ) -> None:
        self._responses = responses
        self._base_args = base_args or {}
        self._translations = dict(translations or {})

    def has(self, key: str) -> bool:
        """Whether there is a response of that name."""
        return key in self._responses.by_key

    def label(self, kind: str, name: str, *, language: str = "en") -> str:
        """What a thing is called in words: the response `utter_label_<kind>_<name>`."""
        return self.phrase(Say(f"utter_label_{kind}_{name}"), language=language)

    def match_choice(self, text: str, offered: Sequence[Choice]) -> str | None:
        """See `bot.wording.choices.match_choice`."""
        return match_choice(text, offered)

    def phrase(
        self, say: Say, *, channel: str | None = None, language: str = "en", args: Arguments | None = None
    ) -> str:
        """The words of `say` alone, to stand inside others: no prefix, no choices."""
        return self._fill(
            self._variation(say.key, channel, language).text, self._known(say, args), say.key, channel, language
        )

    def render(self, say: Say, *, channel: str | None, language: str = "en", args: Arguments | None = None) -> Rendered:
        """The words of `say` for one channel.

        Placeholders are filled from `say.args`, then `args`, then the standing ones. An argument may itself be a
        response, `{"say": key, …its arguments}`, or a list of them, which become lines. A line that names something
        whose value is None is left out whole. Raises WordingError for an unknown key or placeholder.
        """
        return self.render_all([say], channel=channel, language=language, args=args)

    def render_all(
        self, says: Sequence[Say], *, channel: str | None, language: str = "en", args: Arguments | None = None
    ) -> Rendered:
        """Several things said at once, as one message: each on its own lines, every choice at the end."""
        texts: list[str] = []
        choices: list[Choice] = []
        for say in says:
            known = self._known(say, args)
            variation = self._variation(say.key, channel, language)
            texts.append(self._fill(variation.text, known, say.key, channel, language))
            for choice in (*variation.choices, *say.choices):
                label = self._fill(choice.label, known, say.key, channel, language)
                if label and all(choice.value != other.value for other in choices):
                    choices.append(replace(choice, label=label))
        text = "\n".join(text for text in texts if text)
        if channel in TEXT_CHANNELS:
            text = self._as_text_message(text, choices, self._known(Say(""), args), channel, language)
        return Rendered(text, tuple(choices))

    def _known(self, say: Say, args: Arguments | None) -> Arguments:
        standing = self._base_args() if callable(self._base_args) else self._base_args
        return {**standing, **(args or {}), **say.args}

    def _variation(self, key: str, channel: str | None, language: str) -> Variation:
        translated = self._translations.get(language)
        found = translated.variation(key, channel) if translated else None
        found = found or self._responses.variation(key, channel)
        if found is None:
            raise WordingError(f"no response is called {key}")
        return found

    def _fill(self, text: str, known: Arguments, key: str, channel: str | None, language: str) -> str:
        lines = []
        for line in text.split("\n"):
            values: dict[str, str | None] = {}
            for name in PLACEHOLDER.findall(line):
                if name not in known:
                    raise WordingError(f"{key}: nothing fills {{{name}}}")
                values[name] = self._value(known[name], channel, language, known)
            if any(value is None for value in values.values()):
                continue
            lines.append(PLACEHOLDER.sub(lambda match, values=values: values[match[1]] or "", line))  # type: ignore[misc]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n ")

    def _value(self, value: Any, channel: str | None, language: str, known: Arguments) -> str | None:
        if value is None:
            return None
        if isinstance(value, Mapping):
            inner = {name: argument for name, argument in value.items() if name != "say"}
            variation = self._variation(str(value["say"]), channel, language)
            return self._fill(variation.text, {**known, **inner}, str(value["say"]), channel, language) or None
        if isinstance(value, list | tuple):
            parts = [self._value(part, channel, language, known) for part in value]
            return "\n".join(part for part in parts if part) or None
        return str(value)

    def _as_text_message(
        self, text: str, choices: Sequence[Choice], known: Arguments, channel: str | None, language: str
    ) -> str:
        if not text:
            return ""
        for number, choice in enumerate(choices, start=1):
            line = self._variation("utter_choice_first" if number == 1 else "utter_choice_next", channel, language)
            filled = {**known, "digit": number, "label": choice.label}
            text += "\n" + self._fill(line.text, filled, "utter_choice", channel, language)
        prefix = self._variation("utter_prefix", channel, language)
        named = self._fill(prefix.text, known, "utter_prefix", channel, language)
        return normalise(f"{named} {text}" if named else text)
