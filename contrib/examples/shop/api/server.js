// SPDX-License-Identifier: Apache-2.0
// The shop's API: GET / counts a visit in redis and names a product of the day; GET /healthz says whether redis answers.
'use strict';
const http = require('node:http');
const { Redis } = require('./redis.js');

const { PORT, REDIS_SOCKET, GREETING, SVD_APP, SVD_INSTANCE, SVD_REVISION } = process.env;
const redis = new Redis(REDIS_SOCKET);

async function answer(request) {
  if (request.url === '/healthz') return { redis: await redis.command('PING') };
  const visits = await redis.command('INCR', 'visits');
  const product = await redis.command('LINDEX', 'products', visits % 3);
  return { greeting: GREETING, product, visits, instance: `${SVD_APP}/${SVD_INSTANCE}`, revision: SVD_REVISION, pid: process.pid };
}

const server = http.createServer((request, response) => {
  const reply = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  };
  answer(request).then((body) => reply(200, body), (error) => reply(503, { error: error.message }));
});

server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on 127.0.0.1:${PORT}`));

process.on('disconnect', () => {  // the servers are closed, the last answer is given
  console.log('leaving');
  redis.close();
});
