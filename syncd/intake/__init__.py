"""The intake: receives what push sources send, stores it, and only then answers. An adapter; imports no pipeline (DESIGN 7)."""
