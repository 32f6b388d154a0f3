"""What `sync status` and the telemetry know, in Prometheus's text form. Units are in the names: `_seconds`, `_bytes`;
`_total` only grows; a plain gauge is named after what it counts. The only labels are a peer's node id and the name of a
provider of language models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jarvis.assistant.language.spending import Spent
from jarvis.node.links.telemetry import BUCKETS_S, Commits

if TYPE_CHECKING:
    from prometheus_client.core import Metric

CONTENT_TYPE = "text/plain"
_PEER_GAUGES = (
    ("connected", "connected", 1.0, "Whether there is a link."),
    ("round_trip_seconds", "rtt_ms", 0.001, "Smoothed round trip of pings."),
    ("lag_seconds", "lag_ms", 0.001, "Age of the oldest record here that the peer does not hold."),
    ("behind_records", "behind", 1.0, "Records the peer holds and this node lacks."),
    ("ahead_records", "ahead", 1.0, "Records this node holds and the peer did not say it has."),
    ("unacknowledged_records", "unacked_records", 1.0, "Pushed and not yet acknowledged as durable."),
    ("unacknowledged_bytes", "unacked_bytes", 1.0, "Pushed and not yet acknowledged as durable."),
    ("outbox_frames", "outbox_frames", 1.0, "Frames that wait to be sent."),
    ("outbox_bytes", "outbox_bytes", 1.0, "Frames that wait to be sent."),
    ("store_jobs", "store_jobs", 1.0, "Messages that wait for the store."),
)
"""Name, field of a peer in `sync status`, factor, help."""
_PEER_COUNTERS = (
    ("sent_bytes", "bytes_sent", "Sent to the peer, before TLS."),
    ("received_bytes", "bytes_received", "Received from the peer, before TLS."),
    ("sent_messages", "messages_sent", "Messages sent to the peer."),
    ("received_messages", "messages_received", "Messages received from the peer."),
)


def exposition(status: dict[str, Any], commits: Commits, spent: Mapping[str, Spent]) -> str:
    """`status` is the answer of `sync status`; `spent` is what each provider of language models cost."""
    from prometheus_client import CollectorRegistry, generate_latest

    class Collector:
        def collect(self) -> Iterator[Metric]:
            yield from _home(status, commits)
            yield from _peers(status["peers"])
            yield from _models(spent)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return generate_latest(registry).decode()


def _home(status: dict[str, Any], commits: Commits) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    running, buckets = 0, []
    for edge, count in zip((*map(str, BUCKETS_S), "+Inf"), commits.buckets, strict=True):
        running += count
        buckets.append((edge, running))
    about = "From asking for a commit to its being durable."
    yield HistogramMetricFamily("jarvis_commit_seconds", about, buckets, sum_value=commits.sum_ms / 1000)
    yield CounterMetricFamily("jarvis_records_written", "Own records made durable.", commits.written)
    yield CounterMetricFamily("jarvis_records_accepted", "Peers' records made durable.", commits.accepted)
    yield GaugeMetricFamily("jarvis_store_records", "Records held.", status["records"])
    yield GaugeMetricFamily("jarvis_store_documents", "Documents held.", status["documents"])
    yield GaugeMetricFamily("jarvis_waiting_records", "Records that wait for others.", status["waiting"])


def _peers(peers: list[dict[str, Any]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for name, field, factor, about in _PEER_GAUGES:
        gauge = GaugeMetricFamily(f"jarvis_peer_{name}", about, labels=["node"])
        for peer in peers:
            if peer[field] is not None:
                gauge.add_metric([peer["node_id"]], peer[field] * factor)
        yield gauge
    for name, field, about in _PEER_COUNTERS:
        counter = CounterMetricFamily(f"jarvis_peer_{name}", about, labels=["node"])
        for peer in peers:
            counter.add_metric([peer["node_id"]], peer[field])
        yield counter


def _models(spent: Mapping[str, Spent]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    tokens = CounterMetricFamily(
        "jarvis_llm_tokens", "Tokens read and written by language models.", labels=["provider", "kind"]
    )
    answers = CounterMetricFamily(
        "jarvis_llm_answers", "Answers of language models, by how they ended.", labels=["provider", "outcome"]
    )
    for provider, one in sorted(spent.items()):
        tokens.add_metric([provider, "prompt"], one.prompt_tokens)
        tokens.add_metric([provider, "completion"], one.completion_tokens)
        answers.add_metric([provider, "answered"], one.answered)
        answers.add_metric([provider, "failed"], one.failed)
    yield tokens
    yield answers
