// One call over JsSIP. It registers nothing: the token in its INVITE says which call it is.
import JsSIP from 'jssip';

const OURS = 'sip:browser@phone.invalid';
const CONNECT_TIMEOUT_MS = 10_000;
const RETRY_MS = 1_000;
const GATHERING_MS = 500; // after a candidate; there is no server to ask for more

// What a refusal means to the person at this phone.
const REASONS = {
  403: 'This token is not known, or was used already.',
  404: 'The number does not exist.',
  408: 'Nobody answered.',
  480: 'They cannot be reached now.',
  486: 'They are busy.',
  487: 'The call was cancelled.',
  488: 'This browser and the server have no way to encrypt sound in common.',
  503: 'The server has too many calls. Please try again.',
  603: 'The call was declined.',
};

function reasonOf(event) {
  const status = event.message?.status_code;
  if (status) return REASONS[status] ?? `The call failed (${status} ${event.message.reason_phrase}).`;
  if (event.cause === JsSIP.C.causes.USER_DENIED_MEDIA_ACCESS) return 'The microphone may not be used, or there is none.';
  return `The call failed: ${event.cause}.`;
}

export class Call extends EventTarget {
  #server;
  #agent;
  #session;

  // Emits `ringing`, `up`, `track` (detail: the far end's MediaStream), `ended`, `failed` (detail: why).
  constructor(server) {
    super();
    this.#server = server;
  }

  get session() { return this.#session; }
  get connection() { return this.#session?.connection; }

  async place({ token, domain }) {
    try {
      this.#agent = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(this.#server)], uri: OURS, register: false, session_timers: false });
      await this.#connected();
      this.#session = this.#agent.call(`sip:call@${domain}`, {
        mediaConstraints: { audio: true, video: false },
        pcConfig: { iceServers: [] },
        extraHeaders: [`X-Cloudonix-Session: ${token}`, `X-Cloudonix-Domain: ${domain}`],
        eventHandlers: {
          // An interface that just went away would be waited for without end.
          icecandidate: ({ ready }) => setTimeout(ready, GATHERING_MS),
          progress: () => this.#tell('ringing'),
          confirmed: () => this.#tell('up'),
          ended: () => this.#end('ended'),
          failed: (event) => this.#end('failed', reasonOf(event)),
        },
      });
      this.connection.addEventListener('track', ({ track, streams }) => this.#tell('track', streams[0] ?? new MediaStream([track])));
      this.connection.addEventListener('iceconnectionstatechange', () => this.#findPath());
    } catch (fault) {
      this.#end('failed', fault.message);
    }
  }

  set muted(isMuted) { this.#session[isMuted ? 'mute' : 'unmute']({ audio: true }); }

  press(key) { this.#session.sendDTMF(key, { duration: 100, interToneGap: 100, transportType: JsSIP.C.DTMF_TRANSPORT.RFC2833 }); }

  hangUp() {
    if (this.#session && !this.#session.isEnded()) this.#session.terminate();
  }

  // In another network the path is looked for anew, as soon as the server is to be reached from there.
  #findPath() {
    if (!this.#session.isEstablished() || !['disconnected', 'failed'].includes(this.connection.iceConnectionState)) return;
    if (!this.#agent.isConnected()) return void this.#agent.once('connected', () => this.#findPath());
    const isAsked = this.#session.renegotiate({ rtcOfferConstraints: { iceRestart: true } });
    if (!isAsked) setTimeout(() => this.#findPath(), RETRY_MS); // another change is being agreed on
  }

  #connected() {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('The server cannot be reached.')), CONNECT_TIMEOUT_MS);
      this.#agent.once('connected', () => { clearTimeout(late); resolve(); });
      this.#agent.start();
    });
  }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  #end(name, detail) {
    this.#tell(name, detail);
    this.#agent?.stop();
  }
}
