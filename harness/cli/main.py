"""The command line: what is called, what it returns, what it says when it cannot go on.

Exit code 0: every kernel that ran did what its file promises. 1: one did not. 2: a mistake in
the call or the set-up, said in one sentence. 130: stopped by Ctrl-C. 141:
nobody read on.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from harness import PROGRAM, __version__
from harness.catalog.nearest import choices
from harness.cli import build, run, selfcheck, show
from harness.cli.options import examples
from harness.disk import refusal
from harness.records import HarnessError
from harness.report.terminal import console, say_error
from harness.stopping import Stopped, ignore_signals

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Compile inline-CUDA kernels, judge them against eager PyTorch, and time them.\n\n"
    f"Without a command, [bold]run[/bold] is meant; `{PROGRAM} run --help` has its options.",
    epilog=examples("", "check --kernel path/to/my_kernel.py", "build --help")
    + "\n\nExit code: 0 every kernel that ran did what its file promises, 1 one did not, "
    "2 a mistake in the call or the set-up, 130 stopped by Ctrl-C.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        console.print(f"{PROGRAM} {__version__}", markup=False)
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and end."
        ),
    ] = False,
) -> None: ...


app.command(
    "run",
    epilog=examples(
        "",
        "--quick",
        "--kernel path/to/my_kernel.py --sweep batch_size=1,64,1024",
        "--problem rms_norm --dtype bfloat16 --baseline eager,compile-max-autotune",
        "--sweep in_features=out_features=1024,4096",
        "--problem path/to/theirs.py --kernel path/to/my_kernel.py --strict",
    ),
)(run.run)
app.command(
    "check",
    epilog=examples(
        "check",
        "check --kernel path/to/my_kernel.py --dtype float16",
        "check --problem path/to/theirs.py --kernel path/to/my_kernel.py --strict",
    ),
)(run.check)
app.command(
    "build", epilog=examples("build", "build --arch 9.0a", "build --problem swiglu --verbose")
)(build.build)
app.command("list", epilog=examples("list", "list --problem swiglu"))(show.list_)
app.command("plot", epilog=examples("plot results/20260101-120000-rms_norm-cuda"))(show.plot)
app.command("cache", epilog=examples("cache", "cache --clear"))(show.cache)
app.command("selfcheck", epilog=examples("selfcheck build"))(selfcheck.selfcheck)

TOP = ("--help", "-h", "--version")
"""Options of no command; before any other, `run` is meant."""
COMMANDS = tuple(str(command.name) for command in app.registered_commands)


NO_READER = 128 + signal.SIGPIPE
"""The exit code of a program whose output nobody reads any more, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C does it: children ended, shared memory given back, results kept. Under
        # nohup, a hang-up stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and words[0] not in TOP):
        words.insert(0, "run")
    try:
        code = _call(words)
        stopped = "Stopped." if code == 130 else ""  # as typer answers a Ctrl-C
    except Stopped as stop:
        code, stopped = 130, str(stop)
    except (KeyboardInterrupt, typer.Abort):
        code, stopped = 130, "Stopped."
    if stopped or arguments is None:  # the process is about to end
        ignore_signals()
    if stopped:
        console.print(f"\n{stopped}", markup=False, soft_wrap=True)
    return code


def _call(words: Sequence[str]) -> int:
    try:
        if words[0] not in COMMANDS and not words[0].startswith("-"):
            raise HarnessError(f"There is no command {words[0]!r}. {choices(words[0], COMMANDS)}")
        return int(app(words, standalone_mode=False, prog_name=PROGRAM) or 0)
    except typer.Exit as stop:
        return stop.exit_code
    except (Stopped, typer.Abort):
        raise
    except SystemExit:  # how rich and click end where nobody reads on, as in `list | head`
        return NO_READER
    except HarnessError as error:
        say_error(str(error))
        return 2
    except OSError as error:
        say_error(refusal(error))
        return 2
    except Exception as error:
        # Usage errors of click, which typer may bring along under a name of its own.
        if not hasattr(error, "format_message"):
            raise
        say_error(f"{error.format_message().rstrip('.')}. `{PROGRAM} {words[0]} --help` shows how.")
        return 2
