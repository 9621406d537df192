"""The gate for files of others: kind and size, magic, structure, and only then values.

Every reader of the package goes through it. What it refuses is refused in one line, before
anything is allocated for it; nothing that it lets pass can run code or reach another file.
"""
