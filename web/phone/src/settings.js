// What the page was opened with. The token stands behind `#`: a browser sends that part to no server, so it gets into no log.
//   #token=TOKEN&domain=DOMAIN        which call
//   &answer=WHO  or  &call=WHO        whether it is waiting or to be placed, and with whom: shown, not sent
export function ticket(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  return {
    token: given.get('token') ?? '',
    domain: given.get('domain') ?? '',
    with: given.get('answer') ?? given.get('call') ?? '',
    isWaiting: given.has('answer'),
  };
}

// Where SIP is spoken over WebSocket. The node names a port; its host is the one that this page came from.
export async function server() {
  const response = await fetch('settings.json');
  if (!response.ok) throw new Error('This node takes no calls from browsers: it listens over no WebSocket.');
  const { server: url } = await response.json();
  return url.replace('{host}', location.hostname);  // IPv6 in brackets already
}
