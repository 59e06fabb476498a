"""How the tables came to be what they are: one revision after another, for both databases."""
