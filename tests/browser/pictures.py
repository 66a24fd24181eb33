"""Small pictures that a browser shows, and a way to keep what a page looks like."""

import os
import struct
import zlib

from playwright.async_api import Page


def png(width: int, height: int, *colours: tuple[int, int, int]) -> bytes:
    """A picture of upright stripes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = b"\0" + b"".join(bytes(colours[x * len(colours) // width]) for x in range(width))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(row * height)), chunk(b"IEND", b""))
    )


async def picture(page: Page, name: str, *, whole: bool = False) -> None:
    """For people to look at: written where DOORSTEP_PICTURES points, if it does."""
    if folder := os.environ.get("DOORSTEP_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=whole)


async def fits(page: Page, *widths: int) -> None:
    """Nothing is cut off or has to be scrolled sideways at these widths."""
    for width in widths:
        await page.set_viewport_size({"width": width, "height": 844})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, width
