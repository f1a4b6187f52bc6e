"""A real SLURM of one node on loopback, for as long as it is needed.

    python -m tests.cluster.slurm COMMAND ...

runs a command within it. Needs root, slurmctld, slurmd and the client commands (slurm-wlm).
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scontrol", "srun")
_SECONDS_TO_START = 60
_CONF = """ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/none
CredType=cred/none
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobRequeue=1
MinJobAge=10
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=2000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


def missing() -> str:
    """What is not there to start it, "" where all is."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    return ", ".join(absent) if absent else "" if os.geteuid() == 0 else "root"


def _path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


@contextmanager
def running(folder: Path) -> Iterator[Mapping[str, str]]:
    """Start it in a folder; yields the environment in which its commands find it."""
    for name in ("spool", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (port, node_port), host = _free_ports(2), socket.gethostname().partition(".")[0]
    conf = folder / "slurm.conf"
    conf.write_text(
        _CONF.format(host=host, port=port, node_port=node_port, folder=folder, cores=os.cpu_count())
    )
    environment = os.environ | {"SLURM_CONF": str(conf), "PATH": _path()}
    # -D: in the foreground, as processes of ours, which are ended by their handles.
    programs = [["slurmctld", "-D", "-c", "-i"], ["slurmd", "-D"]]
    with (folder / "daemons.log").open("wb") as log:
        started = [
            subprocess.Popen(program, env=environment, stdout=log, stderr=log)
            for program in programs
        ]
        try:
            _wait(environment, folder)
            yield environment
        finally:
            subprocess.run(["scancel", "--full", "-u", "root"], env=environment, check=False)
            for process in reversed(started):
                process.terminate()
                process.wait(30)


def _wait(environment: Mapping[str, str], folder: Path) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < until:
        said = subprocess.run(
            ["sinfo", "-h", "-o", "%t"], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if said.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    log = (folder / "daemons.log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"SLURM did not start: {said.stdout} {said.stderr} {log}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


if __name__ == "__main__":
    if missing():
        sys.exit(f"there is no SLURM here: {missing()} is missing")
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as place,
        running(Path(place)) as inside,
    ):
        sys.exit(subprocess.run(sys.argv[1:], env=inside, check=False).returncode)
