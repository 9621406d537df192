"""One module a verb: values in, values out."""
