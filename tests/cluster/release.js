// SPDX-License-Identifier: Apache-2.0
// Releases of an app, good and bad ones, by the name of the directory that they run in.
'use strict';
const http = require('node:http');
const release = process.cwd().split('/').pop();

function listen() {
  http.createServer((request, response) => {
    response.setHeader('X-Instance', `${release}/${process.env.SVD_INSTANCE}`);
    response.end('hello\n');
  }).listen(Number(process.env.PORT), '127.0.0.1');
}

switch (release) {
  case 'throws':
    throw new Error('the release is broken: no such module');
  case 'never-listens':
    console.log('the release waits for something that never comes');
    setInterval(() => {}, 1000);
    break;
  case 'crashes-later':
    listen();
    setTimeout(() => { throw new Error('the release is broken: it forgot its database'); }, 1000);
    break;
  default:
    listen();
}
