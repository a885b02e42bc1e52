"""A template: settings for sessions of one kind, and what has to be known before one of them begins.

Prints:
    the same from a file: True
    template_context_missing - The template 'medical_consultation' needs to know appointment_type: give it in `context`.
"""

import asyncio
import tempfile
from pathlib import Path

from tenuto import SessionConfig, SessionTemplate, Tenuto, TenutoConfig, TenutoError

FILE = """
required_context = ["patient_id", "appointment_type"]
memory_categories = ["medical_history", "symptoms", "medications"]

[base_config]
instructions = "You are a medical assistant."
memory_mode = "persistent"
enable_analytics = true
"""


async def main() -> None:
    template = SessionTemplate(
        name="medical_consultation",
        base_config=SessionConfig(
            instructions="You are a medical assistant.",
            memory_mode="persistent",
            enable_analytics=True,
        ),
        required_context=["patient_id", "appointment_type"],
        memory_categories=["medical_history", "symptoms", "medications"],
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "medical_consultation.toml"
        path.write_text(FILE, encoding="utf-8")
        print("the same from a file:", SessionTemplate.from_file(path) == template)

    async with Tenuto(TenutoConfig(store="memory:", engine="text")) as tenuto:
        session = await tenuto.create_session_from_template(
            template=template,
            context={"patient_id": "P12345", "appointment_type": "follow_up"},
        )
        print("settings:", session.config.layers)
        await session.add_memory("Has had a cough for a week.", category="symptoms")

        for wrong in (
            lambda: session.add_memory("Likes jazz.", category="music"),
            lambda: tenuto.create_session_from_template(template, {"patient_id": "P12345"}),
        ):
            try:
                wrong()
            except TenutoError as error:
                print(error.code, "-", error.message)


asyncio.run(main())
