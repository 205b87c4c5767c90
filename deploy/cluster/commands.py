"""`spade-serve k8s`: training runs on a Kubernetes cluster, through kubectl and its current context."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from deploy.cluster.errors import ClusterError
from deploy.cluster.kubectl import Cluster
from deploy.cluster.rendering import nodes_and_processes, render
from deploy.cluster.run_plan import Kind, RunPlan
from deploy.cluster.runs import explain_refusal, newest_pod, stop_run, view_run
from deploy.options import print_json, print_table
from spade.options import json_option

namespace_option = click.option("--namespace", default="spade", show_default=True, help="Of the run's objects.")
name_argument = click.argument("name")


@click.group()
def k8s() -> None:
    """Train on a Kubernetes cluster, the one of kubectl's current context.

    \b
    Examples:
        spade-serve k8s train --name run1 --config run.toml --nodes 2 --apply
        spade-serve k8s status run1
        spade-serve k8s logs run1 --follow
        spade-serve k8s stop run1
    """


@k8s.command()
@click.option("--name", required=True, help="Of the run: all of its objects are called so.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="What to train, as `spade train --config` reads it.",
)
@click.option(
    "--kind",
    type=click.Choice([str(kind) for kind in Kind]),
    show_default="single for 1 node, else multi",
    help="single, multi: a Job, of machines with GPUs; cpu: a Job without GPUs; jobset; trainer: Kubeflow's.",
)
@click.option("--nodes", type=click.IntRange(1, 1000), show_default="2; single: 1", help="Machines.")
@click.option(
    "--gpus", "processes", type=click.IntRange(1, 64), show_default="8; cpu: 1", help="Of each; cpu: processes."
)
@click.option("--image", show_default="spade-train:0.1.0-cuda; cpu: spade-train:0.1.0")
@click.option(
    "--data", default="", metavar="s3://BUCKET/PREFIX|claim:NAME", help="Dataset; the configuration's if not given."
)
@click.option(
    "--checkpoints",
    default="",
    metavar="s3://BUCKET/PREFIX",
    help="Where they go; a volume that all nodes see if not given.",
)
@click.option(
    "--model", metavar="NAME@VERSION", help="What the run becomes in the object store; its name@1 if not given."
)
@click.option("--no-model", is_flag=True, help="Put no model into the object store.")
@click.option("--queue", is_flag=True, help="Wait in a queue of Kueue for room; see k8s/components/kueue.")
@click.option("--rdma", is_flag=True, help="Let GPUs talk by InfiniBand or RoCE; see k8s/components/rdma.")
@namespace_option
@click.option("--apply", "is_to_apply", is_flag=True, help="Start it; without this its manifests are printed.")
def train(
    name: str,
    config: Path,
    kind: str | None,
    nodes: int | None,
    model: str | None,
    no_model: bool,
    is_to_apply: bool,
    **values: Any,  # noqa: ANN401 - options by the names of fields
) -> None:
    """Print or start a training run.

    It goes on by itself from its last checkpoint whenever a process or a machine is lost, and ends for good where its
    configuration or dataset cannot be used. When it has come to its end its model is in the object store, from where
    workers take it. The Secret spade-secrets has to tell SPADE_S3_ENDPOINT, _ACCESS_KEY and _SECRET_KEY.

    \b
    Examples:
        spade-serve k8s train --name run1 --config run.toml --nodes 2 --data s3://spade/coco --apply
        spade-serve k8s train --name try --config run.toml --kind cpu | kubectl apply -f -
    """
    if no_model and model:
        raise click.UsageError("give either --model or --no-model")
    plan = RunPlan(
        name=name,
        config=config,
        kind=Kind(kind) if kind else Kind.SINGLE if nodes == 1 else Kind.MULTI,
        nodes=nodes,
        model="" if no_model else model or f"{name}@1",
        **values,
    )
    _require_usable(plan)
    manifests = render(plan)
    if not is_to_apply:
        click.echo(manifests, nl=False)
        return
    try:
        click.echo(Cluster(plan.namespace).apply(manifests), nl=False)
    except ClusterError as error:
        raise explain_refusal(error, name) from error


def _require_usable(plan: RunPlan) -> None:
    """Raises ConfigError: where the configuration cannot be used, before a cluster has to find out."""
    from spade.training.presets import complete_config  # torch takes a second to load
    from spade.training.toml_files import read_toml

    nodes, processes = nodes_and_processes(plan)
    complete_config(read_toml(plan.config), where=str(plan.config)).micro_batch_size(nodes * processes)


@k8s.command()
@name_argument
@namespace_option
@json_option
def status(name: str, namespace: str, as_json: bool) -> None:
    """Tell how a run is.

    \b
    Example:
        spade-serve k8s status run1
    """
    run = view_run(Cluster(namespace), name)
    if as_json:
        print_json(dataclasses.asdict(run))
        return
    click.echo(f"{run.name}: {run.state}{f', {run.reason}' if run.reason else ''}")
    click.echo(f"{run.finished_nodes} of {run.nodes} nodes finished, {run.failed_pods} pods failed")
    rows = [
        (
            str(pod.node),
            pod.name,
            pod.phase,
            "" if pod.exit_status is None else str(pod.exit_status),
            pod.machine,
            pod.started,
        )
        for pod in run.pods
    ]
    print_table(("node", "pod", "phase", "exit status", "machine", "started"), rows)


@k8s.command()
@name_argument
@click.option("--node", type=click.IntRange(0), default=0, show_default=True, help="Which node, from 0.")
@click.option("--follow", is_flag=True, help="Stay until the pod ends.")
@namespace_option
def logs(name: str, node: int, follow: bool, namespace: str) -> None:
    """Show what a node of a run has written, in its newest pod. One of the nodes tells how the training goes.

    \b
    Example:
        spade-serve k8s logs run1 --node 1 --follow
    """
    cluster = Cluster(namespace)
    cluster.show_logs(newest_pod(cluster, name, node).name, follow=follow)


@k8s.command()
@name_argument
@click.option("--results", is_flag=True, help="Delete its checkpoints on a volume too.")
@namespace_option
def stop(name: str, results: bool, namespace: str) -> None:
    """Stop a run. It saves a checkpoint; started again under its name, it goes on from there.

    This waits until its pods have saved and ended, up to two minutes. Of a run that has ended it deletes what is left.

    \b
    Example:
        spade-serve k8s stop run1
    """
    click.echo(stop_run(Cluster(namespace), name, results=results), nl=False)
