// SPDX-License-Identifier: Apache-2.0
// An ES module: the preload and the worker's set-up come before it as well.
import fs from 'node:fs';
import http from 'node:http';

const server = http.createServer((request, response) => response.end(`${process.pid}`));
server.listen(Number(process.env.PORT), () => {
  const file = `${process.env.OUT}.${process.env.NODE_APP_INSTANCE}`;
  fs.writeFileSync(`${file}.tmp`, JSON.stringify({ pid: process.pid, worker: true, env: [], main: true, addresses: [server.address()] }));
  fs.renameSync(`${file}.tmp`, file);
});
