"""Progress bars of jobs, as `submit` and `demo` show them."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from api.representation import JobSummary


def job_progress(console: Console, *, disable: bool = False, transient: bool = False) -> Progress:
    """A bar for each task, with what is done of how many."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=disable, transient=transient)


def show_job(progress: Progress, task: TaskID, job: JobSummary) -> None:
    """Set the task's bar to the items of `job` that have ended, well or badly."""
    progress.update(task, completed=job.counts.total - job.counts.queued - job.counts.running)
