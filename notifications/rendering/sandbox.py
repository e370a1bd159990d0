"""The engine of stored templates: the language of the files, with nothing in it that leaves the message.

It is Django's parser with a closed list of tags and filters (`sandbox_tags`). Every expression, filter and
turn of a loop is a step; each step's work is bounded by the length of its input, and their number, characters
and processor time are counted over the whole message (`bounds`): no template holds a process for long.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar

from django.template import Engine, TemplateSyntaxError
from django.template.base import FilterExpression, Lexer, NodeList, Parser, Template, Variable
from django.utils.functional import Promise

from notifications.rendering.bounds import BoundedContext, Budget, TemplateFailed

MAX_SOURCE_CHARS = 10_000
MAX_LINE_CHARS = 2_000  # the lexer looks from every opening brace to the end of the line
MAX_DEPTH = 10  # of blocks in blocks

_ON_LINE = re.compile(r" ?on line \d+|Did you forget to register or load this tag\?")


class InvalidTemplate(ValueError):
    """A source that is no template. `line` counts from 1; 0: the source as a whole."""

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.text, self.line = text, line


class _Expression(FilterExpression):
    __slots__ = ()

    def __init__(self, token: str, parser: "_Parser") -> None:
        super().__init__(token, parser)
        for value in (self.var, *(argument for _, given in self.filters for _, argument in given)):
            if isinstance(value, Promise) or (isinstance(value, Variable) and value.translate):
                raise TemplateSyntaxError("_(…) is not available: write a template for each language.")
            if isinstance(value, Variable) and value.lookups:
                parser.names.add(value.lookups)

    def resolve(self, context: Any, ignore_failures: bool = False) -> Any:
        """Return the value: one step for the name, and one for each filter."""
        context.budget.step()
        value = _value(self.var, context)
        for function, given in self.filters:
            context.budget.step()
            value = context.budget.bounded(function(value, *(_value(one, context) for _, one in given)))
        return value


def _value(operand: object, context: BoundedContext) -> Any:
    if not isinstance(operand, Variable):
        return operand
    return operand.literal if operand.lookups is None else context.find(operand.lookups)


class _Parser(Parser):
    def __init__(self, source: str, engine: Engine) -> None:
        super().__init__(Lexer(source).tokenize(), {}, engine.template_builtins)
        self.names: set[tuple[str, ...]] = set()
        self._depth = 0

    def compile_filter(self, token: str) -> FilterExpression:
        return _Expression(token, self)

    def parse(self, parse_until: Iterable[str] | None = None) -> NodeList:
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:
            raise TemplateSyntaxError(f"Blocks are nested deeper than {MAX_DEPTH}.")
        nodes = super().parse(parse_until)
        self._depth -= 1
        return nodes


class _Engine(Engine):
    default_builtins: ClassVar[list[str]] = []  # nothing of Django's: no include, load, cycle, now, debug


class SandboxTemplate(Template):
    """A compiled template; `names` are those that it uses, as `("payload", "symbol")`."""

    names: frozenset[tuple[str, ...]]

    def compile_nodelist(self) -> NodeList:
        parser = _Parser(self.source, self.engine)
        nodes = parser.parse()
        self.names = frozenset(parser.names)
        return nodes

    def fill(self, values: Mapping[str, Any], budget: Budget) -> str:
        """Return the text. Raises: `TemplateFailed`; its text quotes no value."""
        try:
            text = self.render(BoundedContext(values, budget))
        except TemplateFailed:
            raise
        except Exception as error:
            raise TemplateFailed("error", type(error).__name__) from error
        budget.check()
        budget.write(text)
        return str.__str__(text)


@cache
def _engine() -> _Engine:
    return _Engine(builtins=["notifications.rendering.sandbox_tags"], loaders=[], autoescape=False)


def compile_source(source: str) -> SandboxTemplate:
    """Compile a template. Raises: `InvalidTemplate`."""
    if len(source) > MAX_SOURCE_CHARS:
        raise InvalidTemplate(f"At most {MAX_SOURCE_CHARS:,} characters.")
    for line, text in enumerate(source.split("\n"), start=1):
        if len(text) > MAX_LINE_CHARS:
            raise InvalidTemplate(f"At most {MAX_LINE_CHARS:,} characters in a line.", line)
    try:
        return SandboxTemplate(source, engine=_engine())
    except Exception as error:  # the parser's own, and whatever a strange source makes of it
        line = getattr(getattr(error, "token", None), "lineno", 0) or 0
        text = str(error) if isinstance(error, TemplateSyntaxError) else type(error).__name__
        raise InvalidTemplate(" ".join(_ON_LINE.sub("", text).split()), line) from error
