"""200 short clips on a Ray cluster of two nodes (on this machine), beside the local engine. Prints a Markdown table.

    python benchmarks/batch_ray.py                          # the mask tracker with the weights that ship
    python benchmarks/batch_ray.py --clips 20 --frames 4    # a look

In the middle a worker is killed and a node is removed. Every clip has to be done, once, with the same bytes as locally.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

from _environment import describe_run, print_table

SIZE_HW = (120, 200)


def make_jobs(folder: Path, num_clips: int, num_frames: int) -> Path:
    """The list of jobs, its clips and their masks."""
    from shibori.datasets.scene.demo_clip import make_demo_clip
    from shibori.media.palette import write_palette_png
    from shibori.media.writer import write_video

    lines = ["clip,mask"]
    for number in range(num_clips):
        truth = make_demo_clip(seed=number, size_hw=SIZE_HW, num_frames=num_frames)
        write_video(folder / f"{number:03d}.mp4", map(truth.read_image, range(num_frames)))
        write_palette_png(folder / f"{number:03d}.png", truth.read_ids(0))
        lines.append(f"{number:03d}.mp4,{number:03d}.png")
    path = folder / "jobs.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def content_of(out: Path) -> dict[str, bytes]:
    """Every file of the clips' folders."""
    return {str(path.relative_to(out)): path.read_bytes() for path in out.glob("[0-9]*/*")}


def break_things(out: Path, cluster, num_clips: int) -> None:
    """Kill a worker once a quarter of the clips is done, remove a node once half of them is."""
    from shibori.batch.manifest import Manifest

    while len(list(out.glob("[0-9]*"))) < num_clips // 4:
        time.sleep(0.05)
    os.kill(int(Manifest(out / "manifest").rows[-1]["worker"].split()[1]), signal.SIGKILL)
    while len(list(out.glob("[0-9]*"))) < num_clips // 2:
        time.sleep(0.05)
    cluster.remove_node(cluster.other, allow_graceful=False)


def run_on_cluster(jobs: Path, out: Path, num_clips: int, usual: tuple[str, ...]):
    """The summary of the batch on two nodes, and its manifest."""
    from ray.cluster_utils import Cluster

    from shibori.batch.manifest import Manifest
    from shibori.batch.ray_engine import RayEngine
    from shibori.batch.run_batch import BatchJob, run_batch

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.other = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    with RayEngine(cluster.address, 2, threads=1) as engine:
        breaking = threading.Thread(target=break_things, args=(out, cluster, num_clips), daemon=True)
        breaking.start()
        summary = run_batch(BatchJob(jobs=jobs, out=out, usual=usual), engine=engine)
    cluster.shutdown()
    return summary, Manifest(out / "manifest").rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200, help="how many")
    parser.add_argument("--frames", type=int, default=8, help="of each")
    arguments = parser.parse_args()
    source = str(Path(__file__).parents[1] / "src")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    from shibori.batch.local_engine import LocalEngine
    from shibori.batch.run_batch import BatchJob, run_batch

    print(describe_run())
    usual = ("device=cpu", "size=128")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        jobs = make_jobs(folder, arguments.clips, arguments.frames)
        far, rows = run_on_cluster(jobs, folder / "ray", arguments.clips, usual)
        with LocalEngine(2, threads=1) as engine:
            near = run_batch(BatchJob(jobs=jobs, out=folder / "local", usual=usual), engine=engine)
        is_same = content_of(folder / "ray") == content_of(folder / "local")
    table = [(name, each.done, each.failed, each.seconds) for name, each in (("ray", far), ("local", near))]
    print_table(("engine", "done", "failed", "seconds"), table)
    again = sum(row["tries"] - 1 for row in rows)
    once = len(rows) == len({row["name"] for row in rows}) == arguments.clips
    print(f"\nbegun anew: {again}; each in the manifest once: {once}; the same bytes: {is_same}")


if __name__ == "__main__":
    main()
