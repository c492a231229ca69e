// SPDX-License-Identifier: Apache-2.0
// Sends letters when it is told to, counts those that it gets, and tells both when it is asked.
'use strict';
const filling = 'x'.repeat(1000);
const told = { sent: 0, refused: 0, got: {} };

async function send_letters(to, count) {
  for (let number = 1; number <= count; ++number) {
    const letter = { svd: { to }, data: { number, filling } };
    const is_room = process.send(letter);
    ++told.sent;
    if (!is_room) await new Promise((resolve) => process.send({ svd: { to: 'nobody/0', id: 'flush' } }, resolve));
  }
  process.send({ sent_all: to });
}

process.on('message', (message) => {
  if (message.letters) send_letters(message.letters.to, message.letters.count);
  if (message.report) process.send({ report: message.report, told, rss: process.memoryUsage().rss });
  if (message.svd?.error !== undefined && message.svd.id !== 'flush') ++told.refused;
  if (message.svd?.from === undefined) return;
  const got = told.got[message.svd.from] ??= { letters: 0, last: 0, backwards: 0 };
  ++got.letters;
  if (message.data.number <= got.last) ++got.backwards;
  got.last = message.data.number;
});
process.send('ready');
