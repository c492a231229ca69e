// SPDX-License-Identifier: Apache-2.0
// Releases of an app, good and bad ones, by the name of the directory that they run in.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const release = process.cwd().split('/').pop();

function listen() {
  return http.createServer((request, response) => {
    response.setHeader('X-Instance', `${release}/${process.env.SVD_INSTANCE}`);
    response.end('hello\n');
  }).listen(Number(process.env.PORT), '127.0.0.1');
}

// What it takes with it: the clients' ports of the connections that it has accepted.
function crash(accepted) {
  fs.writeFileSync('accepted', [...accepted].join(' '));
  throw new Error('the release is broken: it forgot its database');
}

switch (release) {
  case 'throws':
    throw new Error('the release is broken: no such module');
  case 'never-listens':
    console.log('the release waits for something that never comes');
    setInterval(() => {}, 1000);
    break;
  case 'crashes-later': {
    const accepted = new Set();
    listen().on('connection', (connection) => accepted.add(connection.remotePort));
    setTimeout(crash, 1000, accepted);
    break;
  }
  default:
    listen();
}
