// SPDX-License-Identifier: Apache-2.0
// Loaded before a Node program that svd runs with channel `node` (NODE_OPTIONS, opt-out `preload: false`). It changes
// nothing of what the program does until svd asks the instance to let its clients go:
//
//   drain       each HTTP/1 answer says `Connection: close`, each HTTP/2 session gets GOAWAY at a moment when no stream is
//               on its way, and svd hears when no connection is left
//   disconnect  (the end of the drain) what would never end by itself is ended in its protocol's own way: WebSockets with a
//               close frame 1001 Going Away, event streams (SSE) as a complete answer; their clients come back elsewhere
//
// svd may also ask at any time whether the event loop turns. What is said on the channel: contrib/manual/channels.md.
'use strict';

if (process.channel && require('cluster').isWorker) {
  const { Server } = require('net');
  const diagnostics = require('diagnostics_channel');

  const quietRounds = 3;      // PINGs that came back since anything happened on an HTTP/2 session: now it is quiet
  const quietFor = 25;        // ms: and for so long, as a client that got an answer thinks for a moment
  const quietWithin = 500;    // ms: how long a session may be waited for to be quiet, while its client answers PINGs
  const silentWithin = 3000;  // ms: and where it does not
  const firstStream = 1000;   // ms: how long a session that came late may do without a stream
  const closing = 1000;       // ms: for the other side of a WebSocket, or of a session without streams, to close

  let draining = false;
  let ending = false;
  const sessions = new Map();      // HTTP/2 session → Farewell
  const webSockets = new Map();    // socket → bytes written before it was upgraded
  const secureSockets = new Set();  // TLS: the active handles are those below, which know of no answer

  function keep(collection, emitter, value) {
    if (collection instanceof Map) collection.set(emitter, value);
    else collection.add(emitter);
    emitter.once('close', () => collection.delete(emitter));
  }

  const unref = (timer) => timer.unref();
  const isAnswered = (stream) => stream.closed || stream.destroyed || stream.writableEnded;
  const isEventStream = (type) => typeof type === 'string' && /^\s*text\/event-stream\b/i.test(type);

  // RFC 9113 (6.8) would have GOAWAY with the id 2^31−1 first, and the real one a round trip later; but the nghttp2 of Node
  // drops every stream that comes after any GOAWAY was sent. So the round trip is made before it: new streams are held
  // back from the program until some PINGs have come back without a stream being opened, answered or closed meanwhile.
  // Then nothing is on its way from a client that waits for answers, and what it hears first is GOAWAY.
  class Farewell {
    constructor(session) {
      this.session = session;
      this.open = new Set();
      this.held = [];
      this.state = 'none';  // then 'holding', then 'gone'
    }

    // True: the program is to see the stream later.
    came(stream, emitLater) {
      this.touch();
      this.open.add(stream);
      stream.once('close', () => {
        this.touch();
        this.open.delete(stream);
      });
      if (draining) this.begin();
      if (this.state !== 'holding') return false;
      this.held.push(() => stream.destroyed || emitLater());
      return true;
    }

    begin() {
      if (this.state !== 'none') return;
      this.state = 'holding';
      this.since = this.changed = Date.now();
      this.rounds = 0;
      unref(setTimeout(() => this.go(), silentWithin));
      this.settle();
    }

    touch() {
      this.rounds = 0;
      this.changed = Date.now();
    }

    settle() {
      if (this.state !== 'holding') return;
      if (this.session.destroyed || this.session.closed) return this.go();
      if (this.isSettling()) this.touch();
      if (!this.session.ping((error) => this.pinged(error))) this.go();
    }

    pinged(error) {
      const now = Date.now();
      if (this.isSettling()) this.touch();
      else this.rounds++;
      const isQuiet = this.rounds > quietRounds && now - this.changed >= quietFor;
      if (error || isQuiet || now - this.since >= quietWithin) this.go();
      else unref(setTimeout(() => this.settle(), 1));
    }

    isSettling() {
      for (const stream of this.open) if (isAnswered(stream)) return true;
      return false;
    }

    // GOAWAY; streams that are open are finished, and then the session closes. On the wire it is before every answer
    // that follows.
    go() {
      if (this.state === 'gone') return;
      this.state = 'gone';
      if (!this.session.destroyed) this.session.close();
      for (const emitLater of this.held.splice(0)) emitLater();
      unref(setTimeout(() => this.sweep(), closing));
    }

    // A session without streams that is still there: its client does not close.
    sweep() {
      if (this.session.destroyed) return;
      if (this.open.size === 0) return this.session.destroy();
      unref(setTimeout(() => this.sweep(), closing));
    }

    end() {
      this.begin();
      for (const stream of this.open) {
        const type = stream.headersSent && stream.sentHeaders && stream.sentHeaders['content-type'];
        if (isEventStream(type)) endAnswer(stream);
      }
    }
  }

  // What the program still writes is nobody's any more, and no error.
  function endAnswer(answer) {
    if (answer.writableEnded) return;
    answer.end();
    answer.on('error', () => {});
    answer.write = (_chunk, encoding, done) => {
      const tell = typeof encoding === 'function' ? encoding : done;
      if (typeof tell === 'function') process.nextTick(tell);
      return true;
    };
    answer.end = () => answer;
  }

  function endEventStream(socket) {
    const answer = socket._httpMessage;
    const type = answer && /^content-type:(.*)$/im.exec(answer._header);  // what writeHead() was given, too
    if (!type || !isEventStream(type[1])) return;
    answer.once('finish', () => socket.destroySoon());
    endAnswer(answer);
  }

  // Whoever answers a close frame closes by its protocol; whoever does not, is closed.
  function endWebSocket(socket, writtenBefore) {
    const isOpen = socket.writable && socket.bytesWritten > writtenBefore;
    if (isOpen) socket.write(Buffer.from([0x88, 2, 1001 >> 8, 1001 & 0xff]));
    unref(setTimeout(() => socket.destroy(), closing));
  }

  function drain() {
    draining = true;
    for (const farewell of sessions.values()) farewell.begin();
  }

  function endAll() {
    ending = true;
    for (const farewell of sessions.values()) farewell.end();
    for (const [socket, writtenBefore] of webSockets) endWebSocket(socket, writtenBefore);
    for (const socket of secureSockets) endEventStream(socket);
    for (const handle of process._getActiveHandles()) if (isClient(handle)) endEventStream(handle);
  }

  // What servers emit, looked at before their program sees it. True: the program is to see it later.
  const looks = new Map(Object.entries({
    session(server, { 1: session }) {
      if (!session || typeof session.goaway !== 'function') return;
      const farewell = new Farewell(session);
      keep(sessions, session, farewell);
      if (draining) unref(setTimeout(() => farewell.begin(), firstStream));
    },
    stream(server, all) {
      const farewell = all[1] && sessions.get(all[1].session);
      return farewell && farewell.came(all[1], () => emit.apply(server, all));
    },
    upgrade(server, { 1: request, 2: socket }) {
      if (!request || !/\bwebsocket\b/i.test(request.headers.upgrade)) return;
      keep(webSockets, socket, socket.bytesWritten);
      if (ending) setImmediate(endWebSocket, socket, socket.bytesWritten);
    },
    secureConnection(server, { 1: socket }) {
      keep(secureSockets, socket);
    },
  }));

  const emit = Server.prototype.emit;
  Server.prototype.emit = function (name) {
    const look = looks.get(name);
    if (look !== undefined && look(this, arguments)) return true;
    return emit.apply(this, arguments);
  };

  diagnostics.channel('http.server.request.start').subscribe(({ response }) => {
    if (draining) response.shouldKeepAlive = false;
  });

  process.on('internalMessage', (message) => {
    if (!message) return;
    const act = message.cmd === 'NODE_SVD' || message.cmd === 'NODE_CLUSTER' ? `${message.cmd}/${message.act}` : '';
    if (act === 'NODE_SVD/alive') tell({ act: 'alive', ack: message.seq });
    if (act === 'NODE_SVD/drain' || act === 'NODE_CLUSTER/disconnect') if (!draining) drain();
    if (act === 'NODE_CLUSTER/disconnect' && !ending) setImmediate(endAll);  // the program's own handlers first
    if (act === 'NODE_SVD/drain') tellWhenIdle();
  });

  function tell(message) {
    if (process.connected) process.send({ cmd: 'NODE_SVD', ...message });
  }

  // Sockets that came in through a server; those that the program itself opened have none.
  function isClient(handle) {
    return handle && handle.server && typeof handle.destroy === 'function';
  }

  // Looked at now and then, and only while the instance leaves: nothing is paid for it before.
  function tellWhenIdle() {
    if (!process.connected) return;
    if (process._getActiveHandles().some(isClient)) {
      setTimeout(tellWhenIdle, 50).unref();
      return;
    }
    tell({ act: 'idle' });
  }
}
