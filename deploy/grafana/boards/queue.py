"""What waits, and what the job store has."""

from typing import Final

from deploy.grafana.panels import Board, Chart, Figure, Query

QUEUE: Final = Board(
    uid="spade-queue",
    title="SPADE queue",
    description="What waits, how long, and for whom.",
    figures=(
        Figure(
            title="Open items",
            description="Waiting or held by a worker.",
            unit="short",
            expression="spade_queue_open_items",
        ),
        Figure(
            title="Oldest item",
            description="Of any priority.",
            unit="s",
            expression="max(spade:queue_oldest:seconds)",
        ),
        Figure(
            title="Dead letters",
            description="Items given up because they kept killing workers.",
            unit="short",
            expression="spade_queue_dead_letters",
        ),
        Figure(
            title="Job store",
            description="1 while it answers.",
            unit="short",
            expression="spade_queue_up",
        ),
    ),
    charts=(
        Chart(
            title="Waiting items",
            description="By model and priority.",
            unit="short",
            queries=(Query("spade_queue_waiting_items", "{{model}}, {{priority}}"),),
        ),
        Chart(
            title="Age of the oldest item",
            description="By priority.",
            unit="s",
            queries=(Query("spade:queue_oldest:seconds", "{{priority}}"),),
        ),
        Chart(
            title="Speed of the queue",
            description="Pixels finished a second, over the last minute, as the job store counts.",
            unit="short",
            queries=(Query("spade_queue_drained_pixels_per_second", "{{model}}"),),
        ),
        Chart(
            title="Held by workers",
            description="Items under a lease, and all open ones.",
            unit="short",
            queries=(Query("spade_queue_leases", "held"), Query("spade_queue_open_items", "open")),
        ),
        Chart(
            title="Open items by owner",
            description="An owner is one API key or several.",
            unit="short",
            queries=(Query("spade_owner_open_items", "{{owner}}"),),
        ),
        Chart(
            title="Stored by owner",
            description="Bytes of inputs and pictures.",
            unit="bytes",
            queries=(Query("spade_owner_stored_bytes", "{{owner}}"),),
        ),
        Chart(
            title="Memory of Redis",
            description="Used, and its limit (0: none).",
            unit="bytes",
            queries=(Query("spade_queue_memory_bytes", "used"), Query("spade_queue_memory_limit_bytes", "limit")),
        ),
        Chart(
            title="Free disk",
            description="Part of each disk that the exporter watches.",
            unit="percentunit",
            queries=(Query("spade:disk_free:ratio", "{{folder}}"),),
            is_share=True,
        ),
    ),
)
