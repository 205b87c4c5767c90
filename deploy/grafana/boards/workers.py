"""How busy devices are, and what goes wrong."""

from typing import Final

from deploy.grafana.panels import Board, Chart, Figure, Query

WORKERS: Final = Board(
    uid="spade-workers",
    title="SPADE workers",
    description="How busy devices are, how full batches are, and what goes wrong.",
    figures=(
        Figure(
            title="Workers",
            description="That said something in the last 20 seconds.",
            unit="short",
            expression='sum(spade_queue_workers{state!="gone"})',
        ),
        Figure(
            title="Gone",
            description="Without a word for 20 seconds; forgotten after ten minutes.",
            unit="short",
            expression='spade_queue_workers{state="gone"}',
        ),
        Figure(
            title="Busy",
            description="Mean share of the time in which engines compute.",
            unit="percentunit",
            expression="avg(spade:engine_busy:ratio1m)",
        ),
        Figure(
            title="Batches",
            description="How full they are, of what a worker would take at once.",
            unit="percentunit",
            expression="avg(spade:batch_fill:mean5m)",
        ),
    ),
    charts=(
        Chart(
            title="Busy devices",
            description="Share of the time in which the engine of each worker computes.",
            unit="percentunit",
            queries=(Query("spade:engine_busy:ratio1m", "{{worker}} {{device}}"),),
            is_share=True,
        ),
        Chart(
            title="How full batches are",
            description="Of what a worker would take at once, and in items.",
            unit="short",
            queries=(
                Query("spade:batch_fill:mean5m", "{{model}}, share"),
                Query(
                    "sum by (model) (rate(spade_batch_items_sum[5m]))"
                    " / sum by (model) (rate(spade_batch_items_count[5m]))",
                    "{{model}}, items",
                ),
            ),
        ),
        Chart(
            title="Failed batches",
            description="Per minute, by the engine's error.",
            unit="short",
            queries=(
                Query("sum by (model, error) (rate(spade_engine_errors_total[5m])) * 60", "{{model}}, {{error}}"),
            ),
        ),
        Chart(
            title="Results that came too late",
            description="Per minute: their leases had ended, and their pictures were removed.",
            unit="short",
            queries=(Query("sum by (model) (rate(spade_commits_refused_total[5m])) * 60", "{{model}}"),),
        ),
        Chart(
            title="Copied rather than computed",
            description="Per minute: items whose like had been made.",
            unit="short",
            queries=(Query("sum by (model) (rate(spade_coalesced_items_total[5m])) * 60", "{{model}}"),),
        ),
        Chart(
            title="Object store",
            description="Mean seconds of a call, by operation, as APIs and workers see it.",
            unit="s",
            queries=(
                Query(
                    "sum by (operation) (rate(spade_storage_seconds_sum[5m]))"
                    " / sum by (operation) (rate(spade_storage_seconds_count[5m]))",
                    "{{operation}}",
                ),
            ),
        ),
        Chart(
            title="Failed calls to the object store",
            description="Part of all calls.",
            unit="percentunit",
            queries=(Query("spade:storage_errors:ratio5m", "errors"),),
            is_share=True,
        ),
        Chart(
            title="Memory of workers",
            description="Of the process; a GPU's is not in it.",
            unit="bytes",
            queries=(Query('process_resident_memory_bytes{job="spade-worker"}', "{{instance}}"),),
        ),
    ),
)
