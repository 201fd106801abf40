"""A prompt and its arguments as the messages that a model is sent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

from dpipe.lang import graph, types
from dpipe.runtime.asking import Question, question_of
from dpipe.runtime.errors import NoValue
from dpipe.runtime.expressions import Expressions
from dpipe.runtime.models.protocol import ImagePart, Message, TextPart

Args: TypeAlias = tuple[Any, ...]
Part: TypeAlias = TextPart | ImagePart

_KINDS = (
    (b"\x89PNG", "png"),
    (b"\xff\xd8", "jpeg"),
    (b"GIF8", "gif"),
    (b"RIFF", "webp"),
    (b"BM", "bmp"),
)


def renderer(
    prompt: graph.PromptDef, expressions: Expressions, folder: Path
) -> Callable[[Args], Question]:
    """The prompt as a function of its parameters' values, in their order.

    ``folder`` is what paths of images are relative to. The function raises ``NoValue`` where a
    text cannot be rendered or an image not be read.
    """
    sections = _Sections(prompt, expressions, folder)
    if any(section.role == "raw" for section in prompt.sections):
        text = sections.text(prompt.sections[0].content)
        return lambda args: question_of((), text(args), prompt.result, prompt.name, args)
    rendered = [sections.section(section) for section in prompt.sections]

    def render(args: Args) -> Question:
        messages = tuple(message for messages in rendered for message in messages(args))
        return question_of(messages, None, prompt.result, prompt.name, args)

    return render


class _Sections:
    """Compiles the sections of one prompt."""

    def __init__(self, prompt: graph.PromptDef, expressions: Expressions, folder: Path) -> None:
        self._expressions = expressions
        self._folder = folder
        self._names = tuple(param.name for param in prompt.params)
        self._images = frozenset(param.name for param in prompt.params if _holds_image(param.type))

    def section(self, section: graph.Section) -> Callable[[Args], tuple[Message, ...]]:
        role, content = section.role, section.content
        if role == "messages":
            spliced = self.text(content)
            return lambda args: tuple(Message(m["role"], m["content"]) for m in spliced(args))
        if isinstance(content, graph.Template) and any(map(self._is_image, content.parts)):
            parts = self._mixed(content.parts)
            return lambda args: (Message(role, tuple(parts(args))),)
        text = self.text(content)
        return lambda args: (Message(role, text(args)),)

    def text(self, content: graph.Expr) -> Callable[[Args], Any]:
        return self._expressions.body(content, self._names)

    def _mixed(self, parts: tuple[str | graph.Expr, ...]) -> Callable[[Args], Iterator[Part]]:
        """Runs of text, and the images between them."""
        runs: list[Callable[[Args], Iterator[Part]]] = []
        for is_image, run in groupby(parts, self._is_image):
            if is_image:
                runs += [self._pictures(part) for part in run if isinstance(part, graph.Expr)]
            else:
                runs.append(_words(self.text(graph.Template(tuple(run)))))
        return lambda args: (part for run in runs for part in run(args))

    def _is_image(self, part: str | graph.Expr) -> bool:
        return isinstance(part, graph.Local) and part.name in self._images

    def _pictures(self, part: graph.Expr) -> Callable[[Args], Iterator[Part]]:
        value, folder = self.text(part), self._folder

        def pictures(args: Args) -> Iterator[Part]:
            found = value(args)
            for one in found if isinstance(found, list) else [found]:
                yield ImagePart(data_url(one, folder))

        return pictures


def _words(text: Callable[[Args], Any]) -> Callable[[Args], Iterator[Part]]:
    """The text without the blank lines that stood around an image."""

    def words(args: Args) -> Iterator[Part]:
        if run := text(args).strip("\n"):
            yield TextPart(run)

    return words


def _holds_image(type: types.Type) -> bool:
    inner = types.required(type)
    return isinstance(inner.of if isinstance(inner, types.List) else inner, types.Image)


def data_url(image: str | bytes, folder: Path) -> str:
    """An image (a path, bytes or a data URL) as a data URL; raises ``NoValue``."""
    if isinstance(image, str):
        if image.startswith("data:"):
            return image
        image = _read(folder / image)
    kind = next((kind for start, kind in _KINDS if image.startswith(start)), None)
    if kind is None:
        raise NoValue("the image is of no kind that models take (PNG, JPEG, GIF, WebP, BMP)")
    return f"data:image/{kind};base64,{b64encode(image).decode('ascii')}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError):
        raise NoValue(f"the image `{path.name}` cannot be read") from None
