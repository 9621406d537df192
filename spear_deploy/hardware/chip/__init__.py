"""What a chip offers: figures with their sources, profiles and their files."""
