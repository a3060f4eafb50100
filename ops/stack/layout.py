"""Where everything lives. All that ops writes is under `.millrace/` in the clone, so deleting it forgets everything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Layout:
    """The folders of one stack: the clone's own, or a throwaway one for a test run."""

    directory: Path
    root: Path = ROOT

    @property
    def tools(self) -> Path:
        """What was installed privately; shared by all stacks of a clone."""
        return self.root / ".millrace" / "tools"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def broker(self) -> Path:
        return self.directory / "rabbitmq"

    @property
    def database(self) -> Path:
        return self.directory / "mongod"

    @property
    def storage(self) -> Path:
        """Root of the filesystem storage provider."""
        return self.directory / "storage"

    @property
    def processes(self) -> Path:
        """The note of what was started; see state.py."""
        return self.directory / "processes.json"

    @property
    def stack_environment(self) -> Path:
        """What scripts read: KEY=value lines, there only while the stack runs."""
        return self.directory / "stack.env"

    @property
    def write_token(self) -> Path:
        return self.directory / "write.token"

    @property
    def lock(self) -> Path:
        return self.directory / "lock"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Creates the folders that must be there before anything starts; private, since secrets live there."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        for folder in (self.logs, self.broker, self.database, self.storage):
            folder.mkdir(exist_ok=True)


def stack_layout() -> Layout:
    """The stack that ops/up starts in this clone."""
    return Layout(ROOT / ".millrace")
