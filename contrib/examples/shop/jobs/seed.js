// SPDX-License-Identifier: Apache-2.0
// Fills the database once. Where that fails, its restart policy tries again.
'use strict';
const { Redis } = require('../api/redis.js');

const redis = new Redis(process.env.REDIS_SOCKET);

async function seed() {
  await redis.command('DEL', 'products');
  for (const product of ['teapot', 'lantern', 'compass']) await redis.command('RPUSH', 'products', product);
  console.log(`products: ${await redis.command('LLEN', 'products')}`);
  redis.close();
}

seed().catch((error) => {
  console.error(`cannot seed: ${error.message}`);
  process.exitCode = 1;
});
