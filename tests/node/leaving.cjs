// SPDX-License-Identifier: Apache-2.0
// How the preload lets clients go, with Node's own primary in the place of svd:
//
//   node leaving.cjs PRELOAD [TEST…]
//
// This file is the primary that plays svd, the program that knows of nothing, and the client, each in a process of its own.
'use strict';
const assert = require('assert');
const cluster = require('cluster');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const http2 = require('http2');
const https = require('https');
const net = require('net');
const os = require('os');
const path = require('path');
const { fork } = require('child_process');
const { once } = require('events');

const read = (name) => fs.readFileSync(path.join(__dirname, name));
const tls = () => ({ key: read('key.pem'), cert: read('cert.pem') });
const role = process.env.LEAVING_ROLE;

// --- the program -------------------------------------------------------------------------------------------------------

const eventStream = { 'content-type': 'text/event-stream' };

// An event stream that is never ended, and whose program writes on whatever becomes of it.
function streamEvents(answer) {
  answer.write('data: first\n\n');
  setInterval(() => answer.write('data: more\n\n'), 5).unref();
}

// As a library for WebSockets: echoes short text frames; a close frame is answered, and the connection ended.
function serveWebSocket(socket, answersClose) {
  socket.on('error', () => {});
  socket.on('data', (data) => {
    const [head, length] = [data[0], data[1] & 0x7f];
    const text = Buffer.from(data.subarray(6, 6 + length).map((byte, at) => byte ^ data[2 + at % 4]));
    if (head === 0x88 && answersClose) socket.end(Buffer.concat([Buffer.from([0x88, length]), text]));
    else if (head === 0x81) socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
  });
}

function upgrade(request, socket) {
  const key = crypto.createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
  serveWebSocket(socket, request.url !== '/deaf');
}

function serve(request, response) {
  if (request.url === '/events') {
    response.writeHead(200, eventStream);
    return streamEvents(response);
  }
  if (request.url === '/hang') return hang();
  const wait = Number(/^\/wait\/(\d+)$/.exec(request.url)?.[1] ?? 0);
  const answer = () => response.end(`${process.pid}`);
  if (wait) setTimeout(answer, Math.random() * wait); else answer();
}

function hang() {
  const dir = process.env.LEAVING_DIR;
  fs.writeFileSync(path.join(dir, 'hung'), '');
  while (!fs.existsSync(path.join(dir, 'go on')));
}

const servers = {
  http: () => http.createServer(serve).on('upgrade', upgrade),
  https: () => https.createServer(tls(), serve).on('upgrade', upgrade),
  h2: () => http2.createSecureServer(tls(), serve),
  h2c: () => http2.createServer(serve),
  streams: () => http2.createSecureServer(tls()).on('stream', (stream, headers) => {
    stream.respond(headers[':path'] === '/events' ? { ':status': 200, ...eventStream } : { ':status': 200 });
    if (headers[':path'] === '/events') streamEvents(stream); else stream.end(`${process.pid}`);
  }),
};

function program() {
  const { LEAVING_DIR: dir, LEAVING_KIND: kind, LEAVING_PORT: port } = process.env;
  process.on('disconnect', () => fs.writeFileSync(path.join(dir, `disconnected.${process.pid}`), ''));
  servers[kind]().listen(Number(port), '127.0.0.1');
}

// --- the client: 4 sessions of HTTP/2 with 8 requests at work on each, until it is told to end ---------------------------

function client() {
  const { LEAVING_URL: url, LEAVING_PATH: where = '/' } = process.env;
  let ended = false;
  const told = { requests: 0, failed: {}, sessions: 0, pids: {} };

  class Session {
    connect() {
      told.sessions++;
      const session = this.session = http2.connect(url, { rejectUnauthorized: false });
      session.on('error', (error) => fail(`session: ${error.code}`));
    }
    get() {
      if (!this.session || this.session.closed || this.session.destroyed) this.connect();
      return this.session;
    }
  }

  function fail(why) {
    told.failed[why] = (told.failed[why] || 0) + 1;
  }

  function ask(session) {
    return new Promise((resolve) => {
      let text = '';
      const stream = session.get().request({ ':path': where });
      stream.setEncoding('utf8');
      stream.on('data', (data) => { text += data; });
      stream.on('error', (error) => fail(`stream: ${error.message}`));
      stream.on('close', () => {
        if (text) told.pids[text] = (told.pids[text] || 0) + 1; else fail('no answer');
        told.requests++;
        resolve();
      });
      stream.end();
    });
  }

  async function work(session) {
    while (!ended) await ask(session);
  }

  const sessions = Array.from({ length: 4 }, () => new Session());
  const all = sessions.flatMap((session) => Array.from({ length: 8 }, () => work(session)));
  process.on('message', async (message) => {
    if (message === 'how many') return process.send({ requests: told.requests });
    ended = true;
    await Promise.all(all);
    process.send(told, () => process.exit());
  });
}

// --- the primary -------------------------------------------------------------------------------------------------------

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

class Stage {
  constructor(kind, port, dir) {
    Object.assign(this, { kind, port, dir, children: [] });
  }
  static async set(kind) {
    return new Stage(kind, await freePort(), fs.mkdtempSync(path.join(os.tmpdir(), 'svd-leaving-')));
  }
  get scheme() { return this.kind === 'http' || this.kind === 'h2c' ? 'http' : 'https'; }
  get url() { return `${this.scheme}://127.0.0.1:${this.port}`; }

  async start() {
    const worker = cluster.fork({ LEAVING_ROLE: 'program', LEAVING_KIND: this.kind, LEAVING_PORT: this.port, LEAVING_DIR: this.dir });
    worker.heard = [];
    worker.process.on('internalMessage', (message) => {
      if (message.cmd !== 'NODE_SVD') return;
      worker.heard.push(message);
      worker.emit('svd', message);
    });
    this.children.push(worker.process);
    await once(worker, 'listening');
    return worker;
  }
  client(where) {
    const child = fork(__filename, [], { env: { ...process.env, LEAVING_ROLE: 'client', LEAVING_URL: this.url, LEAVING_PATH: where } });
    this.children.push(child);
    return child;
  }
  end() {
    for (const child of this.children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    fs.rmSync(this.dir, { recursive: true });
  }
}

const say = (worker, message) => worker.process.send({ cmd: 'NODE_SVD', ...message });

async function heard(worker, act) {
  while (!worker.heard.some((message) => message.act === act)) await once(worker, 'svd');
  return worker.heard.find((message) => message.act === act);
}

async function ask(child, question) {
  child.send(question);
  return (await once(child, 'message'))[0];
}

async function untilAnswered(child, more) {
  const { requests } = await ask(child, 'how many');
  while ((await ask(child, 'how many')).requests < requests + more) await wait(5);
}

// As svd: drain until idle, then disconnect; the exit code.
async function leave(worker, drains = true) {
  if (drains) {
    say(worker, { act: 'drain' });
    await heard(worker, 'idle');
  }
  const exit = once(worker, 'exit');
  worker.disconnect();
  const [code, signal] = await exit;
  assert.deepStrictEqual([code, signal], [0, null], 'how it ended');
}

// Whole reloads under closed-loop load: nothing may fail.
function reloads(kind, where) {
  return async () => {
    const stage = await Stage.set(kind);
    try {
      let workers = [await stage.start(), await stage.start()];
      const child = stage.client(where);
      await untilAnswered(child, 200);
      for (let reload = 0; reload < Number(process.env.SVD_LEAVES || 5); ++reload) {
        for (const slot of workers.keys()) {
          const next = await stage.start();
          await leave(workers[slot]);
          workers[slot] = next;
          await untilAnswered(child, 50);
        }
      }
      const told = await ask(child, 'end');
      console.log(`   ${kind} ${where}: ${told.requests} requests, ${told.sessions} sessions, failed ${JSON.stringify(told.failed)}`);
      assert.deepStrictEqual(told.failed, {}, 'failed requests');
      assert(told.pids[workers[0].process.pid] || told.pids[workers[1].process.pid], 'the last workers were reached');
    } finally {
      stage.end();
    }
  };
}

// A client that says what every client must, and never another word.
async function silent() {
  const stage = await Stage.set('h2c');
  try {
    const worker = await stage.start();
    const socket = net.connect(stage.port, '127.0.0.1');
    const types = [];
    let bytes = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      bytes = Buffer.concat([bytes, data]);
      while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
        types.push(bytes[3]);
        bytes = bytes.subarray(9 + bytes.readUIntBE(0, 3));
      }
      socket.emit('frame');
    });
    socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]));
    while (!types.includes(4)) await once(socket, 'frame');
    const closed = once(socket, 'close');
    await leave(worker);
    await closed;
    assert(types.includes(7), `no GOAWAY among the frames ${types}`);
  } finally {
    stage.end();
  }
}

// Frames from the server, until it ends the connection.
async function openWebSocket(stage, where) {
  const request = http.get({ port: stage.port, host: '127.0.0.1', path: where, headers: {
    Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64') } });
  const [, socket, head] = await once(request, 'upgrade');
  assert.strictEqual(head.length, 0);
  socket.frames = [];
  socket.on('error', () => {});
  socket.on('data', (data) => {
    for (let at = 0; at < data.length; at += 2 + (data[at + 1] & 0x7f))
      socket.frames.push([data[at] & 0x0f, data.subarray(at + 2, at + 2 + (data[at + 1] & 0x7f))]);
    socket.emit('frame');
  });
  socket.frame = async (opcode) => {
    while (!socket.frames.some(([has]) => has === opcode)) await once(socket, 'frame');
    return socket.frames.find(([has]) => has === opcode)[1];
  };
  socket.send = (opcode, data) => socket.write(Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | data.length, 0, 0, 0, 0]), Buffer.from(data)]));
  return socket;
}

function webSocket(where) {
  return async () => {
    const stage = await Stage.set('http');
    try {
      const worker = await stage.start();
      const socket = await openWebSocket(stage, where);
      say(worker, { act: 'drain' });
      say(worker, { act: 'alive', seq: 1 });
      await heard(worker, 'alive');
      socket.send(1, 'still here');
      assert.strictEqual((await socket.frame(1)).toString(), 'still here', 'while it drains it is served');
      assert(!worker.heard.some(({ act }) => act === 'idle'), 'a WebSocket is a client');
      const closed = once(socket, 'close');
      const left = leave(worker, false);
      const reason = await socket.frame(8);
      assert.strictEqual(reason.readUInt16BE(0), 1001, 'Going Away');
      if (where !== '/deaf') socket.send(8, reason);
      await closed;
      await left;
      assert(fs.existsSync(path.join(stage.dir, `disconnected.${worker.process.pid}`)), "'disconnect' came to the program");
    } finally {
      stage.end();
    }
  };
}

async function openEvents(stage) {
  if (stage.kind.startsWith('http')) {
    const request = (stage.kind === 'http' ? http : https).get(`${stage.url}/events`, { rejectUnauthorized: false });
    return (await once(request, 'response'))[0];
  }
  const stream = http2.connect(stage.url, { rejectUnauthorized: false }).request({ ':path': '/events' });
  stream.end();
  await once(stream, 'response');
  return stream;
}

function events(kind) {
  return async () => {
    const stage = await Stage.set(kind);
    try {
      const worker = await stage.start();
      const answer = await openEvents(stage);
      answer.setEncoding('utf8');
      const [first] = await once(answer, 'data');
      assert(first.startsWith('data: first'), first);
      answer.resume();
      const end = once(answer, 'end');  // an answer that is cut off has an error instead
      await leave(worker, false);
      await end;
      if (kind.startsWith('http')) assert(answer.complete, 'the answer is complete');
      else assert.strictEqual(answer.rstCode, 0);
    } finally {
      stage.end();
    }
  };
}

async function until(file) {
  while (!fs.existsSync(file)) await wait(5);
}

async function alive() {
  const stage = await Stage.set('http');
  try {
    const worker = await stage.start();
    say(worker, { act: 'alive', seq: 7 });
    assert.deepStrictEqual(await heard(worker, 'alive'), { cmd: 'NODE_SVD', act: 'alive', ack: 7 });
    worker.heard.length = 0;
    http.get(`${stage.url}/hang`).on('error', () => {});
    await until(path.join(stage.dir, 'hung'));
    say(worker, { act: 'alive', seq: 8 });
    await wait(100);
    assert.deepStrictEqual(worker.heard, [], 'a loop that does not turn does not answer');
    fs.writeFileSync(path.join(stage.dir, 'go on'), '');
    assert.strictEqual((await heard(worker, 'alive')).ack, 8);
  } finally {
    stage.end();
  }
}

const tests = {
  'http/2: reloads under load fail no stream': reloads('h2', '/'),
  'http/2: reloads under load of slow answers fail no stream': reloads('h2', '/wait/30'),
  'http/2 without TLS: reloads under load fail no stream': reloads('h2c', '/'),
  'http/2 streams without the request API: reloads under load fail no stream': reloads('streams', '/'),
  'http/2: a client that never answers is told, and then left': silent,
  'WebSocket: served to the end of the drain, then 1001': webSocket('/'),
  'WebSocket: closed also where the program does not know close frames': webSocket('/deaf'),
  'SSE over http: ended as a complete answer': events('http'),
  'SSE over https: ended as a complete answer': events('https'),
  'SSE over http/2: ended as a complete answer': events('h2'),
  'SSE over an http/2 stream: ended as a complete answer': events('streams'),
  'alive: answered by the event loop': alive,
};

async function primary() {
  const [preload, ...only] = process.argv.slice(2);
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  (cluster.setupPrimary || cluster.setupMaster)({ exec: __filename, args: [], execArgv: ['--require', path.resolve(preload)] });
  for (const [name, test] of Object.entries(tests)) {
    if (only.length && !only.some((part) => name.includes(part))) continue;
    console.log(`-- ${name}`);
    await test();
  }
  console.log('all passed');
  process.exit();
}

if (role === 'program') program();
else if (role === 'client') client();
else primary().catch((error) => { console.error(error); process.exit(1); });
