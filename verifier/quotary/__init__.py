"""Verify Intel DCAP evidence."""
