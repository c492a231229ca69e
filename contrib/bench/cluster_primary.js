// SPDX-License-Identifier: Apache-2.0
// Node's own cluster, as its manual shows it: cluster_primary.js none|rr WORKERS SCRIPT. For contrib/bench/cluster.
'use strict';
const cluster = require('node:cluster');
const [policy, workers, script] = process.argv.slice(2);

cluster.schedulingPolicy = policy === 'rr' ? cluster.SCHED_RR : cluster.SCHED_NONE;
cluster.setupPrimary({ exec: script });
for (let slot = 0; slot < Number(workers); ++slot) cluster.fork({ NODE_APP_INSTANCE: slot });
