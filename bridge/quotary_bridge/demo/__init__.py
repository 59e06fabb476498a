"""The demonstration: the whole path, played before the user's eyes."""
