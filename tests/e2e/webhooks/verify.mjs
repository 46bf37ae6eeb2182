// Reads a line of JSON for each request: {secret, raw, body, headers}. Writes "true" for each that the library takes for
// the sender's, or why it does not.
import { createInterface } from 'node:readline';
import { Webhook } from 'standardwebhooks';

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, raw, body, headers } = JSON.parse(line);
  try {
    new Webhook(secret, raw ? { format: 'raw' } : {}).verify(body, headers);
    console.log('true');
  } catch (failure) {
    console.log(failure.message);
  }
}
