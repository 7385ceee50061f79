// An empty function: what a cold start is compared with.
const functions = require('@google-cloud/functions-framework');

functions.http('webhook', (req, res) => res.send('EVENT_RECEIVED'));
