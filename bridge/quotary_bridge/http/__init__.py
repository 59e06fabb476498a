"""What a relayer shows over HTTP, requests to metrics, and inputs that it takes."""

from __future__ import annotations

from quotary_bridge.http.app import View, create_app
from quotary_bridge.http.metrics import Metrics
from quotary_bridge.http.openapi import OPENAPI
from quotary_bridge.http.server import Listening, Server, listening

__all__ = ["OPENAPI", "Listening", "Metrics", "Server", "View", "create_app", "listening"]
