"""A node that is put back to a backup, and people who work on both sides all the while, from one seed."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.dying import texts, whole
from tests.support.two_nodes import Party, quiet


async def back_up(party: Party, to: Path, *, folder: bool = False) -> Path:
    """Copy a node's database, or its whole folder, while it is stopped; return the copy."""
    await party.stop()
    copy = to / f"{party.name}.backup"
    if folder:
        shutil.copytree(party.folder.root, copy)
    else:
        shutil.copy(party.folder.database, copy)
    await party.start()
    return copy


def put_back(party: Party, copy: Path) -> None:
    """Put a backup in the place of what a stopped node has."""
    if copy.is_dir():
        shutil.rmtree(party.folder.root)
        shutil.copytree(copy, party.folder.root)
        return
    for old in party.folder.root.glob(f"{party.folder.database.name}*"):
        old.unlink()
    shutil.copy(copy, party.folder.database)


async def restore(party: Party, copy: Path, **how: Any) -> None:
    """Stop a node, put a backup in its place and start it."""
    await party.stop()
    put_back(party, copy)
    await party.start(**how)


@dataclass(slots=True)
class Pair:
    """One issue in both Jiras, and what people have put there. ``mine`` is Alice's key, ``theirs`` Bob's."""

    keys: dict[str, str]
    comments: dict[str, dict[str, str]] = field(default_factory=lambda: {"Alice": {}, "Bob": {}})
    """Side to the id of a comment that its person wrote to its text."""
    files: dict[str, set[str]] = field(default_factory=lambda: {"Alice": set(), "Bob": set()})
    """Side to the names of the files that its person attached."""
    said: dict[str, dict[str, str]] = field(default_factory=dict)
    """Field to the side to the last value that its person gave it."""


class People:
    """Do something on either side, as a seed says, and know what must be there in the end."""

    def __init__(self, seed: int, alice: Party, bob: Party) -> None:
        self._draw = random.Random(seed)
        self._sides = {"Alice": alice, "Bob": bob}
        self._number = 0
        self.pairs: list[Pair] = []

    async def begin(self, side: str) -> None:
        """Create an issue on one side, with a comment and a file, and bring it under sync."""
        party = self._sides[side]
        key = await party.create(summary=self._word("born"))
        pair = Pair({side: key})
        self.pairs.append(pair)
        await self._comment(pair, side)
        await self._attach(pair, side)
        await party.sync(key)

    async def learn(self) -> None:
        """Find the twins of new issues; both sides must be quiet."""
        for pair in self.pairs:
            for here, there in (("Alice", "Bob"), ("Bob", "Alice")):
                if there not in pair.keys:
                    pair.keys[there] = await self._sides[here].twin(pair.keys[here])

    async def do(self, count: int, *, only: str | None = None, create: bool = False) -> None:
        """Do so many things, on any side or on one; issues without a twin are left alone where it is not there yet."""
        for _ in range(count):
            side = only or self._draw.choice(["Alice", "Bob"])
            known = [pair for pair in self.pairs if side in pair.keys]
            if (create and self._draw.random() < 0.2) or not known:
                await self.begin(side)
                continue
            pair = self._draw.choice(known)
            act = self._draw.choice(
                [self._edit, self._edit, self._comment, self._reword, self._unsay, self._attach, self._detach]
            )
            await act(pair, side)

    def _word(self, what: str) -> str:
        self._number += 1
        return f"{what} {self._number}"

    async def _edit(self, pair: Pair, side: str) -> None:
        name, value = self._draw.choice(["summary", "description"]), self._word(f"by {side}")
        await self._sides[side].person.edit(pair.keys[side], {name: value})
        pair.said.setdefault(name, {})[side] = value

    async def _comment(self, pair: Pair, side: str) -> None:
        text = self._word(f"{side} says")
        pair.comments[side][await self._sides[side].person.comment(pair.keys[side], text)] = text

    async def _reword(self, pair: Pair, side: str) -> None:
        if pair.comments[side]:
            comment = self._draw.choice(sorted(pair.comments[side]))
            pair.comments[side][comment] = text = self._word(f"{side} corrects")
            await self._sides[side].person.edit_comment(pair.keys[side], comment, text)

    async def _unsay(self, pair: Pair, side: str) -> None:
        if pair.comments[side]:
            comment = self._draw.choice(sorted(pair.comments[side]))
            del pair.comments[side][comment]
            await self._sides[side].person.delete_comment(pair.keys[side], comment)

    async def _attach(self, pair: Pair, side: str) -> None:
        name = self._word("file").replace(" ", "-")
        pair.files[side].add(name)
        await self._sides[side].person.attach(
            pair.keys[side], name, self._draw.randbytes(self._draw.choice([9, 9, 700]))
        )

    async def _detach(self, pair: Pair, side: str) -> None:
        if pair.files[side]:
            name = self._draw.choice(sorted(pair.files[side]))
            pair.files[side].discard(name)
            party = self._sides[side]
            attached = (await party.issue(pair.keys[side]))["fields"]["attachment"]
            (number,) = [one["id"] for one in attached if one["filename"] == name]
            await party.person.call("DELETE", f"/rest/api/2/attachment/{number}")

    async def sync_again(self, since: int) -> None:
        """Bring in once more, where they were created, the issues that came after the first ``since`` ones."""
        for pair in self.pairs[since:]:
            side = next(iter(pair.keys))
            await self._sides[side].sync(pair.keys[side])

    async def assert_all_is_there(self) -> None:
        """Nothing that people said or attached is lost or there twice, in either Jira, and both are alike."""
        alice, bob = self._sides["Alice"], self._sides["Bob"]
        await quiet(alice, bob)
        await self.learn()
        for party in (alice, bob):
            assert len(await party.person.every_issue()) == len(self.pairs), (
                f"{party.name}: an issue was lost or doubled"
            )
        for pair in self.pairs:
            ours, theirs = await whole(alice, pair.keys["Alice"]), await whole(bob, pair.keys["Bob"])
            assert ours == theirs, f"{pair.keys}: {ours} is not {theirs}"
            said = texts([*pair.comments["Alice"].values(), *pair.comments["Bob"].values()])
            assert ours["comments"] == said, f"{pair.keys}: {ours['comments']} is not {said}"
            files = sorted(pair.files["Alice"] | pair.files["Bob"])
            assert sorted(name for name, _ in ours["files"]) == files, f"{pair.keys}: {ours['files']} is not {files}"
            for name, last in pair.said.items():
                assert ours[name] in last.values(), f"{pair.keys}: {name} is nobody's last word: {ours[name]}, {last}"
        assert await alice.problems() == []
        assert await bob.problems() == []
