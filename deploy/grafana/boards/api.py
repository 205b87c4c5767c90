"""Requests, answers and webhooks."""

from typing import Final

from deploy.grafana.panels import Board, Chart, Figure, Query

API: Final = Board(
    uid="spade-api",
    title="SPADE API",
    description="Requests, answers and their times.",
    figures=(
        Figure(
            title="Requests a second",
            description="Over the last minute.",
            unit="reqps",
            expression="sum(spade:api_requests:rate1m)",
        ),
        Figure(
            title="Answered with 5xx",
            description="Part of the requests of clients in the last five minutes, without probes.",
            unit="percentunit",
            expression="spade:api_errors:ratio5m",
        ),
        Figure(
            title="Submissions, slowest hundredth",
            description="99 % of them took less.",
            unit="s",
            expression='spade:api_seconds:p99_5m{route="/v1/jobs"}',
        ),
        Figure(
            title="Webhooks to deliver",
            description="Ended jobs that a receiver is still to be told of.",
            unit="short",
            expression="spade_queue_pending_webhooks",
        ),
    ),
    charts=(
        Chart(
            title="Requests a second",
            description="By route.",
            unit="reqps",
            queries=(Query("sum by (route) (spade:api_requests:rate1m)", "{{route}}"),),
        ),
        Chart(
            title="Answers",
            description="A second, by status.",
            unit="reqps",
            queries=(Query("sum by (status) (spade:api_requests:rate1m)", "{{status}}"),),
        ),
        Chart(
            title="Slowest hundredth",
            description="Seconds that 99 % of the requests stayed below, by route, with those that wait for a job.",
            unit="s",
            queries=(Query("spade:api_seconds:p99_5m", "{{route}}"),),
        ),
        Chart(
            title="Requests by key",
            description="A second, by the id of the API key.",
            unit="reqps",
            queries=(Query("sum by (key) (rate(spade_api_key_requests_total[5m]))", "{{key}}"),),
        ),
        Chart(
            title="Webhooks",
            description="Attempts a minute, by outcome.",
            unit="short",
            queries=(Query("sum by (outcome) (rate(spade_webhooks_total[5m])) * 60", "{{outcome}}"),),
        ),
    ),
)
