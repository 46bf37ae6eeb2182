import JsSIP from 'jssip';
import * as SIP from 'sip.js';

// What makes speech clearer takes a tone for noise.
const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const gathering = { iceServers: [] };
const seen = [];
const note = (what) => seen.push(what);

// Each stack as one object: dial, hold, resume, move (the network has changed), hang up.
class ByJsSip {
  async dial(url, target, headers) {
    this.socket = new JsSIP.WebSocketInterface(url);
    this.agent = new JsSIP.UA({ sockets: [this.socket], uri: 'sip:browser@invalid.example', register: false,
                               session_timers: false }); // a refresh that meets a lost socket ends the call
    this.agent.start();
    await this.connected();
    this.session = this.agent.call(target, { mediaConstraints: { audio, video: false }, extraHeaders: headers, pcConfig: gathering });
    for (const name of ['accepted', 'confirmed', 'ended', 'failed']) this.session.on(name, (event) => note(name + ' ' + (event.cause ?? '')));
  }
  connected() {
    return new Promise((done) => (this.agent.isConnected() ? done() : this.agent.once('connected', done)));
  }
  get connection() { return this.session.connection; }
  hold() { return new Promise((done) => this.session.hold({}, done)); }
  resume() { return new Promise((done) => this.session.unhold({}, done)); }
  // As an app does that is told of a new network: another socket, then new candidates.
  async move() {
    this.socket._ws.close(); // which would wait for an answer
    this.socket._onClose({ wasClean: false, code: 1006, reason: '' });
    await this.connected();
    note('socket');
    await new Promise((done) => this.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, done));
  }
  hangUp() { this.session.terminate(); }
}

class BySipJs {
  async dial(url, target, headers) {
    const handler = { peerConnectionConfiguration: gathering, iceGatheringTimeout: 1000 };
    this.agent = new SIP.UserAgent({ uri: SIP.UserAgent.makeURI('sip:browser@invalid.example'), transportOptions: { server: url },
                                     sessionDescriptionHandlerFactoryOptions: handler });
    this.agent.delegate = { onDisconnect: () => this.reconnect() };
    await this.agent.start();
    this.session = new SIP.Inviter(this.agent, SIP.UserAgent.makeURI(target),
                                   { extraHeaders: headers, sessionDescriptionHandlerOptions: { constraints: { audio, video: false } } });
    this.session.stateChange.addListener((state) => note(state));
    await this.session.invite();
  }
  async reconnect() {
    for (;;) {
      try { return await this.agent.reconnect(); } catch { await new Promise((done) => setTimeout(done, 1000)); }
    }
  }
  get connection() { return this.session.sessionDescriptionHandler.peerConnection; }
  ask(options) {
    return new Promise((done, failed) => this.session.invite({
      sessionDescriptionHandlerOptions: { constraints: { audio, video: false }, ...options },
      requestDelegate: { onAccept: done, onReject: (answer) => failed(new Error(String(answer.message.statusCode))) },
    }).catch(failed));
  }
  hold() { return this.ask({ hold: true }); }
  resume() { return this.ask({ hold: false }); }
  async move() {
    await this.agent.transport.disconnect().catch(() => {}); // which onDisconnect cuts short
    while (!this.agent.isConnected()) await new Promise((done) => setTimeout(done, 200));
    note('socket');
    await this.ask({ offerOptions: { iceRestart: true } });
  }
  hangUp() { this.session.bye(); }
}

window.seen = seen;
window.begin = (stack) => { window.phone = stack === 'SIP.js' ? new BySipJs() : new ByJsSip(); };
