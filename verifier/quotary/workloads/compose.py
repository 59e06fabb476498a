"""
Which container images a measured app-compose document runs, and whether each is pinned.

The compose file inside is YAML. A line scanner would be fooled by quoting, flow style, anchors and
merges, so a real parser reads it (PyYAML, extra `dstack`), down to nodes only: no tag constructs
anything. Whatever could mean one thing here and another to Docker Compose is refused: several
documents, repeated keys, explicit tags, `extends`, `include`, unknown sections. Only a literal
`name@sha256:<64 hex>` pins an image; `build` and interpolation pin nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from quotary.errors import ParseError, Reason, VerificationError
from quotary.workloads._document import Document

if TYPE_CHECKING:
    from yaml import MappingNode, Node  # type: ignore[import-untyped]

__all__ = ["MAX_COMPOSE_BYTES", "AppCompose", "Image"]

MAX_COMPOSE_BYTES: Final = 256 * 1024
"""Genuine documents have a few kB; parsing this much YAML takes seconds already."""
_MAX_NODES: Final = 20_000
"""Aliases counted as often as they are used: stops alias bombs before anything expands."""
_MAX_DEPTH: Final = 32
"""Genuine files nest below ten levels; the composer recurses."""

_PINNED: Final = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]*@sha256:[0-9a-f]{64}")
_YAML_TAG: Final = "tag:yaml.org,2002:"
_TAGS: Final = frozenset(
    _YAML_TAG + name
    for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "map", "seq")
)
_SECTIONS: Final = frozenset(
    {"version", "name", "services", "networks", "volumes", "configs", "secrets"}
)
_ELSEWHERE: Final = ("extends", "provider", "models")
_SCRIPTS: Final = ("pre_launch_script", "init_script", "bash_script")


@dataclass(frozen=True, slots=True)
class Image:
    """What one service runs: its reference as written, or None for a build."""

    service: str
    reference: str | None

    @property
    def pinned(self) -> bool:
        """Whether the reference names one image by digest."""
        return self.digest is not None

    @property
    def digest(self) -> str | None:
        """`sha256:` and 64 hex digits, or None when the image is not pinned."""
        if self.reference is None or not _PINNED.fullmatch(self.reference):
            return None
        return self.reference.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class AppCompose:
    """An app-compose document. `allowed_envs` are the variables the operator may set in secret."""

    hash: bytes
    name: str
    images: tuple[Image, ...]
    scripts: tuple[str, ...]
    allowed_envs: tuple[str, ...]

    @classmethod
    def parse(cls, data: bytes) -> AppCompose:
        """
        Read app-compose.json, byte for byte as it was deployed. Raises `ParseError`.

        Needs PyYAML: raises `ImportError` without it.
        """
        if len(data) > MAX_COMPOSE_BYTES:
            raise ParseError(
                Reason.INPUT_TOO_LARGE,
                "app-compose",
                expected=f"at most {MAX_COMPOSE_BYTES} bytes",
                found=str(len(data)),
            )
        fields = Document.parse(data, "app-compose")
        runner = fields.text_or_none("runner")
        if runner != "docker-compose":
            raise _invalid("runner", "docker-compose", runner)
        envs = fields.sequence("allowed_envs") if fields.has("allowed_envs") else []
        return cls(
            hash=sha256(data).digest(),
            name=fields.text_or_none("name") or "",
            images=tuple(_images(fields.text("docker_compose_file"))),
            scripts=tuple(script for script in _SCRIPTS if fields.values.get(script)),
            allowed_envs=tuple(env for env in envs if isinstance(env, str)),
        )

    def require_pinned(self) -> None:
        """Raise `VerificationError` for the first image that a digest does not pin."""
        for image in self.images:
            if not image.pinned:
                raise VerificationError(
                    Reason.IMAGE_NOT_PINNED,
                    f"service {image.service!a}",
                    expected="an image named by @sha256:<64 hex>",
                    found=ascii(image.reference or "a build on the guest")[:200],
                )


def _images(text: str) -> Iterator[Image]:
    document = _mapping(_compose(text), "compose file")
    for section in document:
        if section not in _SECTIONS and not section.startswith("x-"):
            raise _invalid("compose file", "sections that name no images elsewhere", section)
    services = _mapping(document.get("services"), "services")
    if not services:
        raise _invalid("services", "at least one", None)
    for name, node in services.items():
        yield from _service_images(name, _mapping(node, f"service {name!a}"))


def _service_images(name: str, service: dict[str, Node]) -> Iterator[Image]:
    for key in _ELSEWHERE:
        if key in service:
            raise _invalid(f"service {name!a}", "a service defined in place", key)
    if "build" in service:
        yield Image(name, None)
        return
    yield Image(name, _text(service.get("image"), f"image of {name!a}"))
    volumes = service.get("volumes")
    for volume in volumes.value if volumes is not None and volumes.id == "sequence" else ():
        if volume.id != "mapping":
            continue
        options = _mapping(volume, f"volumes of {name!a}")
        if "type" in options and options["type"].value == "image":
            yield Image(name, _text(options.get("source"), f"image volume of {name!a}"))


def _text(node: Node | None, item: str) -> str:
    if node is None or node.tag != _YAML_TAG + "str":
        raise _invalid(item, "a text", None)
    return str(node.value)


def _compose(text: str) -> Node:
    import yaml  # noqa: PLC0415 - only this function needs the extra

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Composes as PyYAML does, but only so deep."""

        depth = 0

        def compose_node(self, parent: Node, index: object) -> Node:
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise _invalid("compose file", f"at most {_MAX_DEPTH} levels", None)
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    try:
        root = yaml.compose(text, Loader=Loader)
        if root is None:
            raise _invalid("compose file", "services", "nothing")
        _Survey().visit(root)
    except yaml.YAMLError as error:
        raise _invalid("compose file", "one plain YAML document", type(error).__name__) from error
    return root


class _Survey:
    """Walks every node once; counts them as often as aliases would repeat them."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def visit(self, node: Node) -> int:
        known = self._sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            raise _invalid("compose file", "no anchor inside itself", None)
        self._open.add(id(node))
        if node.tag not in _TAGS:
            raise _invalid("compose file", "no tags", node.tag)
        size = 1
        if node.id == "mapping":
            _require_unique(node)
            size += sum(self.visit(key) + self.visit(value) for key, value in node.value)
        elif node.id == "sequence":
            size += sum(self.visit(value) for value in node.value)
        if size > _MAX_NODES:
            raise _invalid("compose file", f"at most {_MAX_NODES} nodes", None)
        self._open.remove(id(node))
        self._sizes[id(node)] = size
        return size


def _require_unique(node: MappingNode) -> None:
    seen: set[Any] = set()
    for key, _ in node.value:
        if key.id != "scalar":
            raise _invalid("compose file", "plain keys", None)
        if key.value in seen or (key.value == "<<" and key.tag != _YAML_TAG + "merge"):
            raise _invalid("compose file", "each key once", key.value)
        seen.add(key.value)


def _mapping(node: Node | None, item: str) -> dict[str, Node]:
    """The entries of a mapping with its merges (`<<`): own keys win, then the earlier source."""
    if node is None or node.id != "mapping":
        raise _invalid(item, "a mapping", None)
    entries: dict[str, Node] = {}
    merged: list[Node] = []
    for key, value in node.value:
        if key.tag == _YAML_TAG + "merge":
            merged += value.value if value.id == "sequence" else [value]
        else:
            entries[key.value] = value
    for source in merged:
        for name, value in _mapping(source, f"{item}, merged").items():
            entries.setdefault(name, value)
    return entries


def _invalid(item: str, expected: str, found: str | None) -> ParseError:
    shown = None if found is None else ascii(found)[:80]
    return ParseError(Reason.COMPOSE_INVALID, item, expected=expected, found=shown)
