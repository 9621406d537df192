"""The stages of an export, from a request to files that are proven equal."""
