// SPDX-License-Identifier: Apache-2.0
// As much of a redis client as this example needs: one connection, commands in order, simple replies (RESP 2).
'use strict';
const net = require('node:net');

class Redis {
  constructor(path) {
    Object.assign(this, { path, socket: null, waiting: [], rest: '' });
  }

  command(...words) {
    const text = `*${words.length}\r\n` + words.map((w) => `$${Buffer.byteLength(String(w))}\r\n${w}\r\n`).join('');
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.connection().write(text);
    });
  }

  connection() {
    if (this.socket) return this.socket;
    this.socket = net.createConnection(this.path).setEncoding('utf8');
    this.socket.on('data', (text) => this.receive(text));
    this.socket.on('error', (error) => { this.error = error; });
    this.socket.on('close', () => {  // the next command connects anew
      const lost = this.waiting.splice(0);
      this.socket = null;
      this.rest = '';
      for (const one of lost) one.reject(this.error ?? new Error('redis closed the connection'));
    });
    return this.socket;
  }

  receive(text) {
    this.rest += text;
    for (;;) {
      const reply = /^(?:([+\-:])([^\r]*)|\$(-?\d+))\r\n/.exec(this.rest);
      if (!reply) return;
      let [{ length: used }, kind, value] = reply;
      if (kind === undefined) {  // a bulk string: its length, then that many bytes (ASCII in this example)
        const size = Number(reply[3]);
        if (size >= 0 && this.rest.length < used + size + 2) return;
        value = size < 0 ? null : this.rest.slice(used, used + size);
        used += size < 0 ? 0 : size + 2;
      }
      this.rest = this.rest.slice(used);
      const one = this.waiting.shift();
      if (kind === '-') one.reject(new Error(value));
      else one.resolve(kind === ':' ? Number(value) : value);
    }
  }

  close() {
    this.socket?.end();
  }
}

module.exports = { Redis };
