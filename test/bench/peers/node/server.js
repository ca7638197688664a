// POST /triggers by fastify and amqplib: 202 once RabbitMQ has confirmed the message.
//
//   node server.js URL EXCHANGE PORT [PROCESSES]
'use strict';

const cluster = require('node:cluster');
const { randomUUID } = require('node:crypto');
const amqplib = require('amqplib');
const fastify = require('fastify');

const [url, exchange, port, processes = '1'] = process.argv.slice(2);
const name = { type: 'string', minLength: 1, maxLength: 200, pattern: '^[!-~]+$' };
const body = {
  type: 'object',
  required: ['apiVersion', 'protocol', 'spec'],
  properties: { apiVersion: name, protocol: name, spec: { type: 'object' }, metadata: { type: 'object' } },
};
const accepted = {
  202: { type: 'object', properties: { uuid: { type: 'string' }, status: { type: 'string' } } },
};

async function connect() {
  const connection = await amqplib.connect(url);
  const channel = await connection.createConfirmChannel();
  const returned = new Set(); // a return comes before its confirm
  channel.on('return', (message) => returned.add(message.properties.messageId));
  // A message must not be lost in a connection that is gone: whoever supervises the process starts it again.
  connection.on('error', (error) => { console.error(error.message); process.exit(1); });

  return (trigger) => new Promise((resolve, reject) => {
    const uuid = randomUUID();
    const key = `${trigger.apiVersion.replaceAll('/', '.')}.${trigger.protocol}`;
    channel.publish(exchange, key, Buffer.from(JSON.stringify({ ...trigger, uuid })), {
      contentType: 'application/json', persistent: true, mandatory: true, messageId: uuid,
      timestamp: Math.floor(Date.now() / 1000), type: trigger.protocol, appId: 'peer-node',
    }, (error) => {
      if (error) reject(error);
      else if (returned.delete(uuid)) reject(new Error('unroutable'));
      else resolve(uuid);
    });
  });
}

async function serve() {
  const publish = await connect();
  const app = fastify({ bodyLimit: 1024 * 1024 });
  app.get('/readyz', async () => 'ready');
  app.post('/triggers', { schema: { body, response: accepted } }, async (request, reply) => {
    const uuid = await publish(request.body);
    return reply.code(202).header('Location', `/triggers/${uuid}`).send({ uuid, status: 'published' });
  });
  await app.listen({ host: '127.0.0.1', port: Number(port) });
}

if (cluster.isPrimary && Number(processes) > 1) {
  for (let i = 0; i < Number(processes); ++i) cluster.fork();
} else {
  serve().catch((error) => { console.error(error); process.exit(1); });
}
