"""Mutations of files: of their bytes, and of what lies inside an archive or a text."""

import io
import random
import re
import warnings
import zipfile

EDGES = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff" * 4,
    b"\x00" * 8,
    b"\xff" * 8,
    b"\x7f" + b"\xff" * 7,
    b"\x00\x00\x00\x80",
)
NUMBERS = (
    "0",
    "-1",
    "1e999",
    "nan",
    "inf",
    "9" * 40,
    "9" * 5000,
    "18446744073709551615",
    "-9223372036854775809",
    "0.5",
)
WORDS = ("null", "true", "[]", "{}", '""', "[" * 3000, "{" * 2000, '"\\u0000"', '"../../x"', '"\\ud800"', "\x1b[2J")


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """One to a few changes at random places."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(7):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1:
                edge = rng.choice(EDGES)
                data[at : at + len(edge)] = edge
            case 2:
                del data[at:]
            case 3:
                del data[at : at + rng.choice((1, 2, 8, 64, 512))]
            case 4:
                data[at:at] = rng.randbytes(rng.choice((1, 4, 32)))
            case 5:
                start = rng.randrange(len(data) + 1)
                data[at:at] = data[start : start + rng.choice((4, 64, 512))]
            case _:
                data[at : at + 2] = rng.randbytes(2)
    return bytes(data)


def mutate_text(content: bytes, rng: random.Random) -> bytes:
    """A number or a word of JSON, TOML or a header replaced; now and then its bytes."""
    text = content.decode("latin-1")
    places = list(re.finditer(r"-?\d+\.?\d*(?:e-?\d+)?|\"[^\"]*\"|'[^']*'|true|false|null", text))
    if not places or rng.random() < 0.3:
        return mutate_bytes(content, rng)
    for _ in range(rng.choice((1, 1, 3))):
        place = rng.choice(places)
        text = text[: place.start()] + rng.choice(NUMBERS + WORDS) + text[place.end() :]
    return text.encode("latin-1", "replace")


def mutate_zip(content: bytes, rng: random.Random) -> bytes:
    """Members changed, added, doubled, packed otherwise, with sums that fit; now and then the archive's bytes."""
    if rng.random() < 0.3:
        return mutate_bytes(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
        stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
    at = rng.randrange(len(members))
    name, data = members[at]
    match rng.randrange(6):
        case 0 | 1 | 2:
            head = rng.randrange(1, 200)
            changed = mutate_text(data[:head], rng) if rng.random() < 0.6 else mutate_bytes(data[:head], rng)
            members[at] = name, changed + data[head:]
        case 3:
            members[at] = name, mutate_bytes(data, rng)
        case 4:
            members[at] = rng.choice(("../x", "/tmp/x", name + "/x", "", "y", name.upper())), data
        case _:
            members.insert(at, (rng.choice((name, "extra.npy")), bytes(1 << rng.randrange(25))))
    method = (
        zipfile.ZIP_STORED if stored and rng.random() < 0.9 else rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that stands in it twice is what is wanted
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name or "x"), data, method)
    return out.getvalue()
