// How the call does: of what comes in, and of the way there and back. Null: not known yet.
export async function figures(connection) {
  const all = [...(await connection.getStats()).values()];
  const inbound = all.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
  const remote = all.find(({ type, kind }) => type === 'remote-inbound-rtp' && kind === 'audio');
  const pair = all.find(({ type, nominated }) => type === 'candidate-pair' && nominated);
  const expected = inbound ? inbound.packetsReceived + inbound.packetsLost : 0;
  const roundTrip = remote?.roundTripTime ?? pair?.currentRoundTripTime;
  return {
    jitterMs: inbound ? inbound.jitter * 1000 : null,
    lossPercent: expected > 0 ? (100 * inbound.packetsLost) / expected : null,
    roundTripMs: roundTrip === undefined ? null : roundTrip * 1000,
  };
}
