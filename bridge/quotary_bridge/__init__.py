"""The bridge of Quotary: carries evidence, requests and results between TEEs and a chain."""

from __future__ import annotations
