import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.errors import InvalidAudio, InvalidInput
from tenuto.wire import native


def test_attach_needs_a_session_and_a_client_only() -> None:
    read = native.decode_client(b'{"type":"attach","session":"s","client":"c"}')
    assert read == native.Attach(session="s", client="c")


def test_command_carries_what_to_do() -> None:
    command = native.Command(number=7, do=native.SendMessage(text="hello"))
    assert native.decode_client(native.encode(command)) == command


def test_field_from_the_future_is_skipped() -> None:
    assert native.decode_client(b'{"type":"beat","position":3,"mood":"good"}') == native.Beat(
        position=3
    )


def test_type_from_the_future_is_an_error_of_its_own() -> None:
    with pytest.raises(native.UnknownType) as refused:
        native.decode_client(b'{"type":"dance"}')
    assert refused.value.code == "unknown_type"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'"attach"',
        b'{"type":"attach"}',
        b'{"type":"mark","reply":"one","seconds":1}',
        b'{"type":"beat","position":"\xff"}',
        b"[" * 60_000,
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"Not a message of tenuto\.v1"):
        native.decode_client(data)


def test_control_frame_has_a_limit() -> None:
    with pytest.raises(InvalidInput, match="65536 bytes"):
        native.decode_client(b" " * (native.MAX_TEXT + 1))


def test_event_travels_as_the_bytes_of_its_row() -> None:
    row = b'{"type":"reply.cut","at":1.0,"reply":2,"reason":"barge_in"}'
    frame = native.decode_server(native.event(41, row))
    assert isinstance(frame, native.EventFrame)
    assert (frame.position, bytes(frame.event)) == (41, row)


def test_snapshot_carries_the_state() -> None:
    frame = native.decode_server(native.snapshot(9, b'{"session":"s"}'))
    assert isinstance(frame, native.SnapshotFrame)
    assert (frame.position, bytes(frame.state)) == (9, b'{"session":"s"}')


@pytest.mark.parametrize(
    "message",
    [
        native.Ok(number=1, position=2),
        native.No(number=1, code="invalid_input", message="no"),
        native.Hush(reply=3),
        native.Tell(kind="status", body={"state": "idle"}),
        native.Live(head=3),
        native.Moved(url="wss://b.example"),
        native.Error(code="quota_exceeded", message="slower"),
        native.Bye(reason="ended"),
    ],
)
def test_server_messages_survive_the_wire(message: native.FromServer) -> None:
    assert native.decode_server(native.encode(message)) == message


def test_server_that_speaks_something_else_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Not a message"):
        native.decode_server("hello")


@settings(derandomize=True, max_examples=50)
@given(
    kind=st.sampled_from([native.MICROPHONE, native.REPLY]),
    reply=st.integers(0, 2**20),
    offset=st.integers(0, 2**40),
    samples=st.binary(max_size=64).map(lambda pcm: pcm[: len(pcm) // 2 * 2]),
)
def test_audio_frames_survive_the_wire(kind: int, reply: int, offset: int, samples: bytes) -> None:
    frame = native.audio(kind, reply, offset, samples)
    assert native.decode_audio(frame) == (kind, reply % 2**16, offset % 2**32, samples)


def test_audio_shares_the_memory_of_its_frame() -> None:
    frame = bytearray(native.audio(native.MICROPHONE, 0, 0, b"\1\2"))
    pcm = native.decode_audio(memoryview(frame))[3]
    frame[8] = 9
    assert bytes(pcm) == b"\x09\2"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1\0\0\0\0\0\0",
        b"\1\0\0\0\0\0\0\0\5",
        bytes(native.MAX_AUDIO + 2),
        b"\3\0\0\0\0\0\0\0",
        b"\1\1\0\0\0\0\0\0",
    ],
    ids=["empty", "half a head", "half a sample", "too large", "unknown kind", "no zero"],
)
def test_audio_frame_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidAudio):
        native.decode_audio(data)
