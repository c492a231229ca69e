// SPDX-License-Identifier: Apache-2.0
// A server that knows nothing of any supervisor. /busy/MS computes for so long; all else is answered at once.
'use strict';
const { PORT, RELEASE = '', SVD_INSTANCE, NODE_APP_INSTANCE } = process.env;
const instance = `${RELEASE}/${SVD_INSTANCE ?? NODE_APP_INSTANCE}`;

require('node:http').createServer((request, response) => {
  const busy = /^\/busy\/(\d+)$/.exec(request.url);
  for (const end = Date.now() + Number(busy?.[1] ?? 0); Date.now() < end;);
  response.setHeader('X-Instance', instance);
  response.end('hello, world\n');
}).listen(Number(PORT), '127.0.0.1');
