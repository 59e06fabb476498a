"""Compose documents: which images run, however the YAML tries to hide it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quotary.errors import ParseError, QuotaryError, Reason, VerificationError
from quotary.workloads import AppCompose

from tests.verifier.workloads.guests import DIGEST, IMAGE, app_compose

PINNED = {
    "plain": f"services:\n  a:\n    image: {IMAGE}\n",
    "quoted key and value": f'services:\n  a:\n    "image": "{IMAGE}"\n',
    "escaped key": f'services:\n  a:\n    "im\\u0061ge": {IMAGE}\n',
    "flow style": f"services: {{a: {{image: '{IMAGE}'}}}}\n",
    "with a tag before the digest": f"services:\n  a:\n    image: acme/x:1.2@{DIGEST}\n",
    "anchor and alias": f"x-i: &i {IMAGE}\nservices:\n  a:\n    image: *i\n",
    "merge": f"x-base: &b\n  image: {IMAGE}\nservices:\n  a:\n    <<: *b\n    restart: always\n",
    "merge of two": (
        f"x-a: &a {{image: {IMAGE}}}\nx-b: &b {{image: other:tag}}\n"
        "services:\n  s:\n    <<: [*a, *b]\n"
    ),
    "own key before merge": (
        f"x-b: &b {{image: other:tag}}\nservices:\n  s:\n    <<: *b\n    image: {IMAGE}\n"
    ),
    "image in a block scalar is text": (
        f"services:\n  a:\n    image: {IMAGE}\n    command: |\n      image: evil:latest\n"
    ),
}

UNPINNED = {
    "a tag": "acme/gateway:1.2.3",
    "nothing": "acme/gateway",
    "interpolation": "${IMAGE}",
    "interpolated digest": "acme/gateway@sha256:${DIGEST}",
    "interpolation before the digest": f"$NAME@{DIGEST}",
    "default in interpolation": f"${{IMAGE:-acme/x@{DIGEST}}}",
    "short digest": "acme/gateway@sha256:abcd",
    "upper case digest": f"acme/gateway@sha256:{'AB' * 32}",
    "another algorithm": f"acme/gateway@sha512:{'ab' * 64}",
    "digest as a tag": f"acme/gateway:sha256-{'ab' * 32}",
    "text after the digest": f"acme/gateway@{DIGEST}0",
    "two at signs": f"evil@{DIGEST}@{DIGEST}",
}

HIDDEN = {
    "a second service": f"services:\n  a:\n    image: {IMAGE}\n  b:\n    image: evil:latest\n",
    "a flow service": f"services:\n  a: {{image: {IMAGE}}}\n  b: {{image: evil:latest}}\n",
    "a build": "services:\n  a:\n    build: .\n",
    "a build beside a pinned image": f"services:\n  a:\n    image: {IMAGE}\n    build: .\n",
    "an explicit key": (
        f"services:\n  a: {{image: {IMAGE}}}\n  b:\n    ? image\n    : evil:latest\n"
    ),
    "an image through a merge": (
        f"x-b: &b {{image: evil:latest}}\nservices:\n  a: {{image: {IMAGE}}}\n  b:\n    <<: *b\n"
    ),
    "a service through a merge": (
        "x-b: &b {evil: {image: 'evil:latest'}}\n"
        f"services:\n  a: {{image: {IMAGE}}}\n  <<: *b\n"
    ),
    "an image volume": (
        f"services:\n  a:\n    image: {IMAGE}\n    volumes:\n"
        "      - {type: image, source: 'evil:latest', target: /x}\n"
    ),
}

UNREADABLE = {
    "two documents": f"services:\n  a:\n    image: {IMAGE}\n---\nservices: {{}}\n",
    "a key twice": f"services:\n  a:\n    image: {IMAGE}\n    image: evil:latest\n",
    "services twice": f"services: {{a: {{image: {IMAGE}}}}}\nservices: {{}}\n",
    "an override tag": f"services:\n  a:\n    image: !override {IMAGE}\n",
    "a binary key": f"services:\n  a:\n    !!binary aW1hZ2U=: evil\n    image: {IMAGE}\n",
    "a python tag": "services: !!python/object/apply:os.system [id]\n",
    "a quoted merge key": f'x-b: &b {{}}\nservices:\n  a:\n    "<<": *b\n    image: {IMAGE}\n',
    "extends": f"services:\n  a:\n    image: {IMAGE}\n    extends: {{file: o.yml, service: x}}\n",
    "include": f"include: [other.yml]\nservices:\n  a:\n    image: {IMAGE}\n",
    "models": f"models: {{m: {{model: ai/x}}}}\nservices:\n  a:\n    image: {IMAGE}\n",
    "a provider": "services:\n  a:\n    provider: {type: awesome}\n",
    "no image": "services:\n  a:\n    restart: always\n",
    "an image that is a number": "services:\n  a:\n    image: 12\n",
    "an image that is a list": f"services:\n  a:\n    image: [{IMAGE}]\n",
    "no services": "services: {}\n",
    "services as a list": "services: []\n",
    "an empty file": "",
    "not YAML": "services: [\n",
    "an anchor inside itself": "services: &s\n  a: *s\n",
    "deep nesting": "services: " + "[" * 5000 + "]" * 5000,
    "an alias bomb": "x-0: &a0 [x]\n"
    + "".join(f"x-{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    + f"services: {{a: {{image: {IMAGE}}}}}\n",
}


@pytest.mark.parametrize("style", PINNED)
def test_pinned_images_are_found_in_every_style(style: str) -> None:
    """A digest counts however YAML writes it."""
    compose = AppCompose.parse(app_compose(PINNED[style]))
    compose.require_pinned()
    assert [image.digest for image in compose.images] == [DIGEST]


@pytest.mark.parametrize("reference", UNPINNED.values(), ids=list(UNPINNED))
def test_only_a_literal_digest_pins(reference: str) -> None:
    """Whatever else names an image may name another one tomorrow."""
    compose = AppCompose.parse(app_compose(f"services:\n  a:\n    image: '{reference}'\n"))
    with pytest.raises(VerificationError) as caught:
        compose.require_pinned()
    assert caught.value.reason == Reason.IMAGE_NOT_PINNED


@pytest.mark.parametrize("place", HIDDEN)
def test_no_image_hides(place: str) -> None:
    """One unpinned image anywhere is one too many."""
    with pytest.raises(VerificationError) as caught:
        AppCompose.parse(app_compose(HIDDEN[place])).require_pinned()
    assert caught.value.reason == Reason.IMAGE_NOT_PINNED


@pytest.mark.parametrize("trick", UNREADABLE)
def test_what_could_mean_two_things_is_refused(trick: str) -> None:
    """Docker Compose might read it otherwise, so nobody here guesses."""
    with pytest.raises(ParseError) as caught:
        AppCompose.parse(app_compose(UNREADABLE[trick]))
    assert caught.value.reason == Reason.COMPOSE_INVALID


def test_scripts_and_environment_are_told() -> None:
    """They are measured, and yet open doors."""
    data = app_compose(pre_launch_script="apt-get update", allowed_envs=["API_KEY"])
    compose = AppCompose.parse(data)
    assert compose.scripts == ("pre_launch_script",)
    assert compose.allowed_envs == ("API_KEY",)


@pytest.mark.parametrize("runner", ["bash", None])
def test_other_runners_run_no_images(runner: str | None) -> None:
    """Then nothing says which code runs."""
    with pytest.raises(ParseError) as caught:
        AppCompose.parse(app_compose(runner=runner))
    assert caught.value.reason == Reason.COMPOSE_INVALID


def test_a_key_twice_in_the_document_is_refused() -> None:
    """JSON readers disagree on which one counts."""
    data = b'{"runner":"docker-compose","docker_compose_file":"a","docker_compose_file":"b"}'
    with pytest.raises(ParseError) as caught:
        AppCompose.parse(data)
    assert caught.value.reason == Reason.JSON_DUPLICATE_KEY


def test_floods_are_refused_before_any_work() -> None:
    """No genuine document is this long."""
    with pytest.raises(ParseError) as caught:
        AppCompose.parse(b" " * (256 * 1024 + 1))
    assert caught.value.reason == Reason.INPUT_TOO_LARGE


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text("{}[]:,&*!|>'\"%@`#-? \n\tab<", max_size=60))
def test_hostile_yaml_raises_only_our_errors(text: str) -> None:
    """Compose files are written by whoever deploys."""
    for compose_file in (f"services:\n  a: {text}\n", text):
        with suppress(QuotaryError):
            AppCompose.parse(app_compose(compose_file))
