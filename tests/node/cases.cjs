// SPDX-License-Identifier: Apache-2.0
// One program for every way to listen: CASE says which. Unmodified Node: nothing in here knows of svd.
'use strict';
const cluster = require('cluster');
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');

const slot = process.env.NODE_APP_INSTANCE;
const port = Number(process.env.PORT || 0);
const out = process.env.OUT;
const tls = () => ({ key: fs.readFileSync(path.join(__dirname, 'key.pem')), cert: fs.readFileSync(path.join(__dirname, 'cert.pem')) });

// Told once, when all of it listens: where, and who we are.
function report(addresses, more) {
  const text = JSON.stringify({ pid: process.pid, worker: cluster.isWorker, id: cluster.worker && cluster.worker.id,
                                env: Object.keys(process.env).filter((name) => name.startsWith('NODE_CHANNEL') || name === 'NODE_UNIQUE_ID'),
                                main: require.main === module, addresses, ...more });
  fs.writeFileSync(`${out}.${slot}.tmp`, text);
  fs.renameSync(`${out}.${slot}.tmp`, `${out}.${slot}`);
}

function all(servers, then) {
  let left = servers.length;
  for (const server of servers) server.once('listening', () => --left || then(servers.map((one) => one.address())));
}

const hello = (request, response) => response.end(`${process.pid}`);
const echo = (socket) => { socket.on('error', () => {}); socket.write(`${process.pid}\n`); socket.pipe(socket); };

const cases = {
  http() {
    const server = http.createServer(hello).listen(port);
    all([server], report);
  },
  echo() {
    const server = net.createServer(echo).listen(port, '127.0.0.1');
    all([server], report);
  },
  unix() {
    const servers = [net.createServer(echo).listen(`${out}.sock`), net.createServer(echo).listen(path.relative(process.cwd(), `${out}.rel.sock`))];
    all(servers, report);
  },
  abstract() {
    const server = net.createServer(echo).listen(`\0${process.env.NAME}`);
    all([server], report);
  },
  zero() {
    const servers = [http.createServer(hello).listen(0), http.createServer(hello).listen(0)];
    all(servers, report);
  },
  two() {
    const servers = [http.createServer(hello).listen(port), net.createServer(echo).listen(Number(process.env.PORT2))];
    all(servers, report);
  },
  udp() {
    const dgram = require('dgram');
    const sockets = [['udp4', '127.0.0.1'], ['udp6', '::1']].map(([type, address]) => {
      const socket = dgram.createSocket(type);
      socket.on('message', (text, from) => socket.send(`${process.pid}`, from.port, from.address));
      socket.bind(port, address);
      return socket;
    });
    all(sockets, report);
  },
  https() {
    const server = require('https').createServer(tls(), hello).listen(port);
    all([server], report);
  },
  http2() {
    const server = require('http2').createSecureServer(tls(), hello).listen(port);
    all([server], report);
  },
  hosts() {
    const servers = [http.createServer(hello).listen(port, '127.0.0.1'), http.createServer(hello).listen(port, '::1'),
                     http.createServer(hello).listen(Number(process.env.PORT2), 'localhost'),
                     http.createServer(hello).listen({ port: Number(process.env.PORT3), host: '::', ipv6Only: true })];
    all(servers, report);
  },
  again() {
    const first = http.createServer(hello).listen(port, () => first.close(() => {
      const second = http.createServer(hello).listen(port);
      all([second], report);
    }));
  },
  busy() {  // a second listen() on one port in one process is an ordinary error
    const first = http.createServer(hello).listen(port, () => {
      const second = http.createServer(hello);
      second.once('error', (error) => report([first.address()], { code: error.code }));
      second.once('listening', () => report([first.address()], { code: 'none' }));
      second.listen(port);
    });
  },
  max() {
    const server = net.createServer(echo);
    server.maxConnections = 1;
    server.listen(port);
    all([server], report);
  },
  descriptor() {
    const server = http.createServer(hello).listen({ fd: 3 });
    all([server], report);
  },
  refused() {
    const server = http.createServer(hello);
    server.once('error', (error) => report([], { code: error.code }));
    server.listen(80);
    setInterval(() => {}, 1e6);
  },
};

if (require.main === module) cases[process.env.CASE]();
module.exports = cases;
