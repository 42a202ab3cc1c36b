import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The least an HTTP server in Node can do with a body: read it, parse it, answer. Prints its port; ends with its parent. */
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { event: object };
    const answer = JSON.stringify({ event: body.event });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
    response.end(answer);
  });
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());
