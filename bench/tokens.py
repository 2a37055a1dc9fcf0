"""How long attribution tokens are, with click ids as long as Meta's.

python -m bench.tokens
"""

from typing import Final

from collector.attribution import Attribution, Click, sign

SIZE_BYTES_MAX: Final = 320
"""With the cookie's name and attributes still far from the 4096 bytes that browsers keep."""
CLICK_ID_CHARACTERS: Final = (99, 131)
"""The lengths of click ids that were seen; Meta promises none."""
BUSINESS: Final = "5f2c8f5e-0d3b-4c0a-9a53-6a7f8e1b2c3d"


def sample(characters: int) -> Attribution:
    """A landing with a click id of so many characters, UUIDs for Connectly's ids and an ad id of 18 digits."""
    click = Click(
        "8c2a1d34-9b7e-4f55-8a1c-2f3b4c5d6e7f",
        "0f9e8d7c-6b5a-4c3d-9e8f-7a6b5c4d3e2f",
        "A" * characters,
        "120210000000000001",
    )
    return Attribution(click, 1_800_000_000)


def sizes() -> dict[int, int]:
    """Bytes of the token for each length of click id."""
    return {characters: len(sign(sample(characters), BUSINESS, [b"k" * 32])) for characters in CLICK_ID_CHARACTERS}


def main() -> None:
    """Print the sizes."""
    for characters, size in sizes().items():
        print(f"click id of {characters} characters: token of {size} bytes (at most {SIZE_BYTES_MAX})")


if __name__ == "__main__":
    main()
