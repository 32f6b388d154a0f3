"""Histories that something was once wrong with, shrunk: (name, seed, nodes, steps). They are kept as steps, since what
a seed draws changes with the kinds of steps there are."""

from __future__ import annotations

from jarvis.testing.history import FOREVER_MS, Step

FAILED_ONCE = [
    (
        "a record counted again that named one beyond a cut-off, never held there",
        10520,
        5,
        [
            Step(991.2, "add", 4, (2,)),
            Step(1113.9, "remember", 0, (3, 7)),
            Step(1779.9, "log", 2, (177,)),
            Step(2497.4, "put", 3, (0, 3)),
            Step(4796.0, "reply", 4, (2, 472)),
            Step(5452.0, "log", 0, (90,)),
            Step(5795.1, "crash_in_commit", 3, (4, "before")),
            Step(6162.4, "put", 4, (1, 4)),
            Step(7485.8, "disk_slow", 0, (200.0,)),
            Step(7497.2, "turn", 4, (1, 984)),
            Step(9445.1, "remember", 3, (1, 4)),
            Step(10702.2, "reply", 2, (0, 893)),
            Step(11008.0, "turn", 4, (0, 756)),
            Step(11292.2, "crash_in_commit", 0, (4, "after")),
            Step(11891.4, "cut_one_way", 2, (3, FOREVER_MS)),
            Step(12397.0, "burst", 2, (8,)),
            Step(13606.1, "delete", 4, (4,)),
            Step(14801.5, "burst", 1, (5,)),
            Step(16970.0, "remember", 1, (3, 1)),
            Step(19508.9, "remember", 4, (2, 4)),
            Step(19644.5, "remember", 2, (2, 3)),
            Step(20827.2, "disk_slow", 4, (200.0,)),
            Step(21034.9, "remember", 3, (2, 6)),
            Step(21872.5, "unset", 0, (1,)),
            Step(22242.9, "clone", 3, (15000.0, 3)),
            Step(23973.3, "delete", 3, (1,)),
            Step(26398.1, "delete", 4, (4,)),
            Step(27082.3, "clone", 0, (15000.0, 3)),
            Step(27475.6, "log", 1, (223,)),
            Step(28314.3, "remove", 4),
            Step(28822.1, "break", 0, (3,)),
            Step(29442.1, "burst", 4, (4,)),
            Step(30180.8, "add", 0, (3,)),
            Step(30459.9, "burst", 3, (4,)),
        ],
    ),
    (
        "an author forked by two clones just beyond its last record could not write any more",
        20525,
        5,
        [
            Step(6826.2, "clone", 4, (15000.0, 3)),
            Step(12789.4, "remove", 4),
            Step(14242.1, "remember", 3, (1, 8)),
            Step(14474.4, "clone", 3, (15000.0, 1)),
            Step(14907.4, "add", 2, (5,)),
            Step(17807.6, "clone", 3, (15000.0, 3)),
            Step(24460.1, "burst", 3, (6,)),
        ],
    ),
    (
        "an edit of a note that went on from one which a removal set aside",
        2011,
        3,
        [
            Step(2729.0, "cut_one_way", 0, (2, FOREVER_MS)),
            Step(27149.8, "edit", 2, (0.3498841238921462, "eggs and more")),
            Step(27168.5, "isolate", 1, (FOREVER_MS,)),
            Step(32145.2, "edit", 1, (0.32569063086813055, "milk ")),
            Step(33696.0, "edit", 1, (0.3673980130091995, "a")),
            Step(34632.1, "remove", 2),
        ],
    ),
]
