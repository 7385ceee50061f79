// Claim in a transaction, ask the model, send, and mark processed in a transaction that looks for new DMs.
const crypto = require('crypto');
const functions = require('@google-cloud/functions-framework');
const { Firestore } = require('@google-cloud/firestore');

const db = new Firestore({ projectId: process.env.GOOGLE_CLOUD_PROJECT, ignoreUndefinedProperties: true });
const model = process.env.GEMINI_MODEL ?? 'gemini-3.8-flash';
const gemini = `${process.env.GOOGLE_GEMINI_BASE_URL}/v1beta/models/${model}:generateContent`;
const graph = `${process.env.INSTAGRAM_API_BASE_URL}/v26.0`;
const bearer = { authorization: `Bearer ${process.env.INSTAGRAM_ACCESS_TOKEN}`, 'content-type': 'application/json' };
const declared = [{
  name: 'send_instagram_message', description: 'Send a message to the person you are talking with.',
  parametersJsonSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
}];

async function call(url, body, headers) {
  const method = body ? 'POST' : 'GET';
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} answered ${response.status}`);
  return response.json();
}

async function claim(thread, runId) {
  return db.runTransaction(async (tx) => {
    const now = Date.now();
    const [found, pending] = await Promise.all([
      tx.get(thread), tx.get(thread.collection('messages').where('status', '==', 'pending')),
    ]);
    if (pending.empty || (found.get('lease')?.expiresAt ?? 0) > now) return [];
    for (const message of pending.docs) tx.update(message.ref, { status: 'processing', updatedAt: now });
    tx.update(thread, { lease: { runId, expiresAt: now + 330_000 }, updatedAt: now });
    return pending.docs;
  });
}

async function finish(thread, claimed) {
  return db.runTransaction(async (tx) => {
    const now = Date.now();
    const more = await tx.get(thread.collection('messages').where('status', '==', 'pending'));
    for (const { ref } of claimed) tx.update(ref, { status: 'processed', processedAt: now, updatedAt: now });
    tx.update(thread, { lease: null, updatedAt: now });
    return !more.empty;
  });
}

async function answer(thread, claimed) {
  const userId = thread.id.split('_')[1];
  const history = await thread.collection('messages').orderBy('createdAt', 'desc').limit(20).get();
  const person = await call(`${graph}/${userId}?fields=name,username`, null, bearer);
  const said = history.docs.reverse().map((doc) => doc.get('message').text).join('\n');
  const contents = [{ role: 'user', parts: [{ text: `${person.name ?? ''} wrote:\n${said}` }] }];
  for (let turn = 0; turn < 6; turn += 1) {
    const body = {
      contents, tools: [{ functionDeclarations: declared }],
      systemInstruction: { parts: [{ text: 'You answer the direct messages of a cricket club.' }] },
    };
    const got = await call(gemini, body, { 'x-goog-api-key': process.env.GEMINI_API_KEY, 'content-type': 'application/json' });
    const content = got.candidates[0].content;
    const calls = content.parts.filter((part) => part.functionCall).map((part) => part.functionCall);
    if (!calls.length) return turn;
    for (const { args } of calls) {
      const message = { recipient: { id: userId }, message: { text: args.text } };
      const sent = await call(`${graph}/${process.env.INSTAGRAM_PAGE_ID}/messages`, message, bearer);
      await thread.collection('messages').doc(sent.message_id).set({
        mid: sent.message_id, status: 'processed', direction: 'outbound', message: { text: args.text }, createdAt: Date.now(),
      });
    }
    if (calls.every(({ name }) => name === 'send_instagram_message')) return turn + 1;
    contents.push(content);
  }
  return 6;
}

functions.http('processor', async (req, res) => {
  if (req.method === 'GET') return res.send('OK');
  try {
    const thread = db.collection('conversations').doc(req.body.threadId);
    const claimed = await claim(thread, crypto.randomUUID());
    if (!claimed.length) return res.json({ status: 'nothing_to_do' });
    const modelTurns = await answer(thread, claimed);
    const more = await finish(thread, claimed);
    console.log(JSON.stringify({ severity: 'INFO', message: 'task_answered', modelTurns, more }));
    return res.json({ status: 'processed', modelTurns, more });
  } catch (error) {
    console.error(JSON.stringify({ severity: 'ERROR', message: 'task_failed', error: error.message }));
    return res.sendStatus(500);
  }
});
