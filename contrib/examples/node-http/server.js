// An ordinary Node server: nothing in here knows of svd. Four of it answer on one port.
const http = require('http');

const server = http.createServer((request, response) => {
  response.end(`instance ${process.env.NODE_APP_INSTANCE}\n`);
});
server.listen(18120);
