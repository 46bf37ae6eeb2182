"""Tones, and what a recording has of them."""
import array
import math
import wave


def tone_share(path, hertz):
    """Share of the energy of a recording that is in one tone, measured over blocks of 100 ms that are not silent."""
    with wave.open(str(path)) as recording:
        rate, channels = recording.getframerate(), recording.getnchannels()
        samples = array.array("h", recording.readframes(recording.getnframes()))[::channels]
    block = rate // 10
    in_tone = total = 0.0
    for at in range(0, len(samples) - block + 1, block):
        piece = samples[at : at + block]
        energy = float(sum(sample * sample for sample in piece))
        if energy < block * 200 * 200:
            continue
        step = 2 * math.cos(2 * math.pi * hertz / rate)
        newer = older = 0.0
        for sample in piece:
            newer, older = sample + step * newer - older, newer
        in_tone += 2 * (newer * newer + older * older - step * newer * older) / block
        total += energy
    return in_tone / total if total else 0.0


def audible_seconds(path):
    with wave.open(str(path)) as recording:
        rate = recording.getframerate()
        samples = array.array("h", recording.readframes(recording.getnframes()))[:: recording.getnchannels()]
    block = rate // 50
    return sum(
        0.02
        for at in range(0, len(samples) - block + 1, block)
        if sum(s * s for s in samples[at : at + block]) > block * 200 * 200
    )


def write_tone(path, hertz, rate, seconds):
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        period = array.array("h", (int(12000 * math.sin(2 * math.pi * hertz * i / rate)) for i in range(rate)))
        for _ in range(seconds):
            out.writeframes(period.tobytes())
