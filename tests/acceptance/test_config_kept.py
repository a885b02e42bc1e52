"""Another host finds a session's settings as they were: every layer, every change, and what the template knew."""

from pathlib import Path
from typing import Any

from tenuto import SessionConfig, SessionTemplate, Tenuto, TenutoConfig

CLINIC = SessionTemplate(
    name="medical_consultation",
    base_config=SessionConfig(memory_mode="persistent", voice="sage"),
    required_context=["patient_id", "appointment_type"],
    memory_categories=["medical_history", "symptoms"],
)
KNOWN = {"patient_id": "P12345", "appointment_type": "follow_up"}


def host(folder: Path, **agent: Any) -> Tenuto:
    return Tenuto(TenutoConfig(store=f"sqlite:///{folder}/tenuto.db", engine="text", agent=agent))


async def test_everything_is_as_it_was(tmp_path: Path) -> None:
    async with host(tmp_path, language="de") as tenuto:
        session = await tenuto.create_session_from_template(
            CLINIC, KNOWN, config={"temperature": 0.5}
        )
        await session.send_message("Hi")
        await session.config_applied(await session.update_config(temperature=0.3))
        before, layers = session.config.value, session.config.layers
        name = session.session_id
    # Settings of the host that were changed meanwhile are not those of a session that was made before.
    async with host(tmp_path, language="fr") as tenuto:
        session = await tenuto.load_session(name)
        assert session.config == before
        assert session.config.layers == layers
        assert layers["agent"] == {"language": "de"} and layers["live"] == {"temperature": 0.3}
        assert (session.config.version, session.config.applied_version) == (1, 1)
        assert session.driver.core.state.context == KNOWN
        assert await session.update_config(temperature=0.3) == 1
