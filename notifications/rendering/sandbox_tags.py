"""The tags and filters of stored templates: a closed list, loaded by name (`sandbox.ENGINE`).

Django's own are here only where their work is bounded by the length of their input and they read nothing but
the context. A tag or filter added to `wording` is available here too, so it must keep to the same.
"""

from typing import Any

from django import template
from django.template import TemplateSyntaxError, defaultfilters, defaulttags
from django.template.base import Node, NodeList, Parser, Token, Variable

from notifications.rendering import wording
from notifications.rendering.bounds import MAX_TURNS, BoundedContext, TemplateFailed
from notifications.rendering.payload import Payload

register = template.Library()

for _name in ("if", "with", "firstof", "comment"):
    register.tag(_name, defaulttags.register.tags[_name])
for _name in ("default", "upper", "lower", "capfirst", "truncatechars", "cut", "pluralize", "yesno"):
    register.filter(_name, defaultfilters.register.filters[_name])
register.filters.update(wording.register.filters)
register.tags.update(wording.register.tags)


class ForNode(Node):
    """`{% for leg in payload.legs %}`: the items of a list, at most `MAX_TURNS`, each of them a step."""

    child_nodelists = ("body", "otherwise")

    def __init__(self, name: str, names: tuple[str, ...], body: NodeList, otherwise: NodeList) -> None:
        self.name, self.names, self.body, self.otherwise = name, names, body, otherwise

    def render(self, context: BoundedContext) -> str:  # type: ignore[override]
        items = self._items(context)
        if len(items) > MAX_TURNS:
            raise TemplateFailed("too_long", f"it loops over {len(items):,} items, of at most {MAX_TURNS}")
        if not items:
            return self.otherwise.render(context)
        with context.push():
            return "".join(self._turn(context, items, number) for number in range(1, len(items) + 1))

    def _items(self, context: BoundedContext) -> list[Any]:
        *outer, last = self.names
        holder = context.find(outer) if outer else None
        if isinstance(holder, Payload):
            return holder.items_of(last)
        value = context.find(self.names)
        return value if isinstance(value, list) else [value] if value else []

    def _turn(self, context: BoundedContext, items: list[Any], number: int) -> str:
        context.budget.step()
        context[self.name] = items[number - 1]
        context["forloop"] = {
            "counter": number,
            "first": number == 1,
            "last": number == len(items),
            "length": len(items),
        }
        text = self.body.render(context)
        context.budget.write(text)  # the same text at every turn is what adds up
        return text


@register.tag("for")
def do_for(parser: Parser, token: Token) -> ForNode:
    """Compile `for x in a.list … empty … endfor`."""
    words = token.split_contents()
    if len(words) != 4 or words[2] != "in" or not words[1].isidentifier() or words[1].startswith("_"):
        raise TemplateSyntaxError("Write {% for item in payload.items %} … {% endfor %}.")
    expression = parser.compile_filter(words[3])
    if not isinstance(expression.var, Variable) or not expression.var.lookups or expression.filters:
        raise TemplateSyntaxError("A loop goes over a name such as payload.items, without filters.")
    body = parser.parse(("empty", "endfor"))
    otherwise = NodeList()
    if parser.next_token().contents == "empty":
        otherwise = parser.parse(("endfor",))
        parser.delete_first_token()
    return ForNode(words[1], expression.var.lookups, body, otherwise)
