"""Keep personal data out of the store: it is masked before anything is written.

Prints:
    stored: Call me at [phone] or write to [email].
    in the files: False
    a text of your own: My card is [card].
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from tenuto import SessionConfig, Tenuto, TenutoConfig
from tenuto.text.redact import redact


async def main() -> None:
    with TemporaryDirectory() as folder:
        host = TenutoConfig(store=f"sqlite:///{folder}/tenuto.db", engine="text")
        config = SessionConfig(redaction="mask", region="US")
        async with Tenuto(host) as tenuto, tenuto.session(config=config) as session:
            await session.send_message("Call me at 212-555-0187 or write to alice@example.com.")
            page = await session.history()
            print("stored:", page.messages[0].text)

        files = await asyncio.to_thread(lambda: list(Path(folder).iterdir()))
        found = [b"0187" in file.read_bytes() or b"alice@" in file.read_bytes() for file in files]
        print("in the files:", any(found))

    # The same, for texts that you store yourself.
    print("a text of your own:", redact("My card is 4111 1111 1111 1111.", "mask"))


if __name__ == "__main__":
    asyncio.run(main())
