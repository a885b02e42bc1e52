"""`tenuto talk`, as far as it refuses to."""

from pathlib import Path

import msgspec
import pytest

from tenuto.audio.format import Clip, wav_bytes
from tests.unit.cli.conftest import Command

GOOD = wav_bytes(Clip(rate=16_000, pcm=bytes(3200)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"this is not a WAV file, however long it may be", "not a WAV file"),
        (GOOD[:-100], "truncated"),
        (wav_bytes(Clip(rate=16_000, pcm=b"")), "0 s long"),
        (wav_bytes(Clip(rate=96_000, pcm=bytes(64))), "96000 Hz"),
        (b"", "not a WAV file"),
    ],
)
def test_a_bad_recording_fails_with_its_code(
    tenuto: Command, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(content)
    ran = tenuto("talk", "--wav", str(path), "--store", "memory:", "--json")
    error = msgspec.json.decode(ran.err)["error"]
    assert (ran.code, ran.out, error["code"]) == (1, "", "audio_invalid")
    assert said in error["message"]


def test_a_recording_that_is_not_there_is_told(tenuto: Command, tmp_path: Path) -> None:
    ran = tenuto("talk", "--wav", str(tmp_path / "none.wav"))
    assert ran.code == 1
    assert "none.wav: No such file" in ran.err


def test_where_nothing_can_be_written_nothing_is_said(tenuto: Command, tmp_path: Path) -> None:
    path = tmp_path / "in.wav"
    path.write_bytes(GOOD)
    ran = tenuto("talk", "--wav", str(path), "--out", str(tmp_path / "none" / "out.wav"))
    assert ran.code == 1
    assert "its folder does not exist" in ran.err


def test_a_microphone_has_no_hurry(tenuto: Command) -> None:
    ran = tenuto("talk", "--fast")
    assert ran.code == 2
    assert "--fast goes with --wav" in ran.err
