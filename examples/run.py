"""Runs an example with all it needs on this machine: a Valkey, a worker and the sandbox.

    python examples/run.py flask       # or wsgi, django, fastapi, starlette, celery

Then try what the example says, such as `curl -X POST localhost:8000/upgrade/ann`, and look at
http://127.0.0.1:8088/ for what arrived. Ctrl-C ends all of it.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
VALKEY, SANDBOX = 6390, 8088


def commands(port: int = 8000) -> dict[str, list[str]]:
    """Return how each example is started."""
    uvicorn = [f"{BIN}/uvicorn", "--app-dir", f"{HERE}", "--port", f"{port}"]
    gunicorn = [f"{BIN}/gunicorn", "--chdir", f"{HERE}", "--bind", f"127.0.0.1:{port}"]
    flask = [f"{BIN}/flask", "--app", f"{HERE}/flask_app", "run", "--port", f"{port}"]
    django = [sys.executable, f"{HERE}/django_app.py", "runserver", "--noreload", f"{port}"]
    celery = [f"{BIN}/celery", "--workdir", f"{HERE}", "--app", "celery_app", "worker"]
    return {
        "wsgi": [*gunicorn, "--preload", "--workers", "4", "wsgi_app:application"],
        "flask": flask,
        "django": django,
        "fastapi": [*uvicorn, "fastapi_app:app"],
        "starlette": [*uvicorn, "app:app"],
        "celery": [*celery, "--concurrency", "2"],
    }


def main(example: str) -> None:
    """Run until Ctrl-C; the worker ends before the Valkey that it works for."""
    os.environ["MIXRELAY_REDIS_URL"] = f"redis://127.0.0.1:{VALKEY}/0"
    os.environ["CELERY_BROKER_URL"] = f"redis://127.0.0.1:{VALKEY}/1"
    os.environ["MIXPANEL_API_HOST"] = f"http://127.0.0.1:{SANDBOX}"
    os.environ.setdefault("MIXPANEL_TOKEN", "example-token")
    mixrelay = f"{BIN}/mixrelay"
    parts = [["valkey", "--port", f"{VALKEY}"], ["sandbox", "--port", f"{SANDBOX}"], ["worker"]]
    # In sessions of their own, where the terminal's Ctrl-C does not reach them.
    running = [subprocess.Popen([mixrelay, *part], start_new_session=True) for part in parts]
    try:
        subprocess.run(commands()[example], check=False)
    except KeyboardInterrupt:
        print("Ending.")
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in commands():
        sys.exit(f"Say which example: {', '.join(commands())}.")
    main(sys.argv[1])
