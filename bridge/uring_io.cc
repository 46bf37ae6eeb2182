#include "bridge/uring_io.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstring>

#include "vas/base/check.h"

namespace vas::bridge {
namespace {

constexpr int kBufferGroup = 0;

// What a completion is of: in its upper byte; then the slot's turn, then the socket.
enum class Kind : std::uint64_t { kReceive = 1, kSend, kWake, kCancel };

std::uint64_t tag(Kind kind, std::uint32_t turn = 0, SocketId socket = 0) {
  return static_cast<std::uint64_t>(kind) << 56 | std::uint64_t{turn & 0xffffff} << 32 | socket;
}

__kernel_timespec to_timespec(Duration duration) {
  return {duration.count() / 1'000'000, duration.count() % 1'000'000 * 1000};
}

Error refused(const char* what, int error) {
  return Error{std::string("io_uring: ") + what + ": " + std::strerror(error)};
}

}  // namespace

Result<std::unique_ptr<UringIo>> UringIo::open(int wake_descriptor) {
  std::unique_ptr<UringIo> io(new UringIo(wake_descriptor));
  if (auto fault = io->start()) return *fault;
  return io;
}

std::optional<Error> UringIo::start() {
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_COOP_TASKRUN;
  params.cq_entries = 4 * kEntries;
  if (const int error = io_uring_queue_init_params(kEntries, &ring_, &params); error < 0)
    return refused("it is not available", -error);
  is_ring_open_ = true;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const unsigned files = static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, 65536));
  if (const int error = io_uring_register_files_sparse(&ring_, files); error < 0)
    return refused("no table of files", -error);
  slots_.resize(files);
  if (!set_up_buffers()) return refused("no ring of buffers", errno);
  shape_.msg_namelen = sizeof(sockaddr_in6);
  shape_.msg_controllen = kTtlControlBytes;
  addresses_.resize(kEntries);
  labelled_.resize(kEntries);
  copies_.resize(kCopies);
  sending_.reserve(kBuffers);
  unarmed_.reserve(files);
  arm_wake();
  return {};
}

UringIo::~UringIo() {
  if (is_ring_open_) {
    close_sockets();
    io_uring_queue_exit(&ring_);
  }
  if (buffer_ring_ != nullptr) munmap(buffer_ring_, kBuffers * sizeof(io_uring_buf));
}

// The kernel lets go of a ring's files some time after the ring, and ports stay bound so long: so they are
// let go of first.
void UringIo::close_sockets() {
  io_uring_sqe* entry = next_entry();
  io_uring_prep_cancel64(entry, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
  entry->user_data = tag(Kind::kCancel);
  __kernel_timespec timeout = to_timespec(std::chrono::milliseconds(1));
  io_uring_cqe* first = nullptr;
  io_uring_submit_and_wait_timeout(&ring_, &first, 4 * kEntries, &timeout, nullptr);
  io_uring_unregister_files(&ring_);
}

bool UringIo::set_up_buffers() {
  void* memory = mmap(nullptr, kBuffers * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                      MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (memory == MAP_FAILED) return false;
  buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  registration.ring_entries = kBuffers;
  registration.bgid = kBufferGroup;
  if (const int error = io_uring_register_buf_ring(&ring_, &registration, 0); error < 0) {
    errno = -error;
    return false;
  }
  io_uring_buf_ring_init(buffer_ring_);
  buffers_.resize(kBuffers * kBufferBytes);
  for (unsigned i = 0; i < kBuffers; ++i) give_back(static_cast<std::uint16_t>(i));
  return true;
}

void UringIo::give_back(std::uint16_t buffer) {
  io_uring_buf_ring_add(buffer_ring_, buffer_at(buffer), kBufferBytes, buffer,
                        io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(buffer_ring_, 1);
}

io_uring_sqe* UringIo::next_entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) {
    submit();
    entry = io_uring_get_sqe(&ring_);
  }
  VAS_CHECK(entry != nullptr, "a submit empties the queue");
  return entry;
}

// After it every send so far has been made, and its memory is free.
void UringIo::submit() {
  io_uring_submit(&ring_);
  on_submitted();
}

void UringIo::on_submitted() {
  for (const std::uint16_t buffer : sending_) give_back(buffer);
  sending_.clear();
  addresses_used_ = copies_used_ = 0;
}

void UringIo::arm_wake() {
  io_uring_sqe* entry = next_entry();
  io_uring_prep_poll_multishot(entry, wake_descriptor_, POLLIN);
  entry->user_data = tag(Kind::kWake);
}

void UringIo::arm(SocketId socket) {
  io_uring_sqe* entry = next_entry();
  io_uring_prep_recvmsg_multishot(entry, static_cast<int>(socket), &shape_, 0);
  entry->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
  entry->buf_group = kBufferGroup;
  entry->user_data = tag(Kind::kReceive, slots_[socket].turn, socket);
}

bool UringIo::add(SocketId socket, int descriptor, unsigned) {
  if (socket >= slots_.size()) return false;
  if (io_uring_register_files_update(&ring_, socket, &descriptor, 1) != 1) return false;
  ++slots_[socket].turn;
  slots_[socket].is_open = true;
  arm(socket);
  return true;
}

void UringIo::remove(SocketId socket) {
  Slot& slot = slots_[socket];
  slot.is_open = false;
  std::erase(unarmed_, socket);  // its place may be another's at once
  io_uring_sqe* entry = next_entry();
  io_uring_prep_cancel64(entry, tag(Kind::kReceive, slot.turn, socket), 0);
  entry->user_data = tag(Kind::kCancel);
  submit();  // the sends that wait still need the file
  int none = -1;
  io_uring_register_files_update(&ring_, socket, &none, 1);
}

void UringIo::turn(Duration longest, PacketSink& sink) {
  const bool gathers = last_count_ >= kGatherFrom && longest > kGather;
  __kernel_timespec timeout = to_timespec(gathers ? kGather : longest);
  io_uring_cqe* first = nullptr;
  for (const SocketId socket : unarmed_) {
    if (slots_[socket].is_open) arm(socket);
  }
  unarmed_.clear();
  io_uring_submit_and_wait_timeout(&ring_, &first, gathers ? static_cast<unsigned>(kGatherAtMost) : 1U,
                                   &timeout, nullptr);
  on_submitted();

  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* completion = nullptr;
  io_uring_for_each_cqe(&ring_, head, completion) {
    ++count;
    complete(*completion, sink);
  }
  io_uring_cq_advance(&ring_, count);
  last_count_ = count;
}

void UringIo::complete(const io_uring_cqe& completion, PacketSink& sink) {
  const auto socket = static_cast<SocketId>(completion.user_data);
  const auto turn = static_cast<std::uint32_t>(completion.user_data >> 32) & 0xffffff;
  switch (static_cast<Kind>(completion.user_data >> 56)) {
    case Kind::kSend:
    case Kind::kCancel: return;
    case Kind::kWake:
      if ((completion.flags & IORING_CQE_F_MORE) == 0) arm_wake();
      sink.on_woken();  // where no datagram before it was the occasion, or news came since
      return;
    case Kind::kReceive: break;
  }
  if (sink.has_news()) sink.on_woken();
  const bool is_today = slots_[socket].is_open && (slots_[socket].turn & 0xffffff) == turn;
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto buffer = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    if (is_today && completion.res > 0) {
      receive(socket, buffer, static_cast<std::size_t>(completion.res), sink);
    } else {
      give_back(buffer);
    }
  }
  if (is_today && (completion.flags & IORING_CQE_F_MORE) == 0) unarmed_.push_back(socket);
}

void UringIo::receive(SocketId socket, std::uint16_t buffer, std::size_t bytes, PacketSink& sink) {
  io_uring_recvmsg_out* message =
      io_uring_recvmsg_validate(buffer_at(buffer), static_cast<int>(bytes), &shape_);
  is_current_sent_ = false;
  std::optional<Endpoint> source;
  if (message != nullptr) {
    sockaddr_storage from{};
    std::memcpy(&from, io_uring_recvmsg_name(message),
                std::min<std::size_t>(message->namelen, sizeof(sockaddr_in6)));
    source = Endpoint::from_sockaddr(from);
  }
  if (source && (message->flags & MSG_TRUNC) != 0) {
    sink.on_oversized(socket, *source);
  } else if (source) {
    auto* const payload = static_cast<std::uint8_t*>(io_uring_recvmsg_payload(message, &shape_));
    const std::size_t size = io_uring_recvmsg_payload_length(message, static_cast<int>(bytes), &shape_);
    current_ = MutableBytes(payload, buffer_at(buffer) + kBufferBytes);
    const Ttl ttl = ttl_of(io_uring_recvmsg_cmsg_firsthdr(message, &shape_));
    sink.on_datagram(socket, *source, ttl, {current_, size});
    current_ = {};
  }
  if (is_current_sent_) {
    sending_.push_back(buffer);
  } else {
    give_back(buffer);
  }
}

void UringIo::send(SocketId socket, const Endpoint& to, Ttl ttl, Bytes bytes) {
  const bool is_current = !current_.empty() && bytes.data() >= current_.data() &&
                          bytes.data() + bytes.size() <= current_.data() + current_.size();
  if (!is_current && copies_used_ == copies_.size()) submit();
  io_uring_sqe* entry = next_entry();
  if (is_current) {
    is_current_sent_ = true;
  } else {
    auto& copy = copies_[copies_used_++];
    VAS_CHECK(bytes.size() <= copy.size(), "what is not a relayed packet is a report of ours");
    std::copy(bytes.begin(), bytes.end(), copy.begin());
    bytes = Bytes(copy).first(bytes.size());
  }
  sockaddr_storage& address = addresses_[addresses_used_];  // there are as many as entries in the queue
  Labelled& labelled = labelled_[addresses_used_++];
  const socklen_t length = to.to_sockaddr(address);
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (ttl == 0) {
    io_uring_prep_send(entry, static_cast<int>(socket), bytes.data(), bytes.size(), kFlags);
    io_uring_prep_send_set_addr(entry, reinterpret_cast<const sockaddr*>(&address),
                                static_cast<std::uint16_t>(length));
  } else {
    labelled.payload = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    labelled.message = {};
    labelled.message.msg_name = &address;
    labelled.message.msg_namelen = length;
    labelled.message.msg_iov = &labelled.payload;
    labelled.message.msg_iovlen = 1;
    labelled.message.msg_control = labelled.control.data();
    put_ttl(labelled.message, to.address.family, ttl);
    io_uring_prep_sendmsg(entry, static_cast<int>(socket), &labelled.message, kFlags);
  }
  entry->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = tag(Kind::kSend);
}

}  // namespace vas::bridge
