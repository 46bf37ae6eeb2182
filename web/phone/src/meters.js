// Level meters: the loudest sample of the last moment, in dB below full scale.
const FLOOR_DB = -60;

export class Meters {
  #context = new AudioContext();
  #meters = [];
  #frame;

  add(stream, element) {
    const analyser = new AnalyserNode(this.#context, { fftSize: 1024 });
    this.#context.createMediaStreamSource(stream).connect(analyser);
    this.#meters.push({ analyser, element, samples: new Float32Array(analyser.fftSize) });
    this.#context.resume();
    this.#frame ??= requestAnimationFrame(() => this.#show());
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    for (const { element } of this.#meters) element.value = FLOOR_DB;
    this.#context.close();
  }

  #show() {
    for (const { analyser, element, samples } of this.#meters) {
      analyser.getFloatTimeDomainData(samples);
      const peak = samples.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
      element.value = peak > 0 ? Math.max(FLOOR_DB, 20 * Math.log10(peak)) : FLOOR_DB;
    }
    this.#frame = requestAnimationFrame(() => this.#show());
  }
}
