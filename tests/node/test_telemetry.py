"""What a node counts about itself, and what it shows of it: figures, names of metrics, the protocol readably."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from jarvis.api.client import Client
from jarvis.node.links import metrics
from jarvis.node.links.telemetry import MAX_MARKS, WINDOW_COMMITS, Commits, Lags
from jarvis.node.links.tracing import describe, short
from jarvis.store.protocol import Head
from jarvis.sync.messages import Ack, Ephemeral, Heads, Want
from jarvis.testing.processes import until
from tests.node.conftest import LINK_S, Home

ME, PEER, OTHER = b"m" * 16, b"p" * 16, b"o" * 16
MINE, THEIRS = ME + b"i" * 16, PEER + b"i" * 16
NAMES = {
    "jarvis_commit_seconds",
    "jarvis_records_written_total",
    "jarvis_records_accepted_total",
    "jarvis_llm_tokens_total",
    "jarvis_llm_answers_total",
    "jarvis_store_records",
    "jarvis_store_documents",
    "jarvis_waiting_records",
    "jarvis_peer_connected",
    "jarvis_peer_round_trip_seconds",
    "jarvis_peer_lag_seconds",
    "jarvis_peer_behind_records",
    "jarvis_peer_ahead_records",
    "jarvis_peer_unacknowledged_records",
    "jarvis_peer_unacknowledged_bytes",
    "jarvis_peer_outbox_frames",
    "jarvis_peer_outbox_bytes",
    "jarvis_peer_store_jobs",
    "jarvis_peer_sent_bytes_total",
    "jarvis_peer_received_bytes_total",
    "jarvis_peer_sent_messages_total",
    "jarvis_peer_received_messages_total",
}


def head(seq: int) -> Head:
    return Head(seq, bytes(32))


# --- counting ---------------------------------------------------------------------------------------------------------


def test_percentiles_are_of_the_latest_commits_only():
    commits = Commits(lambda: 0.0)
    assert commits.percentile_ms(0.5) is None
    for _ in range(WINDOW_COMMITS):
        commits.took(900.0)
    for ms in range(WINDOW_COMMITS):
        commits.took(float(ms))
    assert commits.percentile_ms(0.5) == WINDOW_COMMITS / 2
    assert commits.percentile_ms(0.99) == int(0.99 * WINDOW_COMMITS)
    assert commits.count == sum(commits.buckets) == 2 * WINDOW_COMMITS


def test_a_rate_forgets_what_is_long_ago():
    now = [1_000.0]
    commits = Commits(lambda: now[0])
    commits.brought(50, 0)
    now[0] += 5_000
    commits.brought(0, 20)
    now[0] += 1_000
    assert commits.per_second() == (5.0, 2.0)
    now[0] += 8_000
    assert commits.per_second() == (0.0, 2.0)
    assert (commits.written, commits.accepted) == (50, 20)


def test_lag_is_the_age_of_the_oldest_thing_the_peer_lacks():
    lags, held = Lags(), {MINE: 0}

    def lag(now_ms: float) -> float:
        return lags.of(PEER, lambda author: held.get(author, 0), now_ms)

    assert lag(0) == 0
    lags.moved({MINE: head(1)}, 1_000)
    lags.moved({MINE: head(2)}, 1_050)  # joins the mark of the first
    lags.moved({MINE: head(3), THEIRS: head(9)}, 2_000)  # its own records it has anyway
    assert lag(2_500) == 1_500
    held[MINE] = 1
    assert lag(2_500) == 1_500
    held[MINE] = 2
    assert lag(2_500) == 500
    held[MINE] = 3
    assert lag(2_500) == 0


def test_lags_remember_a_bounded_number_of_changes():
    lags = Lags()
    for number in range(2 * MAX_MARKS):
        lags.moved({number.to_bytes(32, "big"): head(1)}, float(number))
    assert len(lags._marks) == len(lags._newest) == MAX_MARKS
    assert lags.of(PEER, lambda author: 0, 2 * MAX_MARKS) == MAX_MARKS


# --- showing ----------------------------------------------------------------------------------------------------------


def test_a_trace_shortens_authors_and_shows_no_content():
    assert describe(Want(MINE, 3, 9)) == f"{short(MINE)} 3-9"
    assert len(short(MINE)) == 11
    assert describe(Ack(((MINE, head(7)),))) == f"{short(MINE)} 1-7"
    assert describe(Heads(())) == "none, last"
    many = tuple((number.to_bytes(32, "big"), head(1)) for number in range(30))
    assert describe(Ack(many)).endswith("and 22 more")
    assert "secret" not in describe(Ephemeral("secret topic", b"secret body"))


def names_of(text: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", text, flags=re.MULTILINE))


def test_metrics_say_their_unit_and_count_in_it():
    commits = Commits(lambda: 0.0)
    commits.took(3.0)
    commits.took(60_000.0)
    text = metrics.exposition({"peers": [], "records": 5, "documents": 2, "waiting": 0}, commits, {})
    assert names_of(text) == NAMES
    units = ("seconds", "bytes", "total", "records", "documents", "frames", "jobs", "connected")
    assert all(name.startswith("jarvis_") and name.endswith(units) for name in NAMES)
    assert 'jarvis_commit_seconds_bucket{le="0.005"} 1.0' in text
    assert 'jarvis_commit_seconds_bucket{le="+Inf"} 2.0' in text
    assert "jarvis_commit_seconds_sum 60.003" in text


def scrape(client: Client) -> str:
    request = urllib.request.Request(client.runtime.api_url + "/metrics")
    request.add_header("Authorization", f"Bearer {client.runtime.token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def first(told: Iterator[Any], message: str, direction: str) -> dict[str, Any]:
    """The next such row; rows come as long as the link is alive."""
    ends = time.monotonic() + LINK_S
    for row in told:
        if (row["message"], row["direction"]) == (message, direction):
            return dict(row)
        assert time.monotonic() < ends, f"no {message} was {direction}"
    raise AssertionError(f"no {message} was {direction} before the trace ended")


def test_two_real_nodes_count_trace_and_expose_what_goes_between_them(home: Home) -> None:
    kitchen, bedroom = home.pair()
    client = Client(kitchen.data_dir)
    told = client.stream(f"/api/v2/sync/peers/{bedroom.ready['node_id'][:10]}/trace")
    assert next(told)["event"] == "tracing"
    kitchen.set_config("curtain.colour", "vermilion")
    # Each catches up with what the other wrote before they met, too.
    pushed, acked = first(told, "records", "sent"), first(told, "ack", "received")
    told.close()
    assert re.match(r"\d+ records of \d+ B: \w{6}/\w{4} \d+-\d+", pushed["detail"]), pushed
    assert acked["node_id"] == pushed["node_id"] == bedroom.ready["node_id"]
    assert pushed["size_bytes"] > 300

    def caught_up() -> dict[str, Any] | None:
        status = kitchen.get("/api/v2/sync")
        return status if any(one["lag_ms"] == 0 for one in status["peers"]) else None

    status = until(caught_up, LINK_S, "no lag")
    peer = next(one for one in status["peers"] if one["connected"])
    assert peer["bytes_sent"] > pushed["size_bytes"] and peer["messages_received"] > 3
    assert (peer["outbox_frames"], peer["outbox_bytes"], peer["unacked_records"], peer["unacked_bytes"]) == (0, 0, 0, 0)
    assert status["commit"]["count"] >= 1 and 0 < status["commit"]["p50_ms"] <= status["commit"]["p99_ms"]
    hall = next(one for one in status["peers"] if not one["connected"])
    assert hall["lag_ms"] is hall["outbox_frames"] is None and hall["bytes_sent"] == 0

    text = scrape(client)
    assert names_of(text) == NAMES
    assert f'jarvis_peer_connected{{node="{bedroom.ready["node_id"]}"}} 1.0' in text
    assert not re.search("kitchen|bedroom|hall|vermilion|curtain", text), "labels are ids, never words"
    assert "vermilion" not in json.dumps([pushed, acked])


def test_buckets_of_the_histogram_only_rise():
    commits = Commits(lambda: 0.0)
    for ms in (0.5, 1.0, 1.1, 40.0, 2_600.0):
        commits.took(ms)
    text = metrics.exposition({"peers": [], "records": 0, "documents": 0, "waiting": 0}, commits, {})
    counts = [float(one) for one in re.findall(r"_bucket{le=\S+} (\S+)", text)]
    assert counts[:2] == [2.0, 3.0] and counts[-1] == 5.0
    assert all(one <= other for one, other in pairwise(counts))
