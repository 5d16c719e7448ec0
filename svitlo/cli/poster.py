"""`svitlo site poster`: a page to pin up in the hall, with the code that opens the bot at this place."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from svitlo.cli.context import DataDir, target, with_session
from svitlo.errors import UserError
from svitlo.settings import load_settings

DPI = 200
_BOT_NAME = re.compile(r"@?([A-Za-z][A-Za-z0-9_]{3,31})")


def poster(
    slug: Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="A .png; SITE.png unless given.")
    ] = None,
    group: Annotated[bool, typer.Option("--group", help="For adding the bot to the house's group chat.")] = False,
    bot: Annotated[
        str | None, typer.Option("--bot", metavar="NAME", help="The bot's user name; asked of Telegram unless given.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a poster (A4, PNG) with a QR code for following the site in Telegram."""
    from svitlo import registry
    from svitlo.pictures.poster import Invitation, deep_link, poster_svg
    from svitlo.pictures.render import png_of

    file = output or Path(f"{slug}.png")
    if file.suffix.lower() != ".png":
        raise UserError(f"the poster is a PNG; end the name with .png: {file.with_suffix('.png')}")

    async def work(session: Any) -> registry.SiteRow:
        return await registry.get_site(session, slug)

    site = with_session(target(data_dir), work)
    name = _checked(bot) if bot is not None else asyncio.run(_asked())
    link = deep_link(name, f"s_{site.slug}" if site.public else f"i_{site.invite}", group=group)
    png = png_of(poster_svg(Invitation(site.name, name, link, group)), dpi=DPI)
    try:
        file.write_bytes(png)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}") from error
    typer.echo(f"Wrote {file}; its code opens {link}")
    if not site.public:
        typer.echo("The site is private: whoever reads the poster can follow it.", err=True)


def _checked(name: str) -> str:
    """A bot's name without the @. Raises `UserError`."""
    found = _BOT_NAME.fullmatch(name.strip())
    if found is None:
        raise UserError(f"{name!r} is not a bot's user name; write it as Telegram shows it, such as my_house_bot")
    return found[1]


async def _asked() -> str:
    """The name of the bot whose token we have. Raises `UserError`, and `ChannelError` if Telegram does not tell it."""
    settings = load_settings()
    if settings.telegram_token is None:
        raise UserError("the bot's name is not known; give --bot NAME, or set SVITLO_TELEGRAM_TOKEN")
    # Imported here because aiogram takes a second or more.
    from aiogram.exceptions import AiogramError

    from services.notifier.channels.telegram import make_bot, translate

    token = settings.telegram_token.get_secret_value()
    bot = make_bot(token, settings.telegram_api_url)
    try:
        return (await bot.me()).username or ""
    except (AiogramError, TimeoutError) as error:
        raise translate(error, token) from None  # what it came from may hold the token
    finally:
        await bot.session.close()
