// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/vas-caller/wav.h"

#include <cstring>
#include <fstream>
#include <iterator>

namespace vas::caller {
namespace {

std::uint32_t little_u32(const std::string& from, std::size_t at) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i)
    value = value << 8 | static_cast<std::uint8_t>(from[at + static_cast<std::size_t>(i)]);
  return value;
}

void put_little(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

}  // namespace

Result<std::vector<std::int16_t>> read_wav(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{"cannot read " + path};
  const std::string file((std::istreambuf_iterator<char>(in)), {});
  if (file.size() < 12 || file.compare(0, 4, "RIFF") != 0 || file.compare(8, 4, "WAVE") != 0)
    return Error{path + " is no WAV file"};
  bool has_format = false;
  for (std::size_t at = 12; at + 8 <= file.size();) {
    const std::size_t length = little_u32(file, at + 4);
    const std::size_t content = at + 8;
    if (file.compare(at, 4, "fmt ") == 0 && content + 16 <= file.size()) {
      const bool is_pcm16_mono = little_u32(file, content) == (1u << 16 | 1u) &&
                                 little_u32(file, content + 4) == kSampleRate &&
                                 little_u32(file, content + 12) >> 16 == 16;
      if (!is_pcm16_mono) return Error{path + " is not mono 16-bit PCM at 8000 Hz"};
      has_format = true;
    }
    if (file.compare(at, 4, "data") == 0 && has_format) {
      const std::size_t bytes = std::min(length, file.size() - content) / 2 * 2;
      std::vector<std::int16_t> samples(bytes / 2);
      std::memcpy(samples.data(), file.data() + content,
                  bytes);  // x86 and arm64 are little-endian, as WAV is
      return samples;
    }
    at = content + length + (length & 1);
  }
  return Error{path + " has no audio"};
}

bool write_wav(const std::string& path, const std::vector<std::int16_t>& samples) {
  const auto bytes = static_cast<std::uint32_t>(2 * samples.size());
  std::string head = "RIFF";
  put_little(head, 36 + bytes, 4);
  head += "WAVEfmt ";
  put_little(head, 16, 4);
  put_little(head, 1, 2);
  put_little(head, 1, 2);
  put_little(head, kSampleRate, 4);
  put_little(head, 2 * kSampleRate, 4);
  put_little(head, 2, 2);
  put_little(head, 16, 2);
  head += "data";
  put_little(head, bytes, 4);
  std::ofstream out(path, std::ios::binary);
  out.write(head.data(), static_cast<std::streamsize>(head.size()));
  out.write(reinterpret_cast<const char*>(samples.data()), bytes);
  return out.good();
}

}  // namespace vas::caller
