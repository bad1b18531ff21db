"""The one loop: a state folded over acquisitions."""
