// Instances that tell each other: a value that one of them was given is known to all.
const http = require('http');

const me = `web/${process.env.NODE_APP_INSTANCE}`;
let value = 'nothing';

process.on('message', (message) => {
  if (message.svd && message.svd.from) value = message.data;        // a letter
  if (message.svd && message.svd.error) console.error(message.svd); // one that could not be delivered
});

http.createServer((request, response) => {
  if (request.method !== 'PUT') return response.end(`${me} knows ${value}\n`);
  let body = '';
  request.on('data', (part) => (body += part));
  request.on('end', () => {
    value = body;
    process.send({ svd: { to: 'web' }, data: value });  // to all other instances of web
    process.send({ type: 'changed', by: me });          // to whoever listens: svctl messages
    response.end(`${me} tells the others\n`);
  });
}).listen(18130);
