"""Two streams over a hostile network: whatever happens, each message takes effect exactly once, in order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from typing_extensions import override

from protocol.stream import AckEffect
from tests.support.hostile_network import Node, in_order, settle
from tests.support.paired import pair

ALICE, BOB = pair("hostile network")
sides = st.sampled_from([0, 1])


class HostileNetwork(RuleBasedStateMachine):
    """Any frame ever sent may arrive at any time, any number of times; databases are restored from old backups."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = (Node(ALICE), Node(BOB))
        self.sent: tuple[list[bytes], list[bytes]] = ([], [])

    @rule(who=sides, times=st.integers(1, 4))
    def edit(self, who: int, times: int) -> None:
        """Something happens in a tracker, or several things before anybody looks."""
        for _ in range(times):
            self.nodes[who].edit()

    @rule(who=sides, issue_by_issue=st.booleans())
    def poll_and_seal(self, who: int, issue_by_issue: bool) -> None:
        """It is read and sealed, and the process dies before sending."""
        self.nodes[who].poll(issue_by_issue=issue_by_issue)
        self.nodes[who].seal()

    @rule(who=sides, issue_by_issue=st.booleans(), lost=st.booleans())
    def exchange(self, who: int, issue_by_issue: bool, lost: bool) -> None:
        """A node sends; all of it arrives, or nothing does for now."""
        self.nodes[who].poll(issue_by_issue=issue_by_issue)
        self.nodes[who].seal()
        frames = self.nodes[who].send()
        self.sent[who].extend(frames)
        if not lost:
            for frame in frames:
                self.nodes[1 - who].receive(frame)

    @rule(who=sides, data=st.data())
    def deliver_anything(self, who: int, data: st.DataObject) -> None:
        """The network delivers a frame of its own choice: old, repeated or out of order."""
        if self.sent[who]:
            at = data.draw(st.integers(1, min(len(self.sent[who]), 12)))
            self.nodes[1 - who].receive(self.sent[who][-at])

    @rule(who=sides)
    def apply(self, who: int) -> None:
        """A node does what it has received."""
        self.nodes[who].apply()

    @rule(who=sides)
    def prune(self, who: int) -> None:
        """A node forgets what was acknowledged."""
        self.nodes[who].prune()

    @rule(who=sides)
    def back_up(self, who: int) -> None:
        """A backup is made."""
        self.nodes[who].back_up()

    @rule(who=sides)
    def restore(self, who: int) -> None:
        """A backup is restored."""
        self.nodes[who].restore()

    @invariant()
    def nothing_twice_nothing_skipped(self) -> None:
        """At every moment the effects on each issue are a beginning of its events."""
        for node in self.nodes:
            assert in_order(node.effects)
            assert not node.stopped

    @override
    def teardown(self) -> None:
        """Once the network is fair again, everything arrives."""
        settle(*self.nodes)
        for node, other in (self.nodes, self.nodes[::-1]):
            assert in_order(node.effects)
            assert sorted(node.effects) == list(range(1, other.events + 1))


TestHostileNetwork = HostileNetwork.TestCase
TestHostileNetwork.settings = settings(max_examples=80, stateful_step_count=40)


def a_lost_epoch(*, believes_every_base: bool) -> tuple[Node, Node]:
    """Play the trace that the base of an epoch is for, and return sender and receiver after it."""
    alice, bob = Node(ALICE), Node(BOB)
    bob.believes_every_base = believes_every_base

    def alice_sends() -> list[bytes]:
        alice.poll()
        alice.seal()
        frames = alice.send()
        for frame in frames:
            bob.receive(frame)
        return frames

    alice.edit()
    alice_sends()
    bob.apply()
    bob.back_up()
    alice.back_up()
    alice.edit()
    alice_sends()  # event 2 is received and acknowledged, and not yet done
    alice.restore()  # from before event 2: it learns from Bob's receipt that it was restored
    alice.edit()
    for frame in bob.send():
        alice.receive(frame)
    assert alice.last_effect is AckEffect.NEW_EPOCH
    alice.poll()
    alice.db.waiting.remove(2)  # a tracker that shows only the newest change: event 2 is not read again
    alice.seal()
    held_back = alice.send()
    bob.restore()  # from before event 2 as well; Alice does not know
    for frame in held_back:
        bob.receive(frame)
    return alice, bob


def test_a_restored_receiver_refuses_an_epoch_built_on_what_it_lost() -> None:
    """It answers with what it has, and the sender begins again."""
    alice, bob = a_lost_epoch(believes_every_base=False)
    assert bob.db.inbox == []
    settle(alice, bob)
    assert bob.effects == [1, 2, 3]


def test_without_the_base_of_an_epoch_a_message_would_be_lost() -> None:
    """The same trace with that one guard removed: event 3 is stored, event 2 never arrives."""
    alice, bob = a_lost_epoch(believes_every_base=True)
    settle(alice, bob)
    assert bob.effects == [1, 3]
