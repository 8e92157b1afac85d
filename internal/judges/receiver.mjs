// A client that receives callbacks, for tests: it judges each by the library of
// the Standard Webhooks and says so, one line of JSON each, on standard output.
//
//   node receiver.mjs SECRETS   SECRETS: a file with the secret that it knows, read anew each time
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

// The packages lie where `make tools` put them, which is not beside this file.
const require = createRequire(process.env.JUDGES_MODULES + '/');
const { Webhook } = require('standardwebhooks');
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const line = { id: request.headers['webhook-id'] };
    try {
      const secret = readFileSync(process.argv[2], 'utf8').trim();
      line.message = new Webhook(secret).verify(Buffer.concat(chunks).toString('utf8'), request.headers);
      response.writeHead(204).end();
    } catch (error) {
      line.error = error.message;
      response.writeHead(401).end(error.message);
    }
    say(line);
  });
});
server.listen(0, '127.0.0.1', () => say({ url: `http://127.0.0.1:${server.address().port}/callbacks` }));
