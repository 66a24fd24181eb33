"""The documentation keeps up: settings, commands, intents and links."""

import argparse
import re
from pathlib import Path

import pytest

from bot.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_setting_is_in_the_operations_page_and_none_that_does_not_exist() -> None:
    written = set(re.findall(rf"`({PREFIX}[A-Z_]+)`", (ROOT / "docs/operations.md").read_text()))
    assert written == {PREFIX + name.upper() for name in Settings.model_fields}


def test_every_setting_of_the_example_file_exists() -> None:
    written = re.findall(rf"^#?({PREFIX}[A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert {name.removeprefix(PREFIX).lower() for name in written} <= set(Settings.model_fields)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_is_in_the_readme() -> None:
    from bot.cli import command_names

    readme = (ROOT / "README.md").read_text()
    missing = [name for name in command_names() if f"`doorstep {name}" not in readme]
    assert missing == []


def test_the_parser_is_built_without_trouble() -> None:
    from bot.cli import build_parser

    assert isinstance(build_parser(), argparse.ArgumentParser)
