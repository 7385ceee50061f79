// Store the DM and its thread in one batch, make a named task, answer.
const crypto = require('crypto');
const functions = require('@google-cloud/functions-framework');
const { Firestore, FieldValue } = require('@google-cloud/firestore');
const { CloudTasksClient } = require('@google-cloud/tasks');
const { credentials } = require('@grpc/grpc-js');

const project = process.env.GOOGLE_CLOUD_PROJECT;
const secret = process.env.INSTAGRAM_APP_SECRET;
const queue = `projects/${project}/locations/europe-west2/queues/dm-processing`;
const [apiEndpoint, port] = process.env.CLOUD_TASKS_EMULATOR_HOST.split(':');
const db = new Firestore({ projectId: project, ignoreUndefinedProperties: true });
const tasks = new CloudTasksClient({ apiEndpoint, port: Number(port), sslCreds: credentials.createInsecure() });
const sha256 = (text) => crypto.createHash('sha256').update(text).digest('hex');

function isSigned(req) {
  const expected = 'sha256=' + crypto.createHmac('sha256', secret).update(req.rawBody).digest('hex');
  const given = req.get('x-hub-signature-256') ?? '';
  return given.length === expected.length && crypto.timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

async function receive(account, item) {
  const now = Date.now();
  const conversationId = `${account}_${item.sender.id}`;
  const thread = db.collection('conversations').doc(conversationId);
  const id = sha256(`message:${item.message.mid}`);
  const expireAt = new Date(now + 90 * 86_400_000);
  const batch = db.batch();
  batch.create(thread.collection('messages').doc(id), {
    id, conversationId, mid: item.message.mid, status: 'pending', direction: 'inbound', attempts: 0,
    message: { kind: 'message', text: item.message.text, attachments: [] },
    sentAt: item.timestamp, createdAt: now, updatedAt: now, processedAt: null, error: null, expireAt,
  });
  const fields = { accountId: account, userId: item.sender.id, updatedAt: now, lastInboundAt: item.timestamp, expireAt };
  batch.set(thread, { ...fields, pendingCount: FieldValue.increment(1) }, { merge: true });
  const httpRequest = {
    url: 'http://127.0.0.1:9/', httpMethod: 'POST', headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify({ threadId: conversationId })).toString('base64'),
    oidcToken: { serviceAccountEmail: process.env.TASKS_INVOKER_EMAIL },
  };
  const name = `${queue}/tasks/${sha256(conversationId).slice(0, 32)}-${Math.floor(now / 10_000)}`;
  const scheduleTime = { seconds: Math.floor(now / 1000) + 10 };
  await Promise.all([batch.commit(), tasks.createTask({ parent: queue, task: { name, scheduleTime, httpRequest } })]);
}

functions.http('webhook', async (req, res) => {
  if (req.method === 'GET') return res.send('OK');
  if (!isSigned(req)) return res.sendStatus(401);
  try {
    const items = req.body.entry.flatMap((entry) => entry.messaging.map((item) => [entry.id, item]));
    await Promise.all(items.map(([account, item]) => receive(account, item)));
    return res.send('EVENT_RECEIVED');
  } catch (error) {
    console.error(JSON.stringify({ severity: 'ERROR', message: 'webhook_failed', error: error.message }));
    return res.sendStatus(500);
  }
});
