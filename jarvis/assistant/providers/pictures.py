"""A message that holds a picture, as each protocol wants it. A picture is a JPEG under the key `image` of what the user
says; every other message passes as it is. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

IMAGE = "image"
_TYPE = "image/jpeg"


def for_openai(message: Mapping[Any, Any]) -> dict[Any, Any]:
    """https://platform.openai.com/docs/guides/images-vision"""
    plain, data = _parts(message)
    if data:
        seen = {"type": "image_url", "image_url": {"url": f"data:{_TYPE};base64,{data}"}}
        plain["content"] = [{"type": "text", "text": plain["content"]}, seen]
    return plain


def for_anthropic(message: Mapping[Any, Any]) -> dict[Any, Any]:
    """https://platform.claude.com/docs/en/build-with-claude/vision"""
    plain, data = _parts(message)
    if data:
        seen = {"type": "image", "source": {"type": "base64", "media_type": _TYPE, "data": data}}
        plain["content"] = [seen, {"type": "text", "text": plain["content"]}]
    return plain


def for_ollama(message: Mapping[Any, Any]) -> dict[Any, Any]:
    """https://github.com/ollama/ollama/blob/main/docs/api.md"""
    plain, data = _parts(message)
    return {**plain, "images": [data]} if data else plain


def _parts(message: Mapping[Any, Any]) -> tuple[dict[Any, Any], str]:
    """The message without its picture, and that in base64."""
    plain = dict(message)
    return plain, base64.b64encode(plain.pop(IMAGE, b"")).decode()
