import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.client.core import DEAD, ClientCore, Close, Options, Renew, Send
from tenuto.client.items import (
    Answered,
    Changed,
    Complained,
    Happened,
    Item,
    Refusal,
    Restored,
    Told,
)
from tenuto.errors import (
    InvalidAudio,
    InvalidInput,
    NotAuthenticated,
    Refused,
    SessionEnded,
    SessionNotFound,
    Superseded,
    TooMuch,
)
from tenuto.events import ReplyCut, ReplyStarted, SpeechEnded, Unknown
from tenuto.wire import native
from tests.unit.client.server import RATE, Connection, Server, encode_event, texts

OPTIONS = Options(session="s", client="me", microphone=RATE, loudspeaker=0, seed=1)


def connected(
    options: Options = OPTIONS, server: Server | None = None
) -> tuple[ClientCore, Connection]:
    core = ClientCore(options)
    connection = Connection(server or Server(), core, 0.0)
    connection.settle(0.0)
    return core, connection


def again(core: ClientCore, server: Server, now: float) -> Connection:
    connection = Connection(server, core, now)
    connection.settle(now)
    return connection


def sent(core: ClientCore) -> list[Any]:
    output = core.output()
    return [
        native.decode_client(one.data) for one in output if isinstance(one, Send) and not one.binary
    ]


def ramp(start: int, samples: int) -> bytes:
    return b"".join((n % 30_000).to_bytes(2, "little") for n in range(start, start + samples))


# ----------------------------------------------------------------------------------- whatever happens


ACTIONS = st.sampled_from(
    [
        "command",
        "event",
        "serve",
        "serve",
        "deliver",
        "deliver",
        "cut",
        "hear",
        "lose",
        "wait",
        "connect",
    ]
)


def talk(actions: Sequence[str], server: Server) -> None:
    """Do all this, then let everything arrive; fail unless nothing was lost, doubled or out of order."""
    core = ClientCore(OPTIONS)
    connection: Connection | None = None
    now, said, commands = 0.0, 0, 0
    items: list[Item] = []
    answers: list[Any] = []
    for action in [*actions, "connect", "settle"]:
        match action:
            case "command" if len(core.outbox) < 30:
                commands += 1
                assert core.command(native.SendMessage(text=f"c{commands}"), now) == commands
            case "event":
                server.add("event")
            case "serve" if connection is not None and connection.to_server:
                connection.serve_one()
            case "deliver" if connection is not None and connection.to_client:
                connection.deliver_one(now)
            case "cut" if connection is not None:
                core.lost(None, "cut", now)
                connection = None
            case "hear" if said < 20 * RATE:
                core.hear(ramp(said, 80), now)
                said += 80
            case "lose" if connection is not None:
                connection.rewind(max(0, len(server.heard) // 2 - 300))
            case "wait":
                now += 1.0
                core.tick(now)
            case "connect" if connection is None:
                assert core.connect_at is not None
                now = max(now, core.connect_at)
                connection = Connection(server, core, now)
            case "settle" if connection is not None:
                connection.push()
                connection.settle(now)
        if connection is not None:
            connection.push()
            connection.collect()
            if not connection.open:
                connection = None
        items.extend(core.items())
        answers.extend(core.answers())

    happened = [item for item in items if isinstance(item, Happened)]
    assert [item.position for item in happened] == list(range(1, len(server.journal) + 1))
    assert [item.body for item in happened] == server.journal
    assert server.ran == list(range(1, commands + 1))
    assert sorted(answer.number for answer in answers) == server.ran
    assert all(server.answers[answer.number] == answer.position for answer in answers)
    assert bytes(server.heard) == ramp(0, said)
    assert core.state == "live"


@settings(max_examples=100, deadline=None)
@given(actions=st.lists(ACTIONS, min_size=40, max_size=120))
def test_every_event_and_every_command_once_in_order_whatever_is_cut(actions: list[str]) -> None:
    talk(actions, Server())


def test_control_a_server_that_forgets_what_it_ran_is_found_out() -> None:
    class Forgetful(Server):
        def add(self, text: str, cause: str = "") -> int:
            position = super().add(text, cause)
            self.answers.clear()
            return position

    names = ["command", "event", "serve", "serve", "deliver", "cut", "connect"]
    found = 0
    for seed in range(20):
        actions = random.Random(seed).choices(names, k=80)
        try:
            talk(actions, Forgetful())
        except (AssertionError, KeyError):
            found += 1
    assert found > 10


# ------------------------------------------------------------------------------------------ attaching


def test_the_first_attach_says_who_and_the_next_what_it_has() -> None:
    core, one = connected()
    one.server.add("hello")
    one.push()
    one.settle(0.0)
    core.lost(None, "", 10.0)
    again(core, one.server, 10.0)
    first, second = one.server.attaches
    assert (first.ticket, first.token, first.have) == ("t", "", None)
    assert first.mic == native.Mic(stream="m1", rate=RATE, rewinds=True)
    assert first.loudspeaker == native.Loudspeaker(rate=None)
    assert (second.ticket, second.token) == ("", "token-1")
    assert second.have == native.Have(epoch="e" * 16, position=1)
    assert not core.needs_ticket


def test_states_are_told() -> None:
    core, one = connected()
    core.lost(None, "", 1.0)
    again(core, one.server, 1.0)
    assert [i.state for i in core.items() if isinstance(i, Changed)] == [
        "live",
        "reconnecting",
        "live",
    ]


def test_a_first_attempt_that_fails_is_still_connecting() -> None:
    core = ClientCore(OPTIONS)
    core.lost(None, "refused", 0.0)
    assert (core.state, core.connect_at) == ("connecting", 0.0)


def test_a_snapshot_takes_the_place_of_what_was_missed() -> None:
    core, one = connected()
    one.server.add("seen")
    one.push()
    one.settle(0.0)
    core.lost(None, "", 5.0)
    one.server.most_replayed = 2
    for _ in range(5):
        one.server.add("missed")
    two = again(core, one.server, 5.0)
    one.server.add("later")
    two.push()
    two.settle(5.0)
    kinds = [(type(item), item.position) for item in core.items() if not isinstance(item, Changed)]  # type: ignore[union-attr]
    assert kinds == [(Happened, 1), (Restored, 6), (Happened, 7)]


def test_another_journal_is_another_count() -> None:
    core, one = connected()
    one.server.add("old")
    one.push()
    one.settle(0.0)
    core.lost(None, "", 5.0)
    other = Server(epoch="f" * 16)
    other.tokens = 9
    two = again(core, other, 5.0)
    other.add("new")
    two.push()
    two.settle(5.0)
    assert (core.epoch, core.position) == ("f" * 16, 1)
    assert texts(core.items()) == ["old", "new"]


def test_a_gap_is_asked_for_again() -> None:
    core, one = connected()
    for text in ("a", "b", "c"):
        one.server.add(text)
    core.text(native.event(1, one.server.journal[0]), 0.0)
    core.text(native.event(3, one.server.journal[2]), 0.0)
    assert core.output()[-1] == Close(native.CloseCode.SILENT, "gap")
    assert core.connect_at is not None
    again(core, one.server, 1.0)
    assert texts(core.items()) == ["a", "b", "c"]


def test_what_a_later_version_sends_is_not_in_the_way() -> None:
    core, _ = connected()
    core.text(b'{"type":"weather","sunny":true}', 0.0)
    core.text(b"not json", 0.0)
    core.binary(b"odd", 0.0)
    core.text(native.event(1, b'{"type":"weather.changed","at":1,"sunny":true}'), 0.0)
    item = next(item for item in core.items() if isinstance(item, Happened))
    assert item.event == Unknown(at=1.0, kind="weather.changed")
    assert b"sunny" in item.body


def test_what_is_not_journaled_is_told() -> None:
    core, one = connected()
    one.say(native.Tell(kind="partial", body={"text": "hel"}))
    one.say(native.Error(code="audio_invalid", message="bad"))
    one.settle(0.0)
    assert Told("partial", {"text": "hel"}) in (items := core.items())
    assert Complained("audio_invalid", "bad") in items


# ----------------------------------------------------------------------------------------- coming back


def attempts(core: ClientCore, now: float, until: float, code: int | None = None) -> list[float]:
    """Fail to connect until then; return how long each attempt was waited for."""
    waits = []
    while now < until:
        core.lost(code, "", now)
        assert core.connect_at is not None
        waits.append(core.connect_at - now)
        now = core.connect_at
    return waits


def test_the_schedule_is_at_once_then_soon_then_jitter() -> None:
    core = ClientCore(OPTIONS)
    soon, rare = attempts(core, 0.0, 30.0), attempts(core, 31.0, 150.0)
    assert soon[:2] == [0.0, pytest.approx(0.3)]
    assert len({round(wait, 6) for wait in [*soon[2:], *rare]}) == len(soon) - 2 + len(rare)
    assert 1.0 < max(soon) <= 2.0
    assert 5.0 < max(rare) <= 10.0


@pytest.mark.parametrize("seed", range(20))
def test_a_server_that_dies_again_and_again_is_found_soon_while_speech_is_kept(seed: int) -> None:
    core = ClientCore(Options(session="s", client="me", microphone=RATE, seed=seed))
    server, now = Server(), 0.0
    away = []
    for _ in range(8):
        # It is there for half a second, too short to count as steady, and then gone for two.
        again(core, server, now)
        core.lost(None, "", now + 0.5)
        back = now + 2.5
        while core.connect_at is not None and core.connect_at < back:
            core.lost(None, "", core.connect_at)
        assert core.connect_at is not None
        away.append(core.connect_at - back)
        now = core.connect_at
    assert now < 38.0
    assert max(away) <= 2.0


def test_attempts_stay_rare_for_a_server_that_asked_to_be_spared() -> None:
    core, one = connected()
    spared = attempts(core, 0.0, 0.1, native.CloseCode.OVERLOADED)
    assert max(spared + attempts(core, 1.0, 25.0)) > 2.0
    again(core, one.server, 30.0)
    assert max(attempts(core, 40.0, 60.0)) <= 2.0


def test_the_schedule_begins_anew_after_a_steady_connection() -> None:
    core, one = connected()
    for now, expected in ((0.1, 0.0), (0.2, 0.3), (100.0, 0.0)):
        core.lost(None, "", now)
        assert core.connect_at == pytest.approx(now + expected)
        again(core, one.server, now + expected)


def test_backing_off_is_never_at_once() -> None:
    waits = []
    for seed in range(20):
        core = ClientCore(Options(session="s", client="me", seed=seed))
        core.opened(0.0)
        core.lost(native.CloseCode.OVERLOADED, "", 0.0)
        assert core.connect_at is not None
        waits.append(core.connect_at)
    assert max(waits) > 2.0
    assert min(waits) > 0.0


def test_moving_goes_where_it_was_told_to() -> None:
    core, one = connected()
    one.say(native.Moved(url="wss://b.example", after=0.5))
    one.settle(0.0)
    core.lost(native.CloseCode.MOVED, "", 9.0)
    assert (core.url, core.connect_at) == ("wss://b.example", 9.5)


def test_being_online_again_is_tried_at_once() -> None:
    core = ClientCore(OPTIONS)
    for _ in range(8):
        core.lost(None, "", 1.0)
    core.online(1.0)
    assert core.connect_at == 1.0


@pytest.mark.parametrize(
    ("code", "said", "error"),
    [
        (native.CloseCode.ENDED, None, None),
        (native.CloseCode.SUPERSEDED, None, Superseded),
        (native.CloseCode.REFUSED, "session_not_found", SessionNotFound),
        (native.CloseCode.PROTOCOL, None, InvalidInput),
        (4042, None, Refused),
    ],
)
def test_a_final_close_is_final(code: int, said: str | None, error: type | None) -> None:
    core, _ = connected()
    core.command(native.SendMessage(text="too late"), 0.0)
    if said:
        core.text(native.encode(native.Error(code=said, message="m")), 0.0)
    core.lost(code, "", 1.0)
    assert core.state == "closed"
    assert core.connect_at is None and core.wake is None
    assert type(core.error) is (error or type(None))
    assert [type(answer) for answer in core.answers()] == [Refusal]
    with pytest.raises(error or SessionEnded):
        core.command(native.SendMessage(text="later"), 2.0)


def test_an_expired_token_is_followed_by_a_ticket_and_two_refused_tickets_by_the_end() -> None:
    core, _ = connected()
    core.lost(None, "", 1.0)
    core.opened(1.0)
    core.lost(native.CloseCode.EXPIRED, "", 1.0)
    assert core.needs_ticket
    for _ in range(2):
        core.opened(2.0, ticket="t")
        core.lost(native.CloseCode.EXPIRED, "", 2.0)
    assert core.state == "closed"
    assert isinstance(core.error, NotAuthenticated)


def test_leaving() -> None:
    core, _ = connected()
    core.items()
    core.leave()
    assert core.output() == [
        Send(native.encode(native.Bye()), binary=False),
        Close(1000, "left"),
    ]
    core.lost(native.CloseCode.ENDED, "left", 1.0)
    assert core.items() == [Changed("closed")]
    assert core.error is None


def test_giving_up() -> None:
    core = ClientCore(OPTIONS)
    core.give_up(NotAuthenticated("no ticket"))
    core.give_up(Superseded())
    assert isinstance(core.error, NotAuthenticated)


# ------------------------------------------------------------------------------------------------ time


def test_beats_say_how_much_was_seen_and_silence_is_death() -> None:
    core, one = connected()
    one.server.add("x")
    one.push()
    one.settle(1.0)
    assert core.wake == 5.0
    core.tick(4.0)
    assert sent(core) == []
    core.tick(5.0)
    assert sent(core) == [native.Beat(position=1)]
    core.text(native.encode(native.Beat()), 9.0)
    core.tick(9.0 + DEAD - 0.1)
    assert core.connect_at is None
    core.tick(9.0 + DEAD)
    assert core.output()[-1] == Close(native.CloseCode.SILENT, "silent")
    assert core.state == "reconnecting"
    core.text(native.encode(native.Live(head=1)), 30.0)
    assert core.state == "reconnecting", "a frame of a socket that was given up"


def test_a_server_that_never_answers_the_attach_is_dead_too() -> None:
    core = ClientCore(OPTIONS)
    core.opened(0.0, "t")
    assert core.wake == DEAD
    core.tick(DEAD)
    assert core.connect_at is not None


# -------------------------------------------------------------------------------------------- commands


def test_a_command_is_answered() -> None:
    core, one = connected()
    one.server.refuse.add(2)
    core.command(native.SendMessage(text="a"), 0.0)
    core.command(native.SendMessage(text="b"), 0.0)
    one.settle(0.0)
    assert core.answers() == [Answered(1, 1), Refusal(2, "invalid_transition", "no")]
    core.text(native.encode(native.Ok(number=1, position=1)), 0.0)
    assert core.answers() == []


def test_commands_wait_for_a_connection_and_are_bounded() -> None:
    core = ClientCore(OPTIONS)
    for _ in range(native.MAX_COMMANDS):
        core.command(native.SendMessage(text="x"), 0.0)
    with pytest.raises(TooMuch):
        core.command(native.SendMessage(text="x"), 0.0)
    assert core.output() == []
    server = Server()
    connection = Connection(server, core, 0.0)
    connection.settle(0.0)
    assert len(server.ran) == 40, "no faster than the server takes them"
    now = 0.0
    while core.outbox:
        assert core.wake is not None
        now = max(now, core.wake)
        core.tick(now)
        connection.say(native.Beat())
        connection.settle(now)
    assert server.ran == list(range(1, 257))
    assert now == pytest.approx((256 - 40) / 8.0, abs=0.5)


def test_a_program_that_comes_back_under_its_id_counts_on() -> None:
    server = Server()
    server.answers = {7: 0}
    core, _ = connected(server=server)
    assert core.command(native.SendMessage(text="x"), 0.0) == 8


# ----------------------------------------------------------------------------------------------- audio


def test_the_microphone_goes_on_where_the_server_says() -> None:
    core, one = connected()
    core.hear(ramp(0, 4_000), 0.0)
    one.settle(0.0)
    core.lost(None, "", 1.0)
    core.hear(ramp(4_000, 4_000), 1.0)
    del one.server.heard[2_000:]
    again(core, one.server, 1.0)
    assert bytes(one.server.heard) == ramp(0, 8_000)


def test_only_half_a_minute_is_kept() -> None:
    core = ClientCore(OPTIONS)
    for second in range(35):
        core.hear(bytes(2 * RATE), float(second))
    assert core.microphone is not None
    assert core.microphone.waiting == 30 * RATE
    server = Server()
    server.heard = bytearray(2 * 5 * RATE)
    again(core, server, 40.0)
    assert core.microphone.waiting > 0, "the socket takes only so much at once"


def speech_ended(server: Server, until: int, reason: str, mic: str = OPTIONS.stream) -> None:
    server.journal.append(
        encode_event(SpeechEnded(at=0.0, turn=1, mic=mic, until=until, reason=reason))
    )


def complaints(core: ClientCore) -> list[str]:
    return [item.code for item in core.items() if isinstance(item, Complained)]


def test_speech_that_is_too_old_to_be_sent_again_is_complained_of_once() -> None:
    core, one = connected()
    core.hear(bytes(2 * RATE), 0.0)
    one.settle(0.0)
    server = one.server
    core.lost(None, "", 1.0)
    speech_ended(server, until=4_000, reason="lost")
    server.heard, server.skips = server.heard[: 2 * 4_000], True
    for second in range(29):
        core.hear(bytes(2 * RATE), float(second))
    again(core, server, 29.0)
    assert complaints(core) == [], "all of it is kept"
    core.lost(None, "", 30.0)
    del server.heard[2 * 4_000 :]
    core.hear(bytes(2 * RATE), 30.0)
    again(core, server, 30.0)
    assert complaints(core) == ["speech_lost"]
    core.lost(None, "", 31.0)
    again(core, server, 31.0)
    assert complaints(core) == []


@pytest.mark.parametrize("how", ["kept", "understood", "safe", "another microphone", "restored"])
def test_speech_that_is_not_lost_is_not_complained_of(how: str) -> None:
    core, one = connected()
    server = one.server
    core.hear(bytes(2 * RATE), 0.0)
    one.settle(0.0)
    speech_ended(server, 4_000, "lost", "theirs" if how == "another microphone" else OPTIONS.stream)
    if how == "understood":
        speech_ended(server, 8_000, "pause")
    one.push()
    one.settle(0.0)
    if how == "safe":
        core.text(native.encode(native.Beat(mic=4_001)), 0.0)
    if how == "restored":
        server.most_replayed = 0
        server.add("a")
    core.lost(None, "", 0.0)
    del server.heard[2 * 4_000 :]
    server.skips = True
    for second in range(20 if how == "kept" else 40):
        core.hear(bytes(2 * RATE), float(second))
    again(core, server, 40.0)
    assert complaints(core) == []


def test_the_microphone_is_sent_again_when_an_engine_was_lost() -> None:
    core, one = connected()
    core.hear(ramp(0, 4_000), 0.0)
    one.settle(0.0)
    one.rewind(1_000)
    core.hear(ramp(4_000, 800), 0.1)
    one.collect()
    while one.to_server:
        one.serve_one()
    assert bytes(one.server.heard) == ramp(0, 1_000), "what was under way comes again"
    one.settle(0.1)
    core.hear(ramp(4_800, 800), 0.2)
    one.settle(0.2)
    assert bytes(one.server.heard) == ramp(0, 5_600)


def test_speech_of_an_engine_that_was_lost_is_complained_of_when_it_is_too_old() -> None:
    core, one = connected()
    core.hear(bytes(2 * RATE), 0.0)
    for second in range(1, 32):
        core.hear(bytes(2 * RATE), float(second))
        core.congestion = 0
        one.settle(float(second))
    speech_ended(one.server, 4_000, "lost")
    one.push()
    one.server.skips = True
    one.rewind(4_000)
    one.settle(32.0)
    assert complaints(core) == ["speech_lost"]
    while one.to_server or (core.microphone is not None and core.microphone.waiting):
        core.tick(32.0)
        one.settle(32.0)
    assert len(one.server.heard) == 2 * 32 * RATE, "the rest is sent"


@pytest.mark.parametrize("how", ["lost engine", "lost connection"])
def test_a_microphone_that_was_off_is_off_again_behind_what_is_sent_again(how: str) -> None:
    core, one = connected()
    core.hear(ramp(0, 4_000), 0.0)
    core.command(native.StopListening(), 0.0)
    one.settle(0.0)
    assert one.server.stops == [4_000]
    if how == "lost engine":
        one.rewind(1_000)
    else:
        core.lost(None, "", 1.0)
        del one.server.heard[2_000:]
        one = Connection(one.server, core, 1.0)
    one.settle(1.0)
    assert (bytes(one.server.heard), one.server.stops) == (ramp(0, 4_000), [4_000, 4_000])
    assert [answer.number for answer in core.answers()] == [1, 2]


def test_a_microphone_that_is_on_again_is_not_off() -> None:
    core, one = connected()
    core.hear(ramp(0, 4_000), 0.0)
    core.command(native.StopListening(), 0.0)
    one.settle(0.0)
    core.congestion = 10**6
    one.rewind(1_000)
    one.settle(0.0)
    core.hear(ramp(4_000, 800), 1.0)
    core.congestion = 0
    core.tick(1.0)
    one.settle(1.0)
    one.rewind(1_000)
    one.settle(1.0)
    assert (bytes(one.server.heard), one.server.stops) == (ramp(0, 4_800), [4_000])


def test_a_microphone_is_off_behind_what_a_full_socket_holds_up() -> None:
    core, one = connected()
    core.congestion = 10**6
    core.hear(ramp(0, 4_000), 0.0)
    core.command(native.StopListening(), 0.0)
    one.settle(0.0)
    core.congestion = 0
    core.tick(1.0)
    one.settle(1.0)
    assert one.server.stops == [0, 4_000]


def test_who_has_too_much_unanswered_says_no_more_that_the_microphone_is_off() -> None:
    core, one = connected()
    core.hear(ramp(0, 4_000), 0.0)
    core.command(native.StopListening(), 0.0)
    one.settle(0.0)
    for _ in range(native.MAX_COMMANDS):
        core.command(native.SendMessage(text="a"), 0.0)
    one.rewind(1_000)
    one.to_server.clear()
    while one.to_client:
        one.deliver_one(0.0)
    assert len(core.outbox) == native.MAX_COMMANDS


def test_an_observer_is_not_asked_for_a_microphone() -> None:
    core, one = connected(Options(session="s", client="me", role="observer"))
    one.say(native.Rewind(mic=0))
    one.settle(0.0)
    assert sent(core) == []


def test_a_full_socket_waits_and_loses_nothing() -> None:
    core, one = connected()
    core.congestion = 10**6
    core.hear(ramp(0, 8_000), 0.0)
    one.settle(0.0)
    assert not one.server.heard
    assert core.wake == pytest.approx(0.05)
    core.congestion = 0
    core.tick(0.05)
    one.settle(0.05)
    assert bytes(one.server.heard) == ramp(0, 8_000)


def test_bad_microphones() -> None:
    with pytest.raises(InvalidInput):
        ClientCore(Options(session="s", client="me")).hear(b"", 0.0)
    with pytest.raises(InvalidAudio):
        ClientCore(OPTIONS).hear(b"123", 0.0)


def test_an_observer_sends_no_audio_and_no_marks() -> None:
    options = Options(session="s", client="me", role="observer", microphone=RATE, loudspeaker=0)
    core, one = connected(options)
    core.hear(ramp(0, 4_000), 0.0)
    one.audio(1, 0, bytes(2 * RATE))
    one.settle(0.0)
    core.play(0.0)
    assert len(core.play(1.0)) == 2 * RATE
    one.settle(1.0)
    assert not one.server.heard and not one.server.marks


def test_a_reply_is_played_and_marked() -> None:
    core, one = connected()
    core.play(0.0)
    one.audio(1, 0, ramp(0, RATE))
    one.settle(0.0)
    heard = b"".join(core.play(step * 0.02) for step in range(1, 70))
    one.settle(1.4)
    assert heard == ramp(0, RATE) + bytes(len(heard) - 2 * RATE)
    assert [mark.done for mark in one.server.marks] == [False] * 3 + [True]
    assert one.server.marks[-1] == native.Mark(reply=1, seconds=1.0, done=True)


def test_audio_that_comes_before_attached_is_played() -> None:
    core = ClientCore(OPTIONS)
    one = Connection(Server(), core, 0.0)
    one.audio(1, 0, ramp(0, 800))
    one.deliver_one(0.0)
    one.settle(0.0)
    core.play(0.0)
    assert core.play(0.1) == ramp(0, 800)


def test_a_reply_that_goes_on_after_a_cut_is_heard_once() -> None:
    core, one = connected()
    core.play(0.0)
    one.audio(1, 0, ramp(0, 4_000))
    one.settle(0.0)
    heard = core.play(0.25)
    core.lost(None, "", 0.25)
    heard += core.play(0.3)
    two = Connection(one.server, core, 0.3)
    two.serve_one()
    attach = one.server.attaches[-1]
    assert attach.heard is not None
    assert attach.heard.seconds == pytest.approx(0.3)
    two.audio(1, 2_400, ramp(2_400, 5_600))
    two.settle(0.3)
    heard += core.play(1.0)
    assert heard == ramp(0, 8_000)


def test_a_hush_silences_at_once_and_for_good() -> None:
    core, one = connected()
    core.play(0.0)
    one.audio(1, 0, ramp(1, RATE))
    one.settle(0.0)
    assert core.play(0.1) == ramp(1, 800)
    one.say(native.Hush(reply=1))
    one.audio(1, RATE, ramp(1, RATE))
    one.settle(0.1)
    assert core.play(0.2) == bytes(1_600)
    one.audio(2, 0, ramp(5, 1_600))
    one.settle(0.2)
    assert core.play(0.4) == ramp(5, 1_600)


def test_a_cut_that_was_missed_silences_too() -> None:
    core, one = connected()
    core.play(0.0)
    one.audio(1, 0, ramp(1, RATE))
    one.settle(0.0)
    core.play(0.1)
    core.text(native.event(1, encode_event(ReplyCut(at=0.0, reply=1, reason="barge_in"))), 0.1)
    assert core.play(0.2) == bytes(1_600)


def test_replies_beyond_sixteen_bits_are_told_apart() -> None:
    core, one = connected()
    body = encode_event(ReplyStarted(at=0.0, reply=70_000, turn=1, conversation="c"))
    core.text(native.event(1, body), 0.0)
    core.play(0.0)
    one.audio(70_000, 0, ramp(1, RATE))
    one.settle(0.0)
    core.play(0.5)
    heard = core.loudspeaker.heard
    assert heard is not None and heard.reply == 70_000


def test_stopping_a_reply_says_what_was_heard_of_it() -> None:
    core, one = connected()
    core.play(0.0)
    one.audio(3, 0, ramp(1, RATE))
    one.settle(0.0)
    core.play(0.5)
    sent(core)
    core.command(native.StopReply(), 0.5)
    (command,) = [message for message in sent(core) if isinstance(message, native.Command)]
    assert command.do == native.StopReply(heard=0.5)


# -------------------------------------------------------------------------------------------------- credentials that end


def test_credentials_that_end_are_renewed_and_the_old_token_is_dropped() -> None:
    core, one = connected()
    core.text(native.encode(native.AuthSoon(seconds=60.0)), 1.0)
    assert core.output() == [Renew()]
    core.authorize("fresh")
    assert sent(core) == [native.Auth(ticket="fresh")]
    before = core.needs_ticket
    core.text(native.encode(native.Authorized(seconds=7200.0)), 2.0)
    assert (before, core.needs_ticket, core.state) == (False, True, "live")
    core.lost(None, "", 3.0)
    core.authorize("late")
    assert core.output() == []
    again(core, one.server, 3.0)
    assert one.server.attaches[-1].ticket == "t"
