def write_page(name, raw, path):
    pass
