"""Progress of training runs."""

from typing import Final

from deploy.grafana.panels import Board, Chart, Figure, Query

_RUN: Final = "app_kubernetes_io_instance"
"""The label with the name of a run on Kubernetes; others have none."""
_OF_RUN: Final = f"{{{{{_RUN}}}}}"

TRAINING: Final = Board(
    uid="spade-training",
    title="SPADE training",
    description="Whether runs make progress.",
    figures=(
        Figure(
            title="Pictures a second",
            description="Of all runs.",
            unit="short",
            expression="sum(spade_training_images_per_second)",
        ),
        Figure(title="Epoch", description="From 1.", unit="short", expression="max(spade_training_epoch)"),
        Figure(
            title="Last checkpoint",
            description="How long ago; before the first one, since the start.",
            unit="s",
            expression="max(time() - spade_training_checkpoint_timestamp_seconds)",
        ),
        Figure(
            title="Memory",
            description="The most in use: of the GPU, or else of the process.",
            unit="bytes",
            expression="max(spade_training_memory_bytes)",
        ),
    ),
    charts=(
        Chart(
            title="Pictures a second",
            description="Over the last five minutes, by process.",
            unit="short",
            queries=(Query("spade:training_images:rate5m", f"{_OF_RUN} {{{{instance}}}}"),),
        ),
        Chart(
            title="Seconds of a step",
            description="Mean, loading included.",
            unit="s",
            queries=(
                Query(
                    f"sum by ({_RUN}, instance) (rate(spade_training_step_seconds_sum[5m]))"
                    f" / sum by ({_RUN}, instance) (rate(spade_training_step_seconds_count[5m]))",
                    f"{_OF_RUN} {{{{instance}}}}",
                ),
            ),
        ),
        Chart(
            title="Losses",
            description="Weighted, means since the line before in the run's log.",
            unit="short",
            queries=(Query("spade_training_loss", f"{_OF_RUN} {{{{loss}}}}"),),
        ),
        Chart(
            title="Learning rates",
            description="By network.",
            unit="sci",
            queries=(Query("spade_training_learning_rate", f"{_OF_RUN} {{{{network}}}}"),),
        ),
        Chart(
            title="Validation: FID",
            description="Of the last look at validation samples, by the segmenter's features; the lower the better.",
            unit="short",
            queries=(Query('spade_training_validation{metric="fid_segmenter"}', _OF_RUN),),
        ),
        Chart(
            title="Validation: mIoU and pixel accuracy",
            description="Of the last look at validation samples, by the segmenter.",
            unit="percentunit",
            queries=(Query('spade_training_validation{metric=~"miou|accuracy"}', f"{_OF_RUN} {{{{metric}}}}"),),
        ),
    ),
)
