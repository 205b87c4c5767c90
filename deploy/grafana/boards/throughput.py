"""How many pictures, how fast, and for whom."""

from typing import Final

from deploy.grafana.panels import Board, Chart, Figure, Query

THROUGHPUT: Final = Board(
    uid="spade-throughput",
    title="SPADE throughput",
    description="How many pictures the service makes, and how long they take.",
    figures=(
        Figure(
            title="Pictures a second",
            description="Of all models, over the last minute.",
            unit="short",
            expression="sum(spade:pictures:rate1m)",
        ),
        Figure(
            title="Pixels a second",
            description="Of these pictures.",
            unit="short",
            expression="sum(spade:pixels:rate1m)",
        ),
        Figure(
            title="Slowest twentieth",
            description="95 % of the pictures of the last five minutes took less, from acceptance to publication.",
            unit="s",
            expression="max(spade:item_seconds:p95_5m)",
        ),
        Figure(
            title="Failed",
            description="Of the items that ended in the last ten minutes, but for those whose input is at fault.",
            unit="percentunit",
            expression="spade:items_failed:ratio10m",
        ),
    ),
    charts=(
        Chart(
            title="Pictures a second",
            description="Published pictures by model.",
            unit="short",
            queries=(Query("spade:pictures:rate1m", "{{model}}"),),
        ),
        Chart(
            title="From acceptance to picture",
            description="Seconds that half and 95 % of the pictures stayed below.",
            unit="s",
            queries=(
                Query("spade:item_seconds:p50_5m", "{{model}}, half"),
                Query("spade:item_seconds:p95_5m", "{{model}}, 95 %"),
            ),
        ),
        Chart(
            title="Where the time goes",
            description="Mean seconds of a stage: wait, encode, upload of an item; decode, compute, commit of a batch.",
            unit="s",
            queries=(Query("spade:stage_seconds:mean5m", "{{model}}, {{stage}}"),),
        ),
        Chart(
            title="Items that ended",
            description="Per minute, by state and reason.",
            unit="short",
            queries=(Query("sum by (state, reason) (rate(spade_items_total[5m])) * 60", "{{state}} {{reason}}"),),
        ),
        Chart(
            title="Pictures by owner",
            description="Per minute; an owner is one API key or several.",
            unit="short",
            queries=(Query("sum by (owner) (rate(spade_owner_pictures_total[5m])) * 60", "{{owner}}"),),
        ),
        Chart(
            title="Jobs",
            description="Per minute, accepted and ended, by state.",
            unit="short",
            queries=(Query("sum by (state) (rate(spade_jobs_total[5m])) * 60", "{{state}}"),),
        ),
    ),
)
