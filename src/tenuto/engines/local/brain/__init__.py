"""The built-in brain: a small, deterministic set of rules that answers turns from what it is given.
`brain.Brain` is the entry."""
