"""How layers are cut and laid on cores, and what each core then uses."""
