"""The `hlhneuro` command: calls one verb, prints. No science here."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from hlhneuro.arguments import build_parser
from hlhneuro.errors import HlhneuroError, StudyError
from hlhneuro.settings import load_settings

if TYPE_CHECKING:
    from hlhneuro.pipeline import RunOutcome
    from hlhneuro.report import StageStatus
    from hlhneuro.study import SpectrumFacts

__all__ = ["main"]

STAGES = ("align", "lesions", "change", "native", "spectra", "findings", "report")
out_console = Console(soft_wrap=True)
err_console = Console(stderr=True, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 all well, 1 something failed, 2 the call or study is wrong."""
    arguments = build_parser().parse_args(argv)
    listen(arguments.verbose)
    out_console.quiet = arguments.verbose < 0
    try:
        return COMMANDS[arguments.command](arguments)
    except StudyError as error:
        err_console.print(f"error: {error}", style="bold red", markup=False, highlight=False)
        return 2
    except HlhneuroError as error:
        err_console.print(f"error: {error}", style="bold red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        err_console.print("stopped; what was finished is kept and will be skipped next time")
        return 130


def listen(verbose: int) -> None:
    """Show the library's log on the terminal: errors only, unless asked for more."""
    handler = logging.StreamHandler()
    handler.setLevel({-1: logging.CRITICAL, 0: logging.CRITICAL, 1: logging.INFO}.get(verbose, logging.DEBUG))
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    package = logging.getLogger("hlhneuro")
    package.handlers = [handler]
    package.propagate = False
    package.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)


# ------------------------------------------------------------------- commands


def run_command(arguments: argparse.Namespace) -> int:
    """``hlhneuro run``."""
    from hlhneuro.pipeline import run

    told = arguments.settings is not None or arguments.set
    settings = load_settings(arguments.settings, arguments.set) if told else None
    with progress(quiet=arguments.verbose < 0 or arguments.level == "group") as on_status:
        outcome = run(
            arguments.study,
            arguments.out,
            arguments.level,
            participants=arguments.participant_label,
            sessions=arguments.session_label,
            derivatives=arguments.derivatives,
            settings=settings,
            jobs=arguments.jobs,
            reports_only=arguments.reports_only,
            keep_going=arguments.keep_going,
            dry_run=arguments.dry_run,
            on_status=on_status,
        )
    say_outcome(outcome, arguments.level, dry_run=arguments.dry_run)
    return outcome.exit_status


def demo_command(arguments: argparse.Namespace) -> int:
    """``hlhneuro demo``: write the sample study if it is not there, run all of it, say where the report is."""
    from hlhneuro.phantom import write_sample_study
    from hlhneuro.pipeline import run
    from hlhneuro.study import open_study

    study = arguments.study or arguments.out / "study"
    if not (study / "dataset_description.json").is_file():
        out_console.print(f"writing the sample study to {study}", highlight=False)
        write_sample_study(study)
    opened = open_study(study)
    results = arguments.out if arguments.study else arguments.out / "results"
    with progress(quiet=arguments.verbose < 0) as on_status:
        outcome = run(opened, results, jobs=arguments.jobs, on_status=on_status)
    group = run(opened, results, "group")
    say_outcome(outcome, "participant")
    say_outcome(group, "group")
    return max(outcome.exit_status, group.exit_status)


def check_command(arguments: argparse.Namespace) -> int:
    """``hlhneuro check``: what is there per session, what is missing, what therefore cannot be assessed."""
    from hlhneuro.study import check_study, open_study

    check = check_study(open_study(arguments.study), arguments.derivatives)
    styles = {"present": "green", "missing": "yellow", "unusable": "bold red"}
    table = Table("subject", "session", "item", "state", "what follows", title=f"Study {arguments.study}")
    for row in check.rows:
        follows = "; ".join(filter(None, (row.consequence, row.remedy)))
        table.add_row(row.subject, row.session, row.item, f"[{styles[row.state]}]{row.state}[/]", as_plain(follows))
    Console(width=None if out_console.is_terminal else 160).print(table)
    return 0 if check.ok else 1


def fit_command(arguments: argparse.Namespace) -> int:
    """``hlhneuro fit``."""
    from hlhneuro.pipeline import fit_file
    from hlhneuro.spectroscopy import TissueFractions

    fit = fit_file(
        arguments.svs,
        arguments.out,
        water=arguments.water,
        eddy_reference=arguments.eddy_reference,
        basis=arguments.basis,
        told=told_facts(arguments),
        tissue=TissueFractions(*arguments.tissue) if arguments.tissue else None,
        settings=load_settings(arguments.settings, arguments.set),
    )
    quality = fit.quality
    out_console.print(
        f"{quality['verdict']}: SNR {quality['snr']:.0f}, linewidth {quality['linewidth_hz']:.1f} Hz; "
        f"results in {arguments.out}",
        highlight=False,
    )
    return 0


def told_facts(arguments: argparse.Namespace) -> SpectrumFacts:
    """Return what the user says of spectra whose files do not."""
    from hlhneuro.study import SpectrumFacts

    return SpectrumFacts(
        echo_time_s=arguments.echo_time_s,
        repetition_time_s=arguments.repetition_time_s,
        dwell_time_s=arguments.dwell_time_s,
        spectrometer_frequency_mhz=arguments.spectrometer_frequency_mhz,
        nucleus=arguments.nucleus,
        sequence=arguments.sequence,
        conjugate=arguments.conjugate,
    )


def basis_command(arguments: argparse.Namespace) -> int:
    """``hlhneuro basis``."""
    from hlhneuro.pipeline import make_basis_set

    basis = make_basis_set(
        arguments.out,
        arguments.sequence,
        arguments.echo_time_s,
        field_t=arguments.field_t,
        spectrometer_frequency_mhz=arguments.frequency_mhz,
        first_echo_s=arguments.first_echo_s,
        mixing_time_s=arguments.mixing_time_s,
        pulse_bandwidth_hz=arguments.pulse_bandwidth_hz,
        points=arguments.points,
        dwell_time_s=arguments.dwell_time_s,
        metabolites=arguments.metabolites,
        form=arguments.form,
        settings=load_settings(arguments.settings, arguments.set).spectra,
    )
    for note in basis.assumptions:
        err_console.print(f"note: {note}", markup=False, highlight=False)
    out_console.print(
        f"{len(basis.names)} metabolites, {basis.source}; in {arguments.out}", markup=False, highlight=False
    )
    return 0


def import_command(arguments: argparse.Namespace) -> int:
    """``hlhneuro import``: DICOM folders and vendor spectra into the study."""
    from hlhneuro.pipeline.importing import import_into_study
    from hlhneuro.study.importing import ImportOptions, SpectrumOptions

    spectra = SpectrumOptions(told_facts(arguments), dict(arguments.water), arguments.acq, arguments.voi)
    outcome = import_into_study(
        arguments.source,
        arguments.study,
        arguments.subject,
        arguments.session,
        ImportOptions(dict(arguments.contrast), spectra, arguments.overwrite),
    )
    styles = {"imported": "green", "left out": "dim", "unknown": "yellow", "failed": "bold red"}
    table = Table("source", "state", "file", "why", title=f"Import into {arguments.study}")
    for row in outcome.rows:
        why = "; ".join(filter(None, (row.why, row.remedy)))
        table.add_row(as_plain(row.source), f"[{styles[row.state]}]{row.state}[/]", row.name, as_plain(why))
    if arguments.verbose >= 0:
        Console(width=None if out_console.is_terminal else 160).print(table)
    out_console.print(f"{len(outcome.written)} files written, {len(outcome.unchanged)} there already", highlight=False)
    return 0 if outcome.ok else 1


def phantom_command(arguments: argparse.Namespace) -> int:
    """``hlhneuro phantom``."""
    from hlhneuro.phantom import write_study

    if arguments.study.exists() and any(arguments.study.iterdir()):
        raise StudyError("the folder is not empty", path=arguments.study, remedy="choose a new folder")
    write_study(arguments.study, subjects=arguments.subjects, sessions=arguments.sessions, seed=arguments.seed)
    out_console.print(f"wrote {arguments.study}; the truth lies in {arguments.study / 'truth'}", highlight=False)
    return 0


def recover_command(arguments: argparse.Namespace) -> int:
    """``hlhneuro recover``: known lesions in the subjects' own images, and what came back of them."""
    from hlhneuro.pipeline.recovery import recover
    from hlhneuro.study import open_study

    study = open_study(arguments.study)
    with progress(quiet=arguments.verbose < 0) as on_status:
        outcome = recover(
            study,
            arguments.out,
            participants=arguments.participant_label,
            settings=load_settings(arguments.settings, arguments.set),
            jobs=arguments.jobs,
            on_status=on_status,
        )
    known = outcome.table[outcome.table["place"].notna()]
    back = known[known["found"].astype(bool)]
    out_console.print(
        f"{len(known)} lesions put in, {len(back)} found, {len(outcome.table) - len(known)} called new besides"
        + (f"; measured over true volume {back['ratio'].median():.2f} (median)" if len(back) else "")
        + f"; all in {outcome.out / 'recovery.tsv'}",
        highlight=False,
    )
    for status in outcome.troubles:
        err_console.print(f"  {describe(status)}", markup=False, highlight=False)
    return outcome.exit_status


# -------------------------------------------------------------------- talking


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[StageStatus], None]]:
    """Show bars on a terminal, plain lines elsewhere, nothing when quiet."""
    if quiet:
        yield lambda status: None
        return
    if not err_console.is_terminal:
        yield say_line
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[stage]}"), TimeElapsedColumn())
    with Progress(*columns, console=err_console) as bars:
        tasks = {}

        def on_status(status: StageStatus) -> None:
            if status.subject and status.subject not in tasks:
                tasks[status.subject] = bars.add_task(f"sub-{status.subject}", total=len(STAGES), stage="")
            if status.subject:
                reached = STAGES.index(status.stage) + 1 if status.stage in STAGES else None
                bars.update(tasks[status.subject], stage=f"{status.stage} {status.state}", completed=reached)
            if status.reason:
                bars.console.print(describe(status), markup=False, highlight=False)

        yield on_status


def say_line(status: StageStatus) -> None:
    """Print one status as a plain line."""
    err_console.print(describe(status), markup=False, highlight=False)


def describe(status: StageStatus) -> str:
    """Return a status as one line."""
    who = " ".join(filter(None, (f"sub-{status.subject}" if status.subject else "",
                                 f"ses-{status.session}" if status.session else "")))  # fmt: skip
    return f"{who} {status.stage}: {status.state}{' (' + status.reason + ')' if status.reason else ''}".strip()


def say_outcome(outcome: RunOutcome, level: str, *, dry_run: bool = False) -> None:
    """Say where the results are and what could not be done."""
    if dry_run:
        for status in outcome.statuses:
            out_console.print(describe(status), markup=False, highlight=False)
        return
    pattern = "sub-*/sub-*_report.html" if level == "participant" else "group/report.html"
    not_made = {f"sub-{status.subject}" for status in outcome.troubles if status.stage in {"findings", "report"}}
    for page in sorted(page for page in outcome.out.glob(pattern) if page.parent.name not in not_made):
        out_console.print(f"report: {page}", highlight=False)
    if outcome.troubles:
        # The group step says what it left out here and on its page: status.tsv belongs to the subjects.
        where = outcome.out / ("status.tsv" if level == "participant" else "group/report.html")
        err_console.print(f"{len(outcome.troubles)} steps could not be done (all in {where}):", highlight=False)
        for status in outcome.troubles:
            err_console.print(f"  {describe(status)}", markup=False, highlight=False)


def as_plain(text: str) -> str:
    """Escape text from files so that it cannot style the terminal."""
    from rich.markup import escape

    return escape(text)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "demo": demo_command,
    "check": check_command,
    "run": run_command,
    "fit": fit_command,
    "basis": basis_command,
    "import": import_command,
    "phantom": phantom_command,
    "recover": recover_command,
}


if __name__ == "__main__":
    sys.exit(main())
