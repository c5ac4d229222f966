"""CPU of each service without clicks: `python -m benchmarks.idle`, on its own broker and Valkey.

Measures one minute of each process, all threads, starting WARM_SECONDS after a few clicks were processed. The windows
hold these few clicks.
"""

import time
from contextlib import ExitStack
from typing import Final

from benchmarks.paced_clicks import WORLD, made_by
from benchmarks.processes import answer, quieten_logs
from benchmarks.site import fresh_site, load_lookups, running_servers, running_service, wait_until
from benchmarks.usage import CpuReading
from shared.rollups.contract import META_KEY
from shared.runtime.redis_client import connect

SERVICES: Final = ("enrich", "aggregate", "detect")
WARM_SECONDS: Final = 10.0
SECONDS: Final = 60.0


def main() -> None:
    """Report the share of a core that each process uses, in percent."""
    with running_servers() as servers, ExitStack() as stack:
        site = fresh_site(servers)
        load_lookups(WORLD, site)
        client = stack.enter_context(connect(servers.redis_url))
        process_ids = {name: stack.enter_context(running_service(name, site)).pid for name in SERVICES}
        made = made_by(100, 2, site)
        wait_until(lambda: int(client.hget(META_KEY, "counted") or 0) == made.clicks, "the clicks are published")
        time.sleep(WARM_SECONDS)
        before, began = CpuReading.of(process_ids | dict(servers.process_ids)), time.monotonic()
        time.sleep(SECONDS)
        after = CpuReading.of(process_ids | dict(servers.process_ids))
        cores = after.cores_since(before, time.monotonic() - began)
    answer({f"idle_{name}_percent": round(100 * used, 2) for name, used in cores.items()})


if __name__ == "__main__":
    quieten_logs()
    main()
