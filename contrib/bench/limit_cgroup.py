# SPDX-License-Identifier: Apache-2.0
"""The kernel loop with what svd owes each start besides: a cgroup of its own (limit_cgroup.patch). What it needs more than
`limit` no supervisor can save that ends a crashed main process's stray children by their cgroup."""
import os

from .limit import Limit


class LimitCgroup(Limit):
    name, title = "limit-cgroup", "limit with a cgroup for each start"
    config = "The same with LIMIT_CGROUP: mkdir, clone3(CLONE_INTO_CGROUP), rmdir at the end."
    has_log = False
    measure_idle = False

    def start(self):
        self.proc = self.lab.popen(self._argv(self.spec.n), cgroup2=True, env={**os.environ, "LIMIT_CGROUP": self.lab.cg2})
        return None

    def start_empty(self):
        self.proc = self.lab.popen(self._argv(0))
