from collections.abc import Sequence

from tenuto import events as e
from tenuto.testing.timeline import timeline


def conversation(salt: str, began: float) -> Sequence[e.Event]:
    mic, client, talk = f"mic{salt}", f"client{salt}", f"talk{salt}"
    return [
        e.SessionCreated(at=began, session=salt, tenant="local", user="alice", epoch=salt * 16),
        e.AttachmentAttached(
            at=began + 0.5,
            attachment=1,
            role="controller",
            client=client,
            transport="websocket",
            voice=True,
            token=salt,
        ),
        e.ConversationStarted(at=began + 0.5, conversation=talk),
        e.SpeechStarted(at=began + 1.0, turn=1, mic=mic, offset=1600),
        e.SpeechEnded(at=began + 2.0, turn=1, mic=mic, until=32000),
        e.MessageAdded(
            at=began + 2.0,
            message=1,
            role="user",
            text="What's up?",
            turn=1,
            conversation=talk,
            by="voice",
        ),
        e.ReplyStarted(at=began + 2.1, reply=1, turn=1, conversation=talk, aloud=True),
        e.ReplySegment(at=began + 2.1, reply=1, index=0, text="Nothing.", last=True, cites=[1]),
        e.ReplyEnded(at=began + 3.25, reply=1, heard=1.1),
        e.MessageAdded(
            at=began + 5.0,
            cause=f"{client}:1",
            message=2,
            role="user",
            text="Bye",
            turn=2,
            conversation=talk,
        ),
        e.Unknown(at=began + 6.0, kind="weather.changed"),
        e.ConfigChanged(at=began + 6.0, version=2, changes={"b": 1, "a": "x"}),
    ]


EXPECTED = """\
   0.000     1  session.created        tenant=local user=alice
   0.500     2  attachment.attached    attachment=1 role=controller client=client-1 transport=websocket voice=yes
   0.500     3  conversation.started   conversation=conversation-1

turn 1
   1.000     4  speech.started         mic=mic-1 offset=1600
   2.000     5  speech.ended           mic=mic-1 until=32000
   2.000     6  message.added          message=1 role=user text="What's up?" conversation=conversation-1 by=voice
   2.100     7  reply.started          reply=1 conversation=conversation-1 aloud=yes
   2.100     8  reply.segment          reply=1 index=0 text="Nothing." last=yes cites=[1]
   3.250     9  reply.ended            reply=1 heard=1.100

turn 2
   5.000    10  message.added          cause=client-1:1 message=2 role=user text="Bye" conversation=conversation-1
   6.000    11  weather.changed
   6.000    12  config.changed         version=2 changes={"a":"x","b":1}"""


def test_a_session_as_text() -> None:
    assert timeline(enumerate(conversation("a", 1_000.0), start=1)) == EXPECTED


def test_the_text_is_the_same_for_another_run() -> None:
    assert timeline(enumerate(conversation("b", 7_777.25), start=1)) == EXPECTED


def test_unstable_shows_everything() -> None:
    text = timeline(enumerate(conversation("b", 0.0), start=1), stable=False)
    assert "epoch=bbbbbbbbbbbbbbbb" in text
    assert "client=clientb" in text
    assert "cause=clientb:1" in text


def test_a_part_of_a_journal() -> None:
    events = conversation("c", 0.0)
    assert timeline([(5, events[4])]).splitlines()[-1].startswith("   0.000     5  speech.ended")
    assert timeline([]) == ""
