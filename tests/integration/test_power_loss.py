"""What was acknowledged is there after the power went, whenever it goes and whatever else survives."""

import logging
from pathlib import Path

import pytest

from tenuto.testing.crash import power_loss_rounds

ROUNDS = 1_000


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("tenuto.stores").setLevel(logging.CRITICAL)


@pytest.mark.timeout(120)
async def test_no_acknowledged_row_is_lost(tmp_path: Path) -> None:
    tally = await power_loss_rounds(tmp_path, ROUNDS, seed=1)
    assert (tally.rounds, tally.lost, tally.corrupt) == (ROUNDS, 0, 0)
    assert tally.acknowledged > 10 * ROUNDS


async def test_control_without_a_sync_at_each_commit_rows_are_lost(tmp_path: Path) -> None:
    tally = await power_loss_rounds(tmp_path, 60, seed=1, synchronous="NORMAL")
    assert tally.losing > 30
    assert tally.corrupt == 0


async def test_control_on_a_disk_that_lies_files_are_damaged(tmp_path: Path) -> None:
    tally = await power_loss_rounds(tmp_path, 60, seed=1, honest=False)
    assert tally.losing > 30
    assert tally.corrupt > 0
