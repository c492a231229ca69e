// SPDX-License-Identifier: Apache-2.0
// GET / counts: all hits in one place, and those of each visitor in a session. PUT /price sets a price that every
// instance keeps in its memory, and tells the others that theirs is out of date. Nothing here knows of svd but the
// address on that message.
'use strict';
const http = require('node:http');
const { randomUUID } = require('node:crypto');
const { Redis } = require('./redis.js');

const { PORT, REDIS_SOCKET, SVD_APP, SVD_INSTANCE } = process.env;
const redis = new Redis(REDIS_SOCKET);
const instance = `${SVD_APP}/${SVD_INSTANCE}`;

let price;  // as this instance knows it
process.on('message', (message) => {
  if (message?.svd?.from && message.data === 'the price has changed') price = undefined;
});

async function count(request, response) {
  let session = /(?:^|; )session=([0-9a-f-]{36})/.exec(request.headers.cookie ?? '')?.[1];
  if (!session) response.setHeader('set-cookie', `session=${session = randomUUID()}; HttpOnly`);
  const visits = await redis.command('HINCRBY', `session:${session}`, 'visits', 1);
  await redis.command('EXPIRE', `session:${session}`, 3600);
  price ??= await redis.command('GET', 'price');
  return { hits: await redis.command('INCR', 'hits'), visits, price, instance, pid: process.pid };
}

async function set_price(request) {
  let text = '';
  for await (const piece of request) text += piece;
  await redis.command('SET', 'price', price = text.trim());
  process.send({ svd: { to: SVD_APP }, data: 'the price has changed' });
  return { price, instance };
}

http.createServer((request, response) => {
  const work = request.method === 'PUT' && request.url === '/price' ? set_price(request) : count(request, response);
  work.catch((error) => { response.statusCode = 503; return { error: error.message }; })
    .then((body) => response.end(`${JSON.stringify(body)}\n`));
}).listen(Number(PORT), '127.0.0.1', () => console.log(`listening on ${PORT}`));

process.on('disconnect', () => redis.close());  // the last connection is served: nothing else keeps us
