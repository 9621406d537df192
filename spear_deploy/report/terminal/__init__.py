"""What a person reads on the terminal: a table or a text of each result."""
