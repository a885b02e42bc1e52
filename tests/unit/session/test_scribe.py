"""What all subjects of a core share: what is written is in the state, and is given to the core once."""

import pytest

from tenuto import events as e
from tenuto.errors import IllegalEvent
from tenuto.session import effects, fold, ports
from tenuto.session.reading import NoReader
from tenuto.session.scribe import Scribe


def written() -> Scribe:
    """A scribe of a session that was just made."""
    scribe = Scribe(fold.State(), ports.Capabilities(name="scribe"), NoReader())
    scribe.emit(e.SessionCreated(at=1.0, session="s", tenant="t", user="u", epoch="0" * 16))
    return scribe


def attached(voice: bool) -> e.AttachmentAttached:
    return e.AttachmentAttached(
        at=1.0, attachment=1, role="controller", client="tab", transport="test", voice=voice
    )


def test_what_is_written_is_true_at_once_and_in_order() -> None:
    scribe = written()
    scribe.emit_all([attached(True), e.ConversationStarted(at=1.0, conversation="c1")])
    assert (scribe.state.position, scribe.state.conversation) == (3, "c1")
    assert [e.TAGS[type(event)] for event in scribe.events] == [
        "session.created",
        "attachment.attached",
        "conversation.started",
    ]
    scribe.later(effects.StartGrace())
    scribe.at_once(effects.Quit())
    assert (scribe.durable, scribe.reflexes) == ([effects.StartGrace()], [effects.Quit()])


def test_what_cannot_happen_is_not_written() -> None:
    scribe = written()
    with pytest.raises(IllegalEvent):
        scribe.emit(e.ReplyEnded(at=1.0, reply=1))
    assert (scribe.state.position, len(scribe.events)) == (1, 1)


@pytest.mark.parametrize("voice", [True, False])
def test_somebody_talks_who_is_spoken_to_or_listened_to(voice: bool) -> None:
    scribe = written()
    assert (scribe.voice, scribe.talks) == (False, False), "nobody is there"
    scribe.emit(attached(voice))
    assert (scribe.voice, scribe.talks) == (voice, voice)
    scribe.listening = True
    assert (scribe.voice, scribe.talks) == (voice, True)


def test_the_settings_are_worked_out_again_when_they_change_and_only_then() -> None:
    scribe = written()
    before = scribe.config
    assert scribe.config is before
    scribe.emit(e.ConfigChanged(at=1.0, version=1, changes={"voice": "echo"}))
    assert (before.voice == "echo", scribe.config.voice) == (False, "echo")
