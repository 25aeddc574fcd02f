"""Where a collector's journals are: one folder, and one below it for each worker after the first.

journal/journal.sqlite              worker 1, or the only process
journal/worker-2/journal.sqlite     worker 2
"""

from __future__ import annotations

from pathlib import Path

JOURNAL_FILE = "journal.sqlite"
LOCK_FILE = "journal.lock"
_WORKER = "worker-"


def journal_folder(directory: Path, worker: int) -> Path:
    """The folder of a worker's journal; the first worker's is where that of a single process is."""
    return directory if worker == 1 else directory / f"{_WORKER}{worker}"


def journal_folders(directory: Path) -> dict[int, Path]:
    """The folders that hold a journal by the numbers of their workers, also of workers that there are no more."""
    numbers = (folder.name.removeprefix(_WORKER) for folder in directory.glob(f"{_WORKER}*"))
    workers = [1, *sorted(int(number) for number in numbers if number.isdigit())]
    folders = {worker: journal_folder(directory, worker) for worker in workers}
    return {worker: folder for worker, folder in folders.items() if (folder / JOURNAL_FILE).is_file()}
