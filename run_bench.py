"""Build, judge and time inline-CUDA kernels: `python run_bench.py --help`."""

import sys

if __name__ == "__main__":
    try:
        from harness.cli.main import main

        code = main()
    except ModuleNotFoundError as error:
        print(
            f"The package {error.name!r} is not installed: run `make bench`, which installs what "
            "is needed into .venv, or `pip install -e .` into an environment of your own.",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code)
