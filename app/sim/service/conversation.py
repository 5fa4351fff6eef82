"""The items of one conversation, in order, and what a brain has to know of them. Pure bookkeeping:
nothing is sent from here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from app.sim.service import rules
from app.sim.service.brain import ToolOutput
from app.sim.service.refusal import Refusal, new_id, wrong_value
from app.sim.service.session import Json

_COMMON: dict[str, rules.Rule] = {
    "id": rules.text,
    "object": rules.one_of("realtime.item"),
    "status": rules.one_of("completed", "incomplete", "in_progress"),
}
_PARTS: dict[str, rules.Rule] = {
    "user": rules.by_type(
        {
            "input_text": {"text": rules.text},
            "input_audio": {"audio": rules.text, "transcript": rules.or_null(rules.text)},
            "input_image": {
                "image_url": rules.text,
                "detail": rules.one_of("auto", "low", "high"),
            },
        }
    ),
    "assistant": rules.by_type({"output_text": {"text": rules.text}}),
    "system": rules.by_type({"input_text": {"text": rules.text}}),
}
_ITEM = rules.by_type(
    {
        "message": {**_COMMON, "role": rules.one_of(*_PARTS), "content": rules.anything},
        "function_call": {
            **_COMMON,
            "name": rules.text,
            "arguments": rules.text,
            "call_id": rules.text,
        },
        "function_call_output": {**_COMMON, "call_id": rules.text, "output": rules.text},
    }
)
_NEEDED = {
    "message": ("role", "content"),
    "function_call": ("name", "arguments"),
    "function_call_output": ("call_id", "output"),
}


def checked_item(item: Any) -> Json:
    """A client's item, complete with id and status. Raises Refusal."""
    _ITEM(item, "item")
    rules.fields(dict.fromkeys(item, rules.anything), required=_NEEDED[item["type"]])(item, "item")
    if item["type"] == "message":
        rules.list_of(_PARTS[item["role"]])(item["content"], "item.content")
    whole = copy.deepcopy(item)
    whole.setdefault("id", new_id("item"))
    whole.update(object="realtime.item", status="completed")
    if whole["type"] == "function_call":
        whole.setdefault("call_id", new_id("call"))
    return dict(whole)


class Conversation:
    """Items by position. `add` and `place_of` speak of items by id."""

    def __init__(self) -> None:
        self.id = new_id("conv")
        self._items: list[Json] = []
        self.spoken: dict[str, int] = {}
        """Spoken user items and their number, from 0."""

        self.silent: set[str] = set()
        """Items that hold nothing but silence (idle timeout)."""

    @property
    def items(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(self._items)

    @property
    def last_id(self) -> str | None:
        return self._items[-1]["id"] if self._items else None

    def find(self, item_id: object) -> Json | None:
        return next((item for item in self._items if item["id"] == item_id), None)

    def add(self, item: Json, *, after: str | None = None) -> str | None:
        """Puts the item behind `after` (None: at the end, "root": at the start).

        Returns the id of the item now before it. Raises Refusal for an id in use, an unknown
        `after`, or an output for a call nobody made.
        """
        if self.find(item["id"]) is not None:
            raise Refusal(
                "An item with this id already exists in the conversation.",
                code="item_create_duplicate_item_id",
                param="item.id",
            )
        if item["type"] == "function_call_output" and not self._called(item["call_id"]):
            raise wrong_value("item.call_id", "the id of a function call of this conversation")
        at = len(self._items) if after is None else self._place_behind(after)
        self._items.insert(at, item)
        return self._items[at - 1]["id"] if at else None

    def _called(self, call_id: str) -> bool:
        return any(
            item["type"] == "function_call" and item["call_id"] == call_id for item in self._items
        )

    def _place_behind(self, item_id: str) -> int:
        if item_id == "root":
            return 0
        for index, item in enumerate(self._items):
            if item["id"] == item_id:
                return index + 1
        raise Refusal(
            "The previous item was not found in the conversation.",
            code="item_create_invalid_previous_item_id",
            param="previous_item_id",
        )

    def remove(self, item: Json) -> None:
        self._items.remove(item)

    def for_response(self, given: list[Any] | None) -> Conversation:
        """What a response is made from: this, or the `input` of its response.create.

        Those items stand in for the whole conversation and do not join it. Raises Refusal.
        """
        if given is None:
            return self
        aside = Conversation()
        aside.spoken, aside.silent = self.spoken, self.silent
        for index, item in enumerate(given):
            whole = self._referred(item, index) or checked_item(item)
            if aside.find(whole["id"]) is None:
                aside._items.append(whole)
        return aside

    def _referred(self, item: Any, index: int) -> Json | None:
        if not isinstance(item, dict) or item.get("type") != "item_reference":
            return None
        found = self.find(item.get("id"))
        if found is None:
            raise wrong_value(f"response.input[{index}].id", "the id of an item")
        return found

    # ---- for the brain

    @property
    def said_last(self) -> str:
        """The assistant's newest words, "" before it spoke."""
        ours = (item for item in reversed(self._items) if item.get("role") == "assistant")
        return next((text_of(item) for item in ours), "")

    def last_user_item(self) -> Json | None:
        """The user's newest message that the assistant has not acted upon."""
        for item in reversed(self._items):
            if item["type"] == "message" and item["role"] == "user":
                return None if item["id"] in self.silent else item
            if item["type"] in ("message", "function_call") and item.get("role") != "system":
                return None
        return None

    def fresh_outputs(self) -> tuple[ToolOutput, ...]:
        """Outputs since the assistant last spoke, oldest first."""
        outputs: list[Json] = []
        for item in reversed(self._items):
            if item["type"] == "message" and item["role"] == "assistant":
                break
            if item["type"] == "function_call_output":
                outputs.append(item)
        calls = {item["call_id"]: item for item in self._items if item["type"] == "function_call"}
        return tuple(
            ToolOutput(
                call_id=item["call_id"],
                name=calls[item["call_id"]]["name"],
                arguments=calls[item["call_id"]]["arguments"],
                output=item["output"],
            )
            for item in reversed(outputs)
            if item["call_id"] in calls
        )


def text_of(item: Mapping[str, Any]) -> str:
    """Everything readable in an item."""
    parts = item.get("content") or ()
    words = [str(part.get("text") or part.get("transcript") or "") for part in parts]
    return " ".join(word for word in words if word)
