"""Has a language model find facts in conversations, through any API that speaks OpenAI's chat completions.

The only module that knows the `openai` library, and it asks for it when an extractor is made.
"""

import logging
from collections.abc import Sequence
from typing import Any

from tenuto.errors import EngineError, MissingExtra
from tenuto.session import extract
from tenuto.session.ports import Learned, Memory, Message

log = logging.getLogger("tenuto.engines")

SECONDS = 60.0
"""Seconds that an answer may take."""


class LLMExtractor:
    """Finds facts in a conversation with a language model.

    Args:
        model: Its name, such as `gpt-4o-mini` or `llama3.2`.
        base_url: Where its API is, such as `http://127.0.0.1:11434/v1`; OpenAI's own when None.
        api_key: The key of that API; the variable `OPENAI_API_KEY` when None.

    Raises:
        MissingExtra: The `openai` library is not installed.

    Example:
        >>> extractor = LLMExtractor("llama3.2", base_url="http://127.0.0.1:11434/v1")  # doctest: +SKIP
        >>> async with Tenuto(extractor=extractor) as tenuto: ...  # doctest: +SKIP
    """

    def __init__(self, model: str, base_url: str | None = None, api_key: str | None = None) -> None:
        try:
            import openai
        except ImportError:
            raise MissingExtra("openai", "Extraction of facts by a language model") from None
        self._openai: Any = openai
        self._model, self._base_url, self._api_key = model, base_url, api_key

    async def extract(
        self, messages: Sequence[Message], known: Sequence[Memory]
    ) -> Sequence[Learned]:
        """Return the facts that the user tells in a conversation; none when the answer is not what was asked for.

        Args:
            messages: The conversation, oldest first. What is not by the user themselves is not learned from.
            known: What is known already.

        Raises:
            EngineError: The model cannot be reached, or refuses.
        """
        read = extract.heard(messages)
        if not any(message.role == "user" for message in read):
            return []
        answer = await self._ask(extract.prompt(read, known))
        try:
            return extract.parse(answer, read)
        except ValueError:
            # Its text may quote what was said.
            log.warning("the model's answer holds no facts as they were asked for: nothing learned")
            return []

    async def _ask(self, prompt: list[dict[str, str]]) -> str:
        try:
            async with self._openai.AsyncOpenAI(
                base_url=self._base_url, api_key=self._key(), timeout=SECONDS, max_retries=1
            ) as client:
                completion = await client.chat.completions.create(
                    model=self._model,
                    messages=prompt,
                    temperature=0,
                    response_format={
                        "type": "json_schema",
                        "json_schema": {"name": "facts", "strict": True, "schema": extract.SCHEMA},
                    },
                )
        except self._openai.OpenAIError as error:
            raise EngineError(
                f"The model that extracts facts failed: {type(error).__name__}."
            ) from None
        choices = completion.choices or []
        return (choices[0].message.content or "") if choices else ""

    def _key(self) -> str | None:
        # The library refuses to call without a key, also where nobody asks for one.
        import os

        if self._api_key is None and self._base_url and not os.environ.get("OPENAI_API_KEY"):
            return "none"
        return self._api_key
