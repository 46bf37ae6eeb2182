// The page: what is pressed goes to the call, what the call says is shown.
import { Call } from './call.js';
import { figures } from './figures.js';
import { Meters } from './meters.js';
import { server, ticket } from './settings.js';

const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#'];
const FIGURES_EVERY_MS = 1000;

const at = (id) => document.getElementById(id);
const show = (state, text) => {
  document.body.dataset.state = state;
  at('status').textContent = text;
};
const shown = (value, digits, unit) => (value === null ? '–' : `${value.toFixed(digits)} ${unit}`);

let url, call, meters, startedAt, ticking;

function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  if (seconds >= 3600) parts.unshift(Math.floor(seconds / 3600));
  return parts.map((each) => String(each).padStart(2, '0')).join(':');
}

async function tick() {
  at('timer').textContent = duration(performance.now() - startedAt);
  const { jitterMs, lossPercent, roundTripMs } = await figures(call.connection);
  at('jitter').textContent = shown(jitterMs, 0, 'ms');
  at('loss').textContent = shown(lossPercent, 1, '%');
  at('round-trip').textContent = shown(roundTripMs, 0, 'ms');
}

function begin() {
  show('up', 'Connected');
  startedAt = performance.now();
  const senders = call.connection.getSenders().filter(({ track }) => track?.kind === 'audio');
  meters.add(new MediaStream(senders.map(({ track }) => track)), at('level-out'));
  ticking = setInterval(tick, FIGURES_EVERY_MS);
  at('mute').focus();
}

function end(state, text) {
  clearInterval(ticking);
  meters.stop();
  setMuted(false);
  setKeypad(false);
  show(state, text);
  at('call').disabled = false;
  at('call').focus();
}

function place() {
  at('call').disabled = true;
  at('timer').textContent = duration(0);
  show('calling', 'Connecting…');
  meters = new Meters();
  call = new Call(url);
  call.addEventListener('ringing', () => show('ringing', 'Ringing…'));
  call.addEventListener('up', begin);
  call.addEventListener('track', ({ detail: stream }) => {
    at('far-end').srcObject = stream;
    meters.add(stream, at('level-in'));
  });
  call.addEventListener('ended', () => end('ended', 'The call has ended.'));
  call.addEventListener('failed', ({ detail: why }) => end('failed', why));
  call.place({ token: at('token').value.trim(), domain: at('domain').value.trim() });
}

function setMuted(isMuted) {
  at('mute').setAttribute('aria-pressed', isMuted);
  at('mute').textContent = isMuted ? 'Unmute' : 'Mute';
}

function setKeypad(isOpen) {
  at('keys').setAttribute('aria-expanded', isOpen);
  at('keypad').hidden = !isOpen;
}

function toggleMute() {
  const isMuted = at('mute').getAttribute('aria-pressed') !== 'true';
  call.muted = isMuted;
  setMuted(isMuted);
}

function onKey(event) {
  if (document.body.dataset.state !== 'up' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (KEYS.includes(event.key)) call.press(event.key);
  else if (event.key === 'm') toggleMute();
  else if (event.key === 'Escape') call.hangUp();
}

function wire(given) {
  at('title').textContent = given.with || 'Call';
  at('token').value = given.token;
  at('domain').value = given.domain;
  at('ticket').classList.toggle('given', Boolean(given.token && given.domain));
  at('call').textContent = given.isWaiting ? 'Answer' : 'Call';
  at('ticket').addEventListener('submit', (event) => {
    event.preventDefault();
    place();
  });
  at('mute').addEventListener('click', toggleMute);
  at('hangup').addEventListener('click', () => call.hangUp());
  at('keys').addEventListener('click', () => setKeypad(at('keypad').hidden));
  for (const key of KEYS) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = key;
    button.addEventListener('click', () => call.press(key));
    at('keypad').append(button);
  }
  document.addEventListener('keydown', onKey);
  window.addEventListener('pagehide', () => call?.hangUp());
}

async function start() {
  const given = ticket(location.hash);
  wire(given);
  try {
    url = await server();
  } catch (fault) {
    at('call').disabled = true;
    return show('failed', fault.message);
  }
  show('ready', given.isWaiting ? 'Somebody is waiting for you.' : 'Ready to call.');
  at(given.token ? 'call' : 'token').focus();
}

// What scripts of the page's owner, and tests, may look at.
window.phone = { get connection() { return call?.connection; }, get session() { return call?.session; } };
start();
