"""Use cases the faces call: what a person asks of syncd, without any output format. No decisions live in the faces."""
