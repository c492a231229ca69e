// SPDX-License-Identifier: Apache-2.0
// Loaded before a Node program that svd runs with channel `node` (NODE_OPTIONS, opt-out `preload: false`). It changes
// nothing until svd asks the instance to let its clients go. From then on each HTTP/1 answer says `Connection: close`,
// each HTTP/2 session is told to go away, and svd hears when no connection is left. Without it the program works just
// as well, but clients that keep their connection are cut off when it ends.
//
// What neither protocol can say, the program has to: a WebSocket stays open until its program closes it (on the stop
// message, or on 'disconnect'), or until the time for draining and stopping is over.
'use strict';

if (process.channel && require('cluster').isWorker) {
  const { Server } = require('net');
  const diagnostics = require('diagnostics_channel');
  const sessions = new Set();  // of HTTP/2, each as long as it is open
  let draining = false;

  const emit = Server.prototype.emit;
  Server.prototype.emit = function (name, session) {
    if (name === 'session' && session && typeof session.goaway === 'function') {
      sessions.add(session);
      session.once('close', () => sessions.delete(session));
    }
    return emit.apply(this, arguments);
  };

  diagnostics.channel('http.server.request.start').subscribe(({ response }) => {
    if (draining) response.shouldKeepAlive = false;
  });

  process.on('internalMessage', (message) => {
    if (!message) return;
    const drain = message.cmd === 'NODE_SVD' && message.act === 'drain';
    const leave = message.cmd === 'NODE_CLUSTER' && message.act === 'disconnect';
    if ((drain || leave) && !draining) {
      draining = true;
      for (const session of sessions) {
        session.goaway();  // streams that are open are finished, new ones take a new connection
        session.close();
      }
    }
    if (drain) tellWhenIdle();
  });

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
    process.send({ cmd: 'NODE_SVD', act: 'idle' });
  }
}
