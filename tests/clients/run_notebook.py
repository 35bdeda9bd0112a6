"""Runs a notebook from its first cell to its last; cells with one of the tags are left out. Arguments: the notebook, then tags."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main(path, *left_out):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    kept = [cell for cell in notebook.cells if not set(cell.metadata.get("tags", [])) & set(left_out)]
    saved = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    if saved:
        sys.exit(f"{path}: {len(saved)} cells hold outputs; commit it without")
    notebook.cells = kept
    folder = str(Path(path).resolve().parent)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    images = [output for cell in kept if cell.cell_type == "code" for output in cell.outputs if "image/png" in output.get("data", {})]
    if not images:
        sys.exit(f"{path}: nothing was plotted")
    print(f"{len(kept)} cells ran")


if __name__ == "__main__":
    main(*sys.argv[1:])
