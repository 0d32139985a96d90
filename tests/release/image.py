"""Runs the Dockerfile's steps in a clean root file system, where no engine is: `make image-steps`.

Needs root and `debootstrap`. The base is Debian's Python in place of the image's; all else is as
the Dockerfile says: what is copied, run and set, by which user, in which folder, read-only.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.release.paths import ROOT, VERSION
from tests.support.processes import finished

_SECONDS = 1200
_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
_CHROOT = "/usr/sbin/chroot"
_KEPT = ("PIP_CERT", "PIP_FIND_LINKS", "PIP_INDEX_URL", "SSL_CERT_FILE")


@dataclass(slots=True)
class Stage:
    """One stage of a Dockerfile."""

    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def stages(text: str) -> list[Stage]:
    """The stages with their steps, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            named = re.search(r" AS (\S+)$", rest)
            found.append(Stage(named[1] if named else ""))
        elif word and found:
            found[-1].steps.append((word, rest.strip()))
    return found


class Root:
    """A root file system in which steps are run."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        self.folder = "/"
        self.user = "0:0"

    def make(self, base: Path) -> None:
        # Not shutil: a copy of the device /dev/zero has no end.
        finished(["cp", "--archive", str(base), str(self.place)], check=True, timeout=_SECONDS)

    def do(self, word: str, rest: str, others: dict[str, "Root"]) -> None:
        match word:
            case "WORKDIR":
                self.folder = rest
                self._at(rest).mkdir(parents=True, exist_ok=True)
            case "ENV":
                for pair in shlex.split(rest):
                    name, _, value = pair.partition("=")
                    self.env[name] = value.replace("$PATH", self.env["PATH"])
            case "COPY":
                self._copy(shlex.split(rest), others)
            case "RUN":
                print(f"RUN {rest}", flush=True)
                self.run(["sh", "-ec", rest], check=True)
            case "USER":
                self.user = rest

    def run(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        """Run a command as the stage's user, in its folder, with its environment."""
        inside = f"cd {shlex.quote(self.folder)} && exec {shlex.join(command)}"
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return finished(
            [_CHROOT, f"--userspec={self.user}", str(self.place), "sh", "-c", inside],
            env={**kept, **self.env},
            timeout=_SECONDS,
            **options,
        )

    def _copy(self, words: list[str], others: dict[str, "Root"]) -> None:
        source = ROOT
        if words[0].startswith("--from="):
            source = others[words.pop(0).removeprefix("--from=")].place
        *names, target = words
        into = self._at(target)
        for name in names:
            origin = source / name.lstrip("/")
            if origin.is_dir():
                skipped = shutil.ignore_patterns("__pycache__") if source == ROOT else None
                shutil.copytree(origin, into, symlinks=True, dirs_exist_ok=True, ignore=skipped)
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy(origin, into)

    def _at(self, path: str) -> Path:
        return self.place / os.path.normpath(Path(self.folder, path)).lstrip("/")


def main(place: str) -> int:
    """Build in `place`, run the result read-only as its user and as process 1; say its size."""
    folder = Path(place).resolve()
    base = folder / "base"
    if not (base / "usr").exists():
        include = f"--include={_PACKAGES}"
        bootstrap = ["debootstrap", "--variant=minbase", include, "bookworm", str(base)]
        finished(bootstrap, check=True, timeout=_SECONDS)
    for name in ("python", "pip"):
        link = base / "usr" / "local" / "bin" / name
        if not link.is_symlink():
            link.symlink_to(f"/usr/bin/{name}3")
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", base / "etc")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", base / "etc/ssl/certs")
    made: dict[str, Root] = {}
    last = Root(folder)
    for stage in stages((ROOT / "Dockerfile").read_text()):
        last = Root(folder / f"stage-{stage.name or 'last'}")
        shutil.rmtree(last.place, ignore_errors=True)
        last.make(base)
        made[stage.name] = last
        for word, rest in stage.steps:
            last.do(word, rest, made)
    return _prove(last)


def _prove(image: Root) -> int:
    assert image.user == "65534:65534", image.user
    said = image.run(["mixrelay", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"mixrelay {VERSION}", said
    size = finished(["du", "-sm", str(image.place / "opt")], capture_output=True, text=True)
    print(f"the layers above the base: {size.stdout.split()[0]} MB, unpacked")
    # Process 1 of its own space of processes, on a root that nobody can write to.
    script = (
        f"mount --bind {image.place} {image.place} && mount -o remount,bind,ro {image.place} && "
        f"mount -t tmpfs tmp {image.place}/tmp && mount -t proc proc {image.place}/proc && "
        f"exec {_CHROOT} --userspec={image.user} {image.place} sh -c "
        "'touch /opt/x 2>/dev/null && exit 3; exec mixrelay demo --help'"
    )
    inside = ["unshare", "--mount", "--pid", "--fork", "sh", "-ec", script]
    done = finished(inside, env=image.env, capture_output=True, text=True, timeout=_SECONDS)
    assert done.returncode == 0, done
    assert "Usage" in done.stdout, done
    print("runs read-only, without rights, as process 1")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
